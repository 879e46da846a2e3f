"""Lists of checksums beside a model that Sekisho did not write: what they say, and where the bytes differ."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from sekisho.probes.resources.artifacts import ModelFiles, file_digest

MOST_BYTES: Final = 4 * 1024 * 1024
_LINE: Final = re.compile(r"^(?P<digest>[0-9a-fA-F]{64})(?:\s+[*]?(?P<name>\S.*))?$")
_DIGEST: Final = re.compile(r"^(?:sha256[:-])?(?P<digest>[0-9a-fA-F]{64})$")
_NAMES: Final = ("name", "path", "file", "filename")
_SUMS: Final = ("sha256", "digest", "checksum", "hash")


def broken_sums(files: ModelFiles) -> tuple[bool, tuple[str, ...]]:
    """Return whether there is a list of checksums, and the files that are missing or not what it says."""
    stated = {name: digest for path in files.files for name, digest in _stated(path, files)}
    broken = []
    for name, digest in sorted(stated.items()):
        path = files.root / name
        if not path.is_file():
            broken.append(f"{name}: it is missing")
        elif file_digest(path) != digest:
            broken.append(f"{name}: its digest is another one")
    return bool(stated), tuple(broken)


def _stated(path: Path, files: ModelFiles) -> Iterator[tuple[str, str]]:
    """Yield the names and digests that one file states, if it is a list of them."""
    name = path.name.lower()
    if path.stat().st_size > MOST_BYTES:
        return
    if name.endswith(".sha256") or name in {"sha256sums", "sha256sums.txt", "checksums.txt"}:
        own = files.name(path).removesuffix(".sha256")
        for line in path.read_text("utf-8", "replace").splitlines():
            found = _LINE.match(line.strip())
            if found:
                beside = path.relative_to(files.root).parent / found["name"] if found["name"] else Path(own)
                yield beside.as_posix(), found["digest"].lower()
    elif "manifest" in name and name.endswith(".json"):
        try:
            content = msgspec.json.decode(path.read_bytes())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        yield from _in_json(content, files)


def _in_json(value: object, files: ModelFiles) -> Iterator[tuple[str, str]]:
    """Yield pairs of a manifest: objects with a name and a digest, or names that map to digests."""
    if isinstance(value, list):
        for inner in value:
            yield from _in_json(inner, files)
    if not isinstance(value, Mapping):
        return
    named = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), None)
    summed = next((value[key] for key in _SUMS if isinstance(value.get(key), str)), None)
    if isinstance(named, str) and isinstance(summed, str) and (found := _DIGEST.match(summed)):
        yield named, found["digest"].lower()
        return
    known = {files.name(path) for path in files.files}
    for key, inner in value.items():
        digest = inner.get("sha256", inner.get("digest")) if isinstance(inner, Mapping) else inner
        if isinstance(digest, str) and ("." in str(key) or key in known) and (found := _DIGEST.match(digest)):
            yield str(key), found["digest"].lower()
        else:
            yield from _in_json(inner, files)
