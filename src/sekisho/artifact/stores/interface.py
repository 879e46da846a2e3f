"""What a registry asks of the place where it lies.

A store knows nothing of models. It keeps small records under keys that are paths of plain names, and large content whose key names its own
SHA-256. Whatever happens to a writer, a reader finds all of a record or content, or none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sekisho.errors import RegistryError
from sekisho.text import Text


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What a store holds under one key.

    Attributes:
        key: The key.
        size: In bytes.
        age: Seconds since it was written, by the clock of the store.

    """

    key: str
    size: int
    age: float


class Store(Protocol):
    """One place. Every method raises :class:`~sekisho.errors.RegistryError` when the place cannot be read or written."""

    @property
    def location(self) -> str:
        """Its address, as messages show it."""
        ...

    def read(self, key: str, *, most_bytes: int) -> bytes | None:
        """Return a record; ``None`` if there is none.

        Raises:
            RegistryError: It is larger than ``most_bytes``, or no plain file.

        """
        ...

    def create(self, key: str, data: bytes) -> bool:
        """Write a record unless there is one; of several writers at once, exactly one is told that it did."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Write a record that can be made again, in the place of one that is there; it may be lost with the machine's power."""
        ...

    def entries(self, prefix: str, *, after: str = "") -> Iterator[Entry]:
        """Yield what lies under keys that begin with ``prefix`` (which ends with ``/``), those after ``after``, in order."""
        ...

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names of the folders right below ``prefix``, in order."""
        ...

    def size(self, key: str) -> int | None:
        """Return the size of a record or content; ``None`` if there is none."""
        ...

    def keep(self, key: str, source: Path, digest: str) -> None:
        """Copy a file to the key of its digest; content that is there already is used again, if it is whole.

        Raises:
            IntegrityError: The file is not what ``digest`` says.

        """
        ...

    def chunks(self, key: str) -> Iterator[bytes] | None:
        """Return the bytes of content in pieces; ``None`` if there is none."""
        ...

    def remove(self, keys: Collection[str]) -> None:
        """Remove what lies under ``keys``; one that is gone already is no error."""
        ...

    def publishing(self, keys: Collection[str]) -> AbstractContextManager[None]:
        """Keep garbage collection away from ``keys`` while they are written and nothing refers to them yet."""
        ...

    def collecting(self) -> AbstractContextManager[Callable[[], None]]:
        """Keep publishers away while content is removed; the function that it gives is called before each removal."""
        ...

    def under_way(self) -> frozenset[str]:
        """Return the keys that publishers are writing now, as far as the store does not keep them away."""
        ...

    def leftovers(self) -> Iterator[Entry]:
        """Yield what writers left behind that never became a record or content; their keys can be removed."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreKind:
    """One unit of the shelf.

    Attributes:
        id: Its name.
        title: What it is.
        takes: Whether an address is one of its own.
        open: Opens the store at such an address; the second argument is the endpoint to speak to, where there is one.

    """

    id: str
    title: Text
    takes: Callable[[str], bool]
    open: Callable[[str, str | None], Store]


def read_only(location: str, reason: str) -> RegistryError:
    """Return the error for a registry that cannot be written."""
    return RegistryError(
        Text(
            en=f"the registry cannot be written ({reason}); nothing was changed, and reading goes on",
            ja=f"レジストリに書き込めません（{reason}）。何も変更していません。読み取りは続けられます",
        ),
        Text(
            en="publish with an account that may write there, or make room",
            ja="書き込み権限のあるアカウントで実行するか、空き容量を確保してください",
        ),
        where=location,
    )


def unreadable(location: str, reason: str) -> RegistryError:
    """Return the error for a registry that cannot be read."""
    return RegistryError(
        Text(en=f"the registry cannot be read ({reason})", ja=f"レジストリを読めません（{reason}）"),
        Text(en="check that it is there and that you may read it", ja="存在と読み取り権限を確認してください"),
        where=location,
    )


def occupied(location: str) -> RegistryError:
    """Return the error for a registry in which somebody alive does what cannot go on at the same time."""
    return RegistryError(
        Text(
            en="somebody is publishing or collecting garbage there right now",
            ja="他の人が登録または不要データの回収を実行中です",
        ),
        Text(en="try again in a minute", ja="少し待ってから再実行してください"),
        where=location,
    )
