"""S03, S04, S09, S13: half copies, other bytes, a damaged index, a registry that cannot be written."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tests.attacks.store.conftest import Made, Place, act_as
from tests.attacks.store.seaweed import READ_KEY

from sekisho import Registry
from sekisho.cli.main import run
from sekisho.errors import ArtifactError, Conflict, IntegrityError, NotFound, RegistryError, SekishoError

GARBAGE = [None, b"", b"garbage \xff\x00", b"{}", b"[" * 5_000, b'{"format": 99}', b"null"]


def history(place: Place) -> list[str]:
    return [key for key in place.held() if key.startswith("history/")]


def test_s03_a_half_copied_version_is_neither_listed_nor_served(place: Place, made: Made) -> None:
    registry = place.registry()
    registry.push(made("1.0.0", content="old"))
    before = set(place.held())
    registry.push(made("1.1.0", content="new"))
    for key in sorted(set(place.held()) - before):
        if key.startswith("content/"):
            place.spoil(key, None)
            break
    assert [version.version for version in registry.versions("loan")] == ["1.0.0"]
    with pytest.raises(IntegrityError, match="missing"):
        registry.fetch("loan@1.1.0")
    audit = registry.verify()
    assert not audit.whole
    assert any("loan@1.1.0" in finding.text.en for finding in audit.findings)
    assert registry.push(made("1.1.0", content="new")).new is False  # the same bytes again mend it
    assert registry.verify().whole
    assert len(registry.versions("loan")) == 2


def test_s03_what_is_copied_into_the_folder_by_hand_is_no_version(place: Place, made: Made) -> None:
    if not place.is_folder:
        pytest.skip("a matter of folders")
    registry, root = place.registry(), Path(place.location)
    registry.push(made("1.0.0"))
    for target in (root / "loan" / "2.0.0", root / "history" / "loan" / "2.0.0", root / "content" / "2.0.0"):
        shutil.copytree(made("2.0.0", content="copied"), target)
        (target / "manifest.json").unlink()
    (root / "history" / "loan" / ".0000000002.json.Xy12Ab").write_bytes(b"half")
    assert [version.version for version in registry.versions("loan")] == ["1.0.0"]
    with pytest.raises(NotFound):
        registry.fetch("loan@2.0.0")


def test_s04_other_bytes_under_a_published_version_are_refused(place: Place, made: Made) -> None:
    registry, first = place.registry(), made("1.0.0", content="first")
    digest = registry.push(first).version.digest
    with pytest.raises(Conflict, match="other bytes"):
        registry.push(made("1.0.0", content="second"))
    assert registry.push(first).new is False
    assert registry.resolve("loan@1.0.0").digest == digest
    assert len(registry.history("loan")) == 1
    assert registry.push(made("1.0.1", content="second")).new


@pytest.mark.parametrize("garbage", GARBAGE)
def test_s09_a_damaged_index_is_made_again(place: Place, made: Made, garbage: bytes | None) -> None:
    registry = place.registry()
    for version in ("1.0.0", "1.1.0"):
        registry.push(made(version, content=version))
    registry.promote("loan@1.1.0")
    place.spoil("index/loan.json", garbage)
    assert registry.resolve("loan@champion").version == "1.1.0"
    assert registry.verify().whole
    registry.promote("loan@1.0.0")
    assert registry.verify().findings == ()


@pytest.mark.parametrize("garbage", GARBAGE)
def test_s09_a_damaged_history_is_one_plain_error(place: Place, made: Made, garbage: bytes | None) -> None:
    registry = place.registry()
    for version in ("1.0.0", "1.1.0"):
        registry.push(made(version, content=version))
    registry.promote("loan@1.1.0")
    for key in history(place):
        data = registry._store.read(key, most_bytes=100_000)
        assert data is not None
        place.spoil(key, garbage)
        with pytest.raises(ArtifactError) as caught:
            registry.history("loan")
        assert "\n" not in str(caught.value)
        audit = registry.verify()
        assert not audit.whole
        with pytest.raises(ArtifactError):  # nobody knows what is needed
            registry.collect(grace_seconds=0.0)
        place.spoil(key, data)
    assert registry.verify().whole


def test_s09_an_edited_removed_or_repeated_event_breaks_the_chain(place: Place, made: Made) -> None:
    registry = place.registry()
    registry.push(made("1.0.0"))
    for _ in range(2):
        registry.promote("loan@1.0.0", alias="champion", reason="first")
        registry.promote("loan@1.0.0", alias="challenger")
    first, *_, last = history(place)
    whole = {key: registry._store.read(key, most_bytes=100_000) for key in history(place)}
    edits = [
        (last, (whole[last] or b"").replace(b"challenger", b"champion  ")),
        (first, (whole[first] or b"").replace(b'"by":"', b'"by":"x')),
        (last, whole[first]),
        (last, None),
    ]
    for key, data in edits:
        place.spoil(key, data)
        with pytest.raises(ArtifactError):
            registry.history("loan")
        assert not registry.verify().whole
        place.spoil(key, whole[key])
    assert registry.verify().whole


def test_s09_a_history_that_was_taken_away_is_missed(place: Place, made: Made) -> None:
    registry = place.registry()
    registry.push(made("1.0.0"))
    registry.push(made("1.0.0", name="other"))
    for key in history(place):
        if key.startswith("history/loan/"):
            place.spoil(key, None)
    if place.is_folder:
        Path(place.location, "history", "loan").rmdir()
    assert not registry.verify().whole
    for ask in (registry.versions, lambda: registry.resolve("loan@1.0.0"), lambda: registry.collect(grace_seconds=0.0)):
        with pytest.raises(ArtifactError, match="missing"):
            ask()
    assert registry.resolve("other@1.0.0").version == "1.0.0"


@pytest.mark.parametrize("garbage", GARBAGE)
def test_s09_the_mark_of_the_registry(place: Place, made: Made, garbage: bytes | None) -> None:
    registry = place.registry()
    registry.push(made("1.0.0"))
    place.spoil("registry.json", garbage)
    if garbage is None:
        assert registry.resolve("loan@1.0.0").version == "1.0.0"
        return
    with pytest.raises(SekishoError, match=r"registry\.json") as caught:
        registry.resolve("loan@1.0.0")
    assert "\n" not in str(caught.value)


def test_a_flipped_byte_of_content_is_never_fetched(place: Place, made: Made) -> None:
    registry = place.registry()
    registry.push(made("1.0.0"))
    for key in [key for key in place.held() if key.startswith("content/")]:
        data = registry._store.read(key, most_bytes=10_000_000)
        assert data
        place.spoil(key, bytes([data[0] ^ 1]) + data[1:])
        with pytest.raises(IntegrityError):
            registry.fetch("loan@1.0.0", place.scratch / "out")
        assert not (place.scratch / "out").exists()
        assert not registry.verify().whole
        registry.push(made("1.0.0"))
        assert registry.verify().whole


def test_a_copy_in_the_cache_is_verified_again_on_use(place: Place, made: Made) -> None:
    registry = place.registry()
    registry.push(made("1.0.0"))
    folder = registry.fetch("loan@1.0.0")
    (folder / "part-0.json").write_bytes(b"changed")
    assert registry.fetch("loan@1.0.0") == folder
    assert (folder / "part-0.json").read_bytes() != b"changed"
    (folder / "added.pkl").write_bytes(b"added")
    assert not (registry.fetch("loan@1.0.0") / "added.pkl").exists()


def test_s13_a_registry_that_cannot_be_written_is_read_and_says_why_not(
    place: Place, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, other = place.registry(), made("1.1.0", content="other")
    registry.push(made("1.0.0"))
    registry.promote("loan@1.0.0")
    if place.is_folder and os.geteuid() != 0:
        for path in (Path(place.location), *Path(place.location).rglob("*")):
            path.chmod(path.stat().st_mode & ~0o222)
    if not place.is_folder:
        act_as(monkeypatch, READ_KEY)
    child = place.child()
    if place.is_folder and os.geteuid() == 0:
        child.do("become_nobody")
    else:
        (place.scratch / "cache").mkdir(exist_ok=True)
    answer = child.do("push", folder=str(other))
    assert answer["error"] == "RegistryError", answer
    assert "cannot be written" in answer["line"]
    assert child.do("promote", reference="loan@1.0.0") == {"moved": False}  # it stands there already
    answer = child.do("promote", reference="loan@1.0.0", expected="9.9.9")
    assert answer["error"] == "Conflict"
    answer = child.do("collect")
    assert answer["error"] == "RegistryError"
    if not place.is_folder:
        assert "loan" not in child.do("fetch", reference="loan@champion")
    assert place.registry().verify().whole


def test_s13_serving_goes_on_from_a_registry_that_cannot_be_written(
    place: Place, made: Made, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = place.registry()
    registry.push(made("1.0.0"))
    registry.promote("loan@1.0.0")
    if place.is_folder:
        for path in (Path(place.location), *Path(place.location).rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
    else:
        act_as(monkeypatch, READ_KEY)
    monkeypatch.setenv("SEKISHO_CACHE", str(place.scratch / "serving"))
    endpoint = [] if place.endpoint is None else ["--endpoint-url", place.endpoint]
    assert run(["registry", "fetch", "loan@champion", "--registry", place.location, *endpoint]) == 0
    assert Path(capsys.readouterr().out.strip(), "manifest.json").is_file()


@pytest.mark.parametrize("name", ["chapter.txt", "figures/one.txt"])
def test_a_place_that_holds_something_else_is_left_alone(tmp_path: Path, made: Made, name: str) -> None:
    (tmp_path / "thesis" / name).parent.mkdir(parents=True)
    (tmp_path / "thesis" / name).write_text("mine")
    with pytest.raises(SekishoError, match="other than a registry"):
        Registry(tmp_path / "thesis").push(made())
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == [name.partition("/")[0]]


def test_a_newer_registry_says_so(place: Place, made: Made) -> None:
    registry = place.registry()
    registry.push(made())
    place.spoil("registry.json", b'{"format":2,"kind":"sekisho registry","made_by":"x"}')
    with pytest.raises(RegistryError, match="newer"):
        registry.resolve("loan@1.0.0")
    with pytest.raises(RegistryError, match="newer"):
        registry.push(made("2.0.0"))
