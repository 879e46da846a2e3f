"""Files that say which distributions are installed: what each line fixes, and what it leaves open.

Read are pip's requirements, ``uv.lock``, ``poetry.lock``, ``pdm.lock``, ``Pipfile.lock``, ``pylock.toml`` (PEP 751), ``conda-lock.yml`` and
conda's ``environment.yml``.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import platform
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from sekisho.artifact.lock import normalised

Fault = Literal["open", "no hash", "bad hash", "option", "address", "editable", "twice", "python", "unreadable"]

NAMES: Final = (
    *("requirements.lock", "requirements.txt", "uv.lock", "pylock.toml", "poetry.lock", "pdm.lock", "Pipfile.lock"),
    *("conda-lock.yml", "conda-lock.yaml"),
    *("requirements-lock.txt", "requirements/prod.txt", "requirements/production.txt", "conda.yaml", "environment.yml"),
)
"""Where a lock is looked for, the surest first."""

_NAME: Final = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_PIN: Final = re.compile(rf"^(?P<name>{_NAME})\s*(?:\[[^\]]*\])?\s*={{2,3}}\s*(?P<version>[A-Za-z0-9.!+_-]+)$")
_OPEN: Final = re.compile(rf"^(?P<name>{_NAME})")
_HASH: Final = re.compile(r"--hash[=\s]+(\S+)")
_LENGTHS: Final = {"sha256": 64, "sha384": 96, "sha512": 128}
"""The digits of each algorithm that is strong enough: pip takes no other."""
_OF_NOTHING: Final = ("0" * 64, hashlib.sha256(b"").hexdigest())
_HARMLESS: Final = ("--require-hashes", "--only-binary", "--no-binary", "--prefer-binary")
_MOST_INCLUDED: Final = 20
_PLATFORM: Final = "linux-aarch64" if platform.machine() == "aarch64" else "linux-64"


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
        applies: Whether its marker, if it has one, holds on this platform.

    """

    name: str
    version: str | None
    hashed: bool
    marked: bool
    fault: Fault | None
    line: int
    applies: bool = True


def read_requirements(path: Path) -> list[Requirement]:
    """Return every requirement of a lock, whatever its make; one that cannot be read has that fault."""
    readers = {"uv.lock": _uv, "poetry.lock": _poetry, "pdm.lock": _pdm, "Pipfile.lock": _pipfile}
    try:
        if path.name in readers or re.fullmatch(r"pylock(\..+)?\.toml", path.name):
            text = _text(path)
            content = json.loads(text) if path.name == "Pipfile.lock" else tomllib.loads(text)
            found = list(readers.get(path.name, _pylock)(content))
        elif path.suffix in {".yaml", ".yml"}:
            found = list(_conda(path))
        else:
            found = list(_lines(path, 0))
    except (OSError, ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return [Requirement(name=path.name, version=None, hashed=False, marked=False, fault="unreadable", line=0)]
    return list(_agreeing(found))


def _text(path: Path) -> str:
    """Return a file as text: a mark at its beginning tells UTF-16, as some shells write it."""
    data = path.read_bytes()
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if wide else "utf-8-sig")


def _agreeing(found: list[Requirement]) -> Iterator[Requirement]:
    """Yield all of them; one that contradicts an earlier one on the same platform has that fault."""
    versions: dict[str, str] = {}
    for each in found:
        if (
            each.version is None
            or each.marked
            or each.fault == "python"
            or versions.setdefault(each.name, each.version) == each.version
        ):
            yield each
        else:
            yield replace(each, fault="twice")


def _lines(path: Path, depth: int) -> Iterator[Requirement]:
    """Yield the requirements of a file in pip's format (https://pip.pypa.io/en/stable/reference/requirements-file-format/)."""
    start, words = 1, ""
    for number, raw in enumerate([*_text(path).splitlines(), ""], start=1):
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
    hashes = _HASH.findall(words)
    hashed = bool(hashes)
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
        fault = _hashed(hashes)
    named = _OPEN.match(spec.strip())
    return Requirement(
        name=normalised(named["name"]) if named and fault not in {"option", "editable"} else words[:80],
        version=pin["version"] if pin is not None else None,
        hashed=hashed,
        marked=bool(marker.strip()),
        fault=fault,
        line=number,
        applies=_holds(marker),
    )


def _hashed(hashes: list[str]) -> Fault | None:
    if not hashes:
        return "no hash"
    return None if all(map(_is_strong, hashes)) else "bad hash"


def _is_strong(words: str) -> bool:
    """Return whether a hash is of an algorithm that nobody can forge, whole, and not that of an empty file."""
    algorithm, _, digits = words.partition(":")
    right = len(digits) == _LENGTHS.get(algorithm) and re.fullmatch(r"[0-9a-fA-F]+", digits) is not None
    return right and digits.lower() not in _OF_NOTHING


def _holds(marker: str) -> bool:
    """Return whether a marker holds on this platform; one that cannot be read here is taken to."""
    if not marker.strip():
        return True
    try:
        from packaging.markers import InvalidMarker, Marker, UndefinedEnvironmentName
    except ImportError:
        return True
    try:
        return Marker(marker.strip()).evaluate({"extra": ""})
    except (InvalidMarker, UndefinedEnvironmentName, ValueError):
        return True


def _python(stated: object) -> Iterator[Requirement]:
    """Yield a fault when a lock is made for other versions of Python than this one."""
    if not isinstance(stated, str) or not stated.strip():
        return
    try:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet
    except ImportError:
        return
    try:
        fits = any(
            SpecifierSet(part.strip()).contains(platform.python_version(), prereleases=True)
            for part in stated.split("||")
        )
    except InvalidSpecifier:
        return  # such as Poetry's ^3.11, which is no standard
    if not fits:
        yield Requirement(name=f"Python {stated}", version=None, hashed=False, marked=False, fault="python", line=0)


def _locked(
    name: str, version: object, *, hashes: list[str], marker: object = "", marked: bool = False, address: bool
) -> Requirement:
    fault: Fault | None = "address" if address else "open" if not version else _hashed(hashes)
    words = marker if isinstance(marker, str) else ""
    return Requirement(
        name=normalised(name),
        version=str(version) if version else None,
        hashed=bool(hashes),
        marked=marked or bool(marker),
        fault=fault,
        line=0,
        applies=_holds(words),
    )


def _hashes(files: Iterable[Any]) -> list[str]:
    """Return the hash of each file; an empty one where a file has none."""
    return [str(file.get("hash") or "") for file in files]


def _uv(content: Mapping[str, Any]) -> Iterator[Requirement]:
    yield from _python(content.get("requires-python"))
    for package in content["package"]:
        source = package.get("source", {})
        if {"virtual", "editable"} & set(source):
            continue  # the project itself
        files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())]
        yield _locked(
            package["name"],
            package.get("version"),
            hashes=_hashes(files),
            marked=bool(package.get("resolution-markers")),
            address="registry" not in source,
        )


def _poetry(content: Mapping[str, Any]) -> Iterator[Requirement]:
    described = content.get("metadata", {})
    yield from _python(described.get("python-versions"))
    for package in content["package"]:
        # Before Poetry 1.3 the files stood together at the end.
        files = package.get("files") or described.get("files", {}).get(package["name"], ())
        yield _locked(
            package["name"],
            package.get("version"),
            hashes=_hashes(files),
            marker=package.get("markers", ""),
            address=package.get("source", {}).get("type") in {"git", "url", "file", "directory"},
        )


def _pdm(content: Mapping[str, Any]) -> Iterator[Requirement]:
    described = content.get("metadata", {})
    yield from _python(next((each.get("requires_python") for each in described.get("targets", ())), None))
    for package in content["package"]:
        yield _locked(
            package["name"],
            package.get("version"),
            hashes=_hashes(package.get("files", ())),
            marker=package.get("marker", ""),
            address=bool({"git", "url", "path", "hg", "svn"} & set(package)),
        )


def _pylock(content: Mapping[str, Any]) -> Iterator[Requirement]:
    yield from _python(content.get("requires-python"))
    for package in content["packages"]:
        files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())]
        strongest = [{"hash": next(iter(sorted(_pairs(file), reverse=True)), "")} for file in files]
        yield _locked(
            package["name"],
            package.get("version"),
            hashes=_hashes(strongest),
            marker=package.get("marker", ""),
            address=bool({"vcs", "directory", "archive"} & set(package)),
        )


def _pairs(file: Mapping[str, Any]) -> list[str]:
    return [f"{algorithm}:{digits}" for algorithm, digits in file.get("hashes", {}).items()]


def _pipfile(content: Mapping[str, Any]) -> Iterator[Requirement]:
    stated = content.get("_meta", {}).get("requires", {})
    version = stated.get("python_full_version") or stated.get("python_version")
    yield from _python(f"=={version}" if stated.get("python_full_version") else f"=={version}.*" if version else None)
    for name, package in content["default"].items():
        yield _locked(
            name,
            str(package.get("version", "")).removeprefix("=="),
            hashes=[str(each) for each in package.get("hashes", ())],
            marker=package.get("markers", ""),
            address=bool({"git", "path", "file"} & set(package)),
        )


def _conda(path: Path) -> Iterator[Requirement]:
    """Yield what conda is asked for, which fixes no bytes, or what conda-lock has found, which does."""
    import yaml

    content = yaml.safe_load(_text(path))
    if "package" in content:
        yield from _conda_lock(content["package"])
        return
    for entry in content["dependencies"]:
        for words in entry.get("pip", ()) if isinstance(entry, Mapping) else (entry,):
            name, _, rest = str(words).partition("=")
            yield _locked(name.strip(), rest.strip("= ").split("=")[0], hashes=[], address=False)


def _conda_lock(packages: Iterable[Mapping[str, Any]]) -> Iterator[Requirement]:
    for package in packages:
        sums = package.get("hash", {})
        strong = (
            [f"sha256:{sums['sha256']}"] if sums.get("sha256") else [f"md5:{sums['md5']}"] if sums.get("md5") else []
        )
        if package.get("platform", _PLATFORM) == _PLATFORM:
            yield _locked(package["name"], package.get("version"), hashes=strong, address=False)
