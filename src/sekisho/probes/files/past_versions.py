"""Which bytes a version has stood for before: in the history of the project's git, in the book of evidence, and in folders beside it."""

from __future__ import annotations

import contextlib
import hashlib
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from sekisho.artifact import manifest as manifests
from sekisho.errors import LedgerError, NotMeasured, SekishoError
from sekisho.ledger.evidence import EvidenceBook
from sekisho.probes.resources.artifacts import ModelFiles, files_at
from sekisho.probes.resources.written import ENDINGS, MOST_BYTES, read_written

MOST_COMMITS: Final = 100
_NUMBER: Final = re.compile(r"v?\d+([._-]\d+)*([.+-]?[A-Za-z0-9]+)*")


def plain_version(version: str) -> str:
    """Return a version without the ``v`` that some people write before it."""
    version = version.strip()
    return version[1:] if re.match(r"[vV]\d", version) else version


def version_of(files: ModelFiles) -> str | None:
    """Return the version that the files of a model state, or that its folder is named by."""
    manifest = files.root / manifests.NAME
    if manifest in files.files:
        with contextlib.suppress(SekishoError, OSError):
            return manifests.read_manifest(manifest.read_bytes(), where=manifests.NAME).version
    stated = read_written(files, None).find("version")
    if stated is not None:
        return plain_version(str(stated))
    return plain_version(files.root.name) if _NUMBER.fullmatch(files.root.name) else None


def neighbours(files: ModelFiles) -> dict[str, str]:
    """Return the digest of every version that lies in a folder of its number beside this one: ``models/<version>/``."""
    if not _NUMBER.fullmatch(files.root.name):
        return {}
    found: dict[str, str] = {}
    for folder in sorted(files.root.parent.iterdir()):
        if folder.is_dir() and not folder.is_symlink() and _NUMBER.fullmatch(folder.name):
            with contextlib.suppress(NotMeasured, OSError):
                found[plain_version(folder.name)] = files_at(folder).digest
    return found


def recorded(ledger: Path, probe: str, name: str) -> list[dict[str, str]]:
    """Return the digests by version that a probe has seen before, oldest first; nothing from a book that was tampered with."""

    class Fact(msgspec.Struct):
        name: str
        seen: dict[str, str]

    class Row(msgspec.Struct):
        probe: str
        fact: msgspec.Raw

    if not ledger.is_file():
        return []
    found: list[dict[str, str]] = []
    with contextlib.suppress(LedgerError), EvidenceBook(ledger) as book:
        if book.verify():
            return []
        for row in book.rows():
            if probe.encode() not in row.body:
                continue
            with contextlib.suppress(msgspec.DecodeError, msgspec.ValidationError):
                read = msgspec.json.decode(row.body, type=Row)
                fact = msgspec.json.decode(bytes(read.fact), type=Fact) if read.probe == probe else None
                if fact is not None and fact.name == name:
                    found.append(fact.seen)
    return found


def committed(root: Path, path: Path) -> tuple[tuple[str, str], ...]:
    """Return version and digest of what lay at ``path`` in every commit that changed it, oldest first.

    Nothing is returned when it is not in git, or is not as it was committed.
    """
    inside = path.relative_to(root).as_posix()
    git = ["git", "-C", str(root)]
    if _run(*git, "ls-files", "--error-unmatch", "--", inside) is None:
        return ()
    changed = _run(*git, "status", "--porcelain", "--ignored", "--", inside)
    log = _run(*git, "log", "--format=%H", f"--max-count={MOST_COMMITS}", "--", inside)
    if changed is None or changed.strip() or not log:
        return ()
    return tuple(
        found for commit in reversed(log.decode().split()) for found in _at(git, commit, inside, alone=path.is_file())
    )


def _at(git: list[str], commit: str, inside: str, *, alone: bool) -> Iterator[tuple[str, str]]:
    """Yield the version and digest at one commit, if a model lay there; only what may state a version is read.

    The version of a file that is ``alone`` stands in the files beside it.
    """
    parent = inside.rpartition("/")[0]
    where = ("-r", commit, "--", inside) if not alone else (commit, "--", f"{parent}/") if parent else (commit,)
    listed = _run(*git, "ls-tree", "-l", "-z", *where)
    digest = hashlib.sha256()
    with tempfile.TemporaryDirectory(prefix="sekisho-") as folder:
        for entry in (listed or b"").decode(errors="replace").split("\0"):
            facts, _, name = entry.partition("\t")
            mode, _, blob, size = facts.split() if name else ("", "", "", "")
            if not mode.startswith("100") or ".." in Path(name).parts:
                continue
            if not alone or name == inside:
                digest.update(f"{blob}  {name}\n".encode())
            small = name.endswith(ENDINGS) and int(size) <= MOST_BYTES
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((_run(*git, "cat-file", "blob", blob) if small else None) or b"")
        with contextlib.suppress(NotMeasured, OSError):
            version = version_of(files_at(Path(folder) / inside))
            if version is not None:
                yield version, digest.hexdigest()


def _run(*command: str) -> bytes | None:
    try:
        return subprocess.run(command, capture_output=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
