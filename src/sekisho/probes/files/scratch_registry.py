"""A registry of the same kind as the real one, made to be tried and thrown away: other bytes under a version, an alias moved under readers."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sekisho.artifact.folder import write_folder
from sekisho.artifact.manifest import manifest_of
from sekisho.artifact.registry.opening import open_store
from sekisho.artifact.registry.registry import Registry
from sekisho.errors import Conflict, SekishoError

SECONDS: Final = 0.6
"""How long the alias is moved."""
FEWEST_MOVES: Final = 20
MOST_MOVES: Final = 500
READERS: Final = 4
_NAME: Final = "trial"


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """What came of trying.

    Attributes:
        refused: Whether other bytes under a published version were refused, and the first ones stayed; also by the store itself, when
            it was asked to write a record that was there.
        moves: How often the alias was moved.
        reads: How often it was read meanwhile.
        torn: How many reads saw anything but what it stood for before or after a move.

    """

    refused: bool
    moves: int
    reads: int
    torn: int


def try_registry(location: str) -> Trial:
    """Try a scratch registry beside ``location``: in a temporary folder, or below a prefix of the same bucket.

    Raises:
        SekishoError: It could not be made.

    """
    with tempfile.TemporaryDirectory(prefix="sekisho-") as folder, _scratch(location, Path(folder)) as scratch:
        registry = Registry(scratch, cache=Path(folder) / "cache")
        first, other, second = (
            written(Path(folder) / content, version, content)
            for version, content in (("1.0.0", "first"), ("1.0.0", "other"), ("2.0.0", "second"))
        )
        digests = {
            published.version: published.digest
            for published in (registry.push(each).version for each in (first, second))
        }
        refused = (
            _gives_one_writer(scratch)
            and _is_refused(registry, other)
            and registry.resolve(f"{_NAME}@1.0.0").digest == digests["1.0.0"]
        )
        registry.promote(f"{_NAME}@1.0.0")
        moves, reads, torn = _move_under_readers(registry, scratch, digests)
    return Trial(refused=refused, moves=moves, reads=reads, torn=torn)


def written(folder: Path, version: str, content: str, *, name: str = _NAME) -> Path:
    """Write a small artifact that holds no model, and return its folder."""
    files = {"content.json": f'"{content}"'.encode()}
    write_folder(folder, manifest_of(files, name=name, version=version, runtime="none", written_by="0"), files)
    return folder


def _gives_one_writer(scratch: str) -> bool:
    """Return whether the store itself gives a record to the first writer alone: all else stands on that."""
    store = open_store(scratch)
    first, second = (store.create("under-way/trial", word) for word in (b"first", b"second"))
    return first and not second and store.read("under-way/trial", most_bytes=100) == b"first"


def _is_refused(registry: Registry, folder: Path) -> bool:
    try:
        registry.push(folder)
    except Conflict:
        return True
    return False


def _move_under_readers(registry: Registry, scratch: str, digests: dict[str, str]) -> tuple[int, int, int]:
    """Return how often the alias was moved, how often it was read, and how many reads saw what cannot be."""
    done = threading.Event()
    seen: list[list[bool]] = [[] for _ in range(READERS)]

    def read(mine: list[bool]) -> None:
        reader = Registry(scratch)
        while not done.is_set():
            try:
                found = reader.resolve(f"{_NAME}@champion")
                mine.append(digests.get(found.version) == found.digest)
            except SekishoError:
                mine.append(False)

    threads = [threading.Thread(target=read, args=(mine,), daemon=True) for mine in seen]
    for thread in threads:
        thread.start()
    ends, moves = time.monotonic() + SECONDS, 0
    try:
        while moves < FEWEST_MOVES or (moves < MOST_MOVES and time.monotonic() < ends):
            registry.promote(f"{_NAME}@{'2.0.0' if moves % 2 == 0 else '1.0.0'}")
            moves += 1
    finally:
        done.set()
        for thread in threads:
            thread.join()
    return moves, sum(map(len, seen)), sum(mine.count(False) for mine in seen)


@contextlib.contextmanager
def _scratch(location: str, folder: Path) -> Iterator[str]:
    if not location.startswith("s3://"):
        yield str(folder / "registry")
        return
    scratch = f"{location.rstrip('/')}/scratch-{secrets.token_hex(8)}"
    try:
        yield scratch
    finally:
        store = open_store(scratch)
        with contextlib.suppress(SekishoError):
            store.remove([entry.key for entry in store.entries("")])
