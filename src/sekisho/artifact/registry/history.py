"""The history of one model as it lies in a store: one record an event, and the state that follows from them.

To add an event is to create the record with the next number, which a store gives to one writer alone. So everything that could be raced for (a
version, an alias) is decided at one place, and there is no moment at which an alias has moved and the history does not say so.
"""

from __future__ import annotations

import contextlib
import random
import re
import time
from typing import TYPE_CHECKING, Final

from sekisho.artifact.registry import events, state
from sekisho.artifact.registry.events import Event, damaged, event_of, read_event
from sekisho.artifact.registry.names import fits
from sekisho.artifact.registry.state import State, read_state
from sekisho.artifact.stores.interface import occupied
from sekisho.errors import ArtifactError, RegistryError
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sekisho.artifact.registry.events import Deeds
    from sekisho.artifact.stores.interface import Store

HISTORY: Final = "history/"
INDEX: Final = "index/"
_RECORD: Final = re.compile(r".*/(\d{10})\.json")
_ATTEMPTS: Final = 1_000


def model_names(store: Store) -> tuple[str, ...]:
    """Return the names of all models that anything has ever happened to; also of one whose history somebody has taken away."""
    names = {name for name in store.names(HISTORY) if next(iter(store.entries(f"{HISTORY}{name}/")), None) is not None}
    names |= {entry.key.removeprefix(INDEX).removesuffix(".json") for entry in store.entries(INDEX)}
    return tuple(sorted(name for name in names if fits("name", name)))


class History:
    """What happened to the model ``name``."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name
        self.index_key: Final = f"{INDEX}{name}.json"

    def state(self) -> State:
        """Return what holds now.

        Raises:
            IntegrityError: The history has a gap, was cut short, or was changed.
            RegistryError: The store cannot be read.

        """
        known = self._index() or State(name=self._name)
        if known.sequence:
            self._check_index(known)
        return known.after(self.events(after=known.sequence), where=self._where())

    def events(self, *, after: int = 0) -> Iterator[Event]:
        """Yield the events behind number ``after``, in order; that they are a chain is for the caller to see.

        Raises:
            IntegrityError: One is damaged or missing.
            RegistryError: The store cannot be read.

        """
        expected = after + 1
        for entry in self._store.entries(f"{HISTORY}{self._name}/", after=self.key(after)):
            found = _RECORD.fullmatch(entry.key)
            if found is None:
                continue
            # A record written while the folder was listed may show before one that is older.
            for sequence in range(expected, min(int(found[1]), expected + _ATTEMPTS) + 1):
                yield self._event(sequence)
            expected = max(expected, int(found[1]) + 1)

    def whole(self) -> tuple[Event, ...]:
        """Return every event, oldest first, once they have been found to be a chain that leads to the state.

        Raises:
            IntegrityError: They are not.

        """
        self.state()  # also says if the newest are missing
        found = tuple(self.events())
        State(name=self._name).after(found, where=self._where())
        return found

    def append(self, decide: Callable[[State], Deeds | None]) -> Event | None:
        """Write what ``decide`` makes of the state, and return it; if another writer was first, it is asked again.

        Args:
            decide: Returns ``None`` when there is nothing to write, and raises when it must not be.

        Raises:
            RegistryError: The store cannot be read or written.

        """
        for attempt in range(_ATTEMPTS):
            now = self.state()
            deed = decide(now)
            if deed is None:
                return None
            event = event_of(deed, self._name, sequence=now.sequence + 1, previous=now.hash, not_before=now.at)
            after = now.after([event], where=self._where())
            if self._store.create(self.key(event.sequence), event.encoded()):
                with contextlib.suppress(RegistryError):  # the event is written: the state can be made of it again
                    self._store.put(self.index_key, after.encoded())
                return event
            time.sleep(random.uniform(0, min(0.2, 0.002 * (attempt + 1))))  # noqa: S311
        raise occupied(self._where())

    def rebuild(self) -> State:
        """Make the state of the whole history, and write it.

        Raises:
            IntegrityError: The history is damaged.

        """
        whole = State(name=self._name).after(self.events(), where=self._where())
        if whole.sequence:
            self._store.put(self.index_key, whole.encoded())
        return whole

    def key(self, sequence: int) -> str:
        """Return the key of the event with a number."""
        return f"{HISTORY}{self._name}/{sequence:010d}.json"

    def _event(self, sequence: int) -> Event:
        key = self.key(sequence)
        data = self._store.read(key, most_bytes=events.MOST_BYTES)
        if data is None:
            raise damaged(
                f"{self._store.location}/{key}",
                Text(en="this record of the history is missing", ja="履歴のこの記録がありません"),
            )
        return read_event(data, where=f"{self._store.location}/{key}")

    def _index(self) -> State | None:
        """Return the state that was kept; ``None`` when it is missing or damaged: it can be made again."""
        data = self._store.read(self.index_key, most_bytes=state.MOST_BYTES)
        if data is None:
            return None
        try:
            return read_state(data, self._name, where=self.index_key)
        except ArtifactError:
            return None

    def _check_index(self, known: State) -> None:
        """Refuse a history that is shorter than the kept state, or another: somebody has taken something out of it."""
        if self._event(known.sequence).hash != known.hash:
            raise damaged(
                f"{self._store.location}/{self.index_key}",
                Text(
                    en="the history is not the one that this was made of",
                    ja="履歴が、この索引の元になったものと異なります",
                ),
            )

    def _where(self) -> str:
        return f"{self._store.location}/{HISTORY}{self._name}"
