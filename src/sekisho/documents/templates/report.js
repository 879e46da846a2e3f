for (const choice of document.querySelectorAll(".tongues input")) {
  choice.addEventListener("change", () => { document.documentElement.lang = choice.value; });
}
const show = () => {
  const box = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (box instanceof HTMLDetailsElement) { box.open = true; box.scrollIntoView(); }
};
addEventListener("hashchange", show);
show();
