"""Files that say which distributions are installed: what each line fixes, and what it leaves open.

Read are pip's requirements, ``uv.lock``, ``poetry.lock``, ``Pipfile.lock`` and ``pylock.toml`` (PEP 751).
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from sekisho.artifact.lock import normalised

Fault = Literal["open", "no hash", "option", "address", "editable", "unreadable"]

NAMES: Final = (
    *("requirements.lock", "requirements.txt", "uv.lock", "pylock.toml", "poetry.lock", "Pipfile.lock"),
    *("requirements-lock.txt", "requirements/prod.txt", "requirements/production.txt", "conda.yaml", "environment.yml"),
)
"""Where a lock is looked for, the surest first."""

_NAME: Final = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_PIN: Final = re.compile(rf"^(?P<name>{_NAME})\s*(?:\[[^\]]*\])?\s*={{2,3}}\s*(?P<version>[A-Za-z0-9.!+_-]+)$")
_OPEN: Final = re.compile(rf"^(?P<name>{_NAME})")
_HASH: Final = re.compile(r"--hash[=\s]+(?:sha256|sha384|sha512):[0-9a-fA-F]{64,}")
_HARMLESS: Final = ("--require-hashes", "--only-binary", "--no-binary", "--prefer-binary")
_MOST_INCLUDED: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirement:
    """One distribution of a lock.

    Attributes:
        name: Its normal name; of a line that names none, the line.
        version: Its exact version; ``None`` when it is left open.
        hashed: Whether its files are fixed by hashes.
        marked: Whether it is for some platforms or versions of Python only.
        fault: What is wrong with it; ``None`` when it fixes one set of files.
        line: Where it stands, from 1; 0 in files that are not read by lines.

    """

    name: str
    version: str | None
    hashed: bool
    marked: bool
    fault: Fault | None
    line: int


def read_requirements(path: Path) -> list[Requirement]:
    """Return every requirement of a lock, whatever its make; one that cannot be read has that fault."""
    readers = {"uv.lock": _uv, "poetry.lock": _poetry, "pylock.toml": _pylock, "Pipfile.lock": _pipfile}
    try:
        if path.name in readers:
            text = path.read_text("utf-8")
            content = json.loads(text) if path.name == "Pipfile.lock" else tomllib.loads(text)
            return list(readers[path.name](content))
        if path.suffix in {".yaml", ".yml"}:
            return list(_conda(path))
        return list(_lines(path, 0))
    except (OSError, ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return [Requirement(name=path.name, version=None, hashed=False, marked=False, fault="unreadable", line=0)]


def _lines(path: Path, depth: int) -> Iterator[Requirement]:
    """Yield the requirements of a file in pip's format (https://pip.pypa.io/en/stable/reference/requirements-file-format/)."""
    start, words = 1, ""
    for number, raw in enumerate([*path.read_text("utf-8-sig").splitlines(), ""], start=1):
        line = re.sub(r"(^|\s)#.*$", "", raw).rstrip()
        if line.endswith("\\"):
            start = number if not words else start
            words += line[:-1] + " "
            continue
        whole, first = (words + line).strip(), start if words else number
        words = ""
        if not whole:
            continue
        included = re.match(r"^(?:-r|--requirement)[\s=]+(.+)$", whole)
        if included and depth < _MOST_INCLUDED:
            yield from _lines(path.parent / included[1].strip(), depth + 1)
        elif not whole.startswith(_HARMLESS):
            yield _line(whole, first)


def _line(words: str, number: int) -> Requirement:
    hashed = bool(_HASH.search(words))
    bare = re.split(r"\s--", words, maxsplit=1)[0].strip()
    spec, _, marker = bare.partition(";")
    pin = _PIN.match(spec.strip())
    fault: Fault | None
    if re.match(r"^(-e|--editable)\b", words):
        fault = "editable"
    elif words.startswith("-"):
        fault = "option"
    elif "@" in spec or "://" in spec or spec.startswith((".", "/")):
        fault = "address"
    elif pin is None or "*" in pin["version"]:
        fault = "open"
    else:
        fault = None if hashed else "no hash"
    named = _OPEN.match(spec.strip())
    return Requirement(
        name=normalised(named["name"]) if named and fault not in {"option", "editable"} else words[:80],
        version=pin["version"] if pin is not None else None,
        hashed=hashed,
        marked=bool(marker.strip()),
        fault=fault,
        line=number,
    )


def _locked(name: str, version: object, *, hashed: bool, marked: bool, address: bool) -> Requirement:
    fault: Fault | None = "address" if address else "open" if not version else None if hashed else "no hash"
    return Requirement(
        name=normalised(name),
        version=str(version) if version else None,
        hashed=hashed,
        marked=marked,
        fault=fault,
        line=0,
    )


def _uv(content: Mapping[str, Any]) -> Iterator[Requirement]:
    for package in content["package"]:
        source = package.get("source", {})
        if {"virtual", "editable"} & set(source):
            continue  # the project itself
        files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())]
        yield _locked(
            package["name"],
            package.get("version"),
            hashed=bool(files) and all(file.get("hash") for file in files),
            marked=bool(package.get("resolution-markers")),
            address="registry" not in source,
        )


def _poetry(content: Mapping[str, Any]) -> Iterator[Requirement]:
    for package in content["package"]:
        files = package.get("files", ())
        yield _locked(
            package["name"],
            package.get("version"),
            hashed=bool(files) and all(file.get("hash") for file in files),
            marked=bool(package.get("markers")),
            address=package.get("source", {}).get("type") in {"git", "url", "file", "directory"},
        )


def _pylock(content: Mapping[str, Any]) -> Iterator[Requirement]:
    for package in content["packages"]:
        files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())]
        yield _locked(
            package["name"],
            package.get("version"),
            hashed=bool(files) and all(file.get("hashes") for file in files),
            marked=bool(package.get("marker")),
            address=bool({"vcs", "directory", "archive"} & set(package)),
        )


def _pipfile(content: Mapping[str, Any]) -> Iterator[Requirement]:
    for name, package in content["default"].items():
        yield _locked(
            name,
            str(package.get("version", "")).removeprefix("=="),
            hashed=bool(package.get("hashes")),
            marked=bool(package.get("markers")),
            address=bool({"git", "path", "file"} & set(package)),
        )


def _conda(path: Path) -> Iterator[Requirement]:
    """Yield what conda is asked for: it knows no hashes in this file."""
    import yaml

    for entry in yaml.safe_load(path.read_text("utf-8"))["dependencies"]:
        for words in entry.get("pip", ()) if isinstance(entry, Mapping) else (entry,):
            name, _, rest = str(words).partition("=")
            yield _locked(name.strip(), rest.strip("= ").split("=")[0], hashed=False, marked=False, address=False)
