"""The Dockerfile: what it starts from, as whom it runs, and what it lets in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from sekisho.contract.project import Project
from sekisho.gate.probe import probe
from sekisho.text import Text

NAMES: Final = ("Dockerfile", "Containerfile", "docker/Dockerfile")
LARGEST_FILE: Final = 1024 * 1024
PACKAGE: Final = re.compile(r"(?!.*\.(?:whl|gz)$)[A-Za-z][\w.-]*(?:\[[\w,-]+\])?(?:[<>~!].*)?")
"""A package without an exact version."""
INSTALLERS: Final = {"pip", "setuptools", "wheel", "uv"}
TAKES_VALUE: Final = {
    "-c",
    "-t",
    "-i",
    "--constraint",
    "--target",
    "--index-url",
    "--extra-index-url",
    "--find-links",
    "--prefix",
}

Rule = Literal[
    "runs as root", "base without a version", "fetched code is run", "secret in the image", "whole context copied"
]


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageFault:
    """One line that breaks a rule.

    Attributes:
        line: From 1; 0 for what is missing.
        rule: Which.

    """

    line: int
    rule: Rule


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageRules:
    """What the Dockerfile does against the rules.

    Attributes:
        file: From the project's folder; ``None``: there is none.
        user: As whom the last stage runs; ``None``: root, because nothing else is said.
        digest: Whether the last stage starts from an image fixed by its digest.
        faults: The lines.
        installs: What the last stage and those before it install from a package index: lists by name, and packages without a version.

    """

    file: str | None
    user: str | None
    digest: bool
    faults: tuple[ImageFault, ...]
    installs: tuple[str, ...] = ()


@probe("security/image-rules", title=Text(en="Read the Dockerfile", ja="Dockerfile を確認"), seconds=0.2)
def image_rules(project: Project) -> ImageRules:
    """Read the Dockerfile of the contract, or one with a usual name."""
    named = project.contract.infrastructure.dockerfile
    name = next((each for each in ((named,) if named else NAMES) if project.path(each).is_file()), None)
    if name is None:
        return ImageRules(file=None, user=None, digest=False, faults=())
    with project.path(name).open("rb") as stream:
        text = stream.read(LARGEST_FILE).decode("utf-8", "replace")
    ignores = any(project.path(each).is_file() for each in (".dockerignore", f"{name}.dockerignore"))
    return rules_of(text, file=name, ignores=ignores)


def rules_of(text: str, *, file: str, ignores: bool) -> ImageRules:
    """Return what a Dockerfile does against the rules.

    Args:
        text: The Dockerfile.
        file: Its name.
        ignores: Whether a ``.dockerignore`` stands beside it.

    """
    steps = list(_instructions(text))
    arguments = dict(_arguments(steps))
    last = max((index for index, (_, word, _) in enumerate(steps) if word == "FROM"), default=0)
    base = _image(steps[last][2], arguments) if steps else ""
    users = [rest for _, word, rest in steps[last:] if word == "USER"]
    user = users[-1].split(":")[0].strip() if users else None
    faults = [*_bases(steps, arguments), *_lines(steps, ignores=ignores)]
    if user is None or user in {"root", "0", ""}:
        faults.append(ImageFault(line=0, rule="runs as root"))
    installs = tuple(dict.fromkeys(each for _, word, rest in steps if word == "RUN" for each in _installs(rest)))
    return ImageRules(file=file, user=user, digest="@sha256:" in base, faults=tuple(faults), installs=installs)


def _installs(command: str) -> Iterator[str]:
    """Yield the lists, and the packages without an exact version, that a command installs."""
    for found in re.finditer(r"\bpip3?\s+install\s+([^;&|]*)", command):
        words = iter(found[1].replace("=", " ", 1).split() if "--requirement=" in found[1] else found[1].split())
        for word in words:
            if word in {"-r", "--requirement"}:
                yield next(words, "").strip("\"'")
            elif word in TAKES_VALUE:
                next(words, "")
            elif PACKAGE.fullmatch(word.strip("\"'")) and word.lower() not in INSTALLERS:
                yield word


def _instructions(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, instruction in capitals, and the rest; continued lines as one."""
    start, words = 0, ""
    for number, raw in enumerate(text.splitlines(), start=1):
        if raw.lstrip().startswith("#") or (not raw.strip() and not words):
            continue
        start = start or number
        words += raw.rstrip().removesuffix("\\") + " "
        if raw.rstrip().endswith("\\"):
            continue
        instruction, _, rest = words.strip().partition(" ")
        yield start, instruction.upper(), rest.strip()
        start, words = 0, ""


def _arguments(steps: list[tuple[int, str, str]]) -> Iterator[tuple[str, str]]:
    for _, word, rest in steps:
        if word == "ARG" and "=" in rest:
            name, _, value = rest.partition("=")
            yield name.strip(), value.strip().strip("\"'")


def _image(rest: str, arguments: dict[str, str]) -> str:
    words = [word for word in rest.split() if not word.startswith("--")]
    image = words[0] if words else ""
    for name, value in arguments.items():
        image = image.replace(f"${{{name}}}", value).replace(f"${name}", value)
    return image


def _bases(steps: list[tuple[int, str, str]], arguments: dict[str, str]) -> Iterator[ImageFault]:
    stages: set[str] = {"scratch"}
    for line, word, rest in steps:
        if word != "FROM":
            continue
        image = _image(rest, arguments)
        tag = image.rpartition("/")[2].partition(":")[2]
        if image not in stages and "@sha256:" not in image and tag in {"", "latest"}:
            yield ImageFault(line=line, rule="base without a version")
        if (name := re.search(r"\sAS\s+(\S+)", rest, re.IGNORECASE)) is not None:
            stages.add(name[1])


def _lines(steps: list[tuple[int, str, str]], *, ignores: bool) -> Iterator[ImageFault]:
    for line, word, rest in steps:
        fetched = re.search(r"\b(curl|wget)\b[^|;&]*\|\s*(sudo\s+)?(ba|z|da)?sh\b", rest)
        if (word == "RUN" and fetched) or (word == "ADD" and re.search(r"\bhttps?://", rest)):
            yield ImageFault(line=line, rule="fetched code is run")
        if word in {"COPY", "ADD"} and _takes_secret(rest):
            yield ImageFault(line=line, rule="secret in the image")
        if word in {"COPY", "ADD"} and not ignores and "--from" not in rest and rest.split()[:1] in (["."], ["./"]):
            yield ImageFault(line=line, rule="whole context copied")


def _takes_secret(rest: str) -> bool:
    sources = [word for word in rest.split() if not word.startswith("--")][:-1]
    return any(
        re.search(
            r"(^|/)(\.env(\.\w+)?|secrets?|id_(rsa|ed25519)|\.aws|\.ssh|\.netrc|\.pypirc)(/|$)|\.(pem|key)$", source
        )
        for source in sources
    )
