"""Garbage collection: what no version needs goes, and only that.

Every version that was ever published is needed by its history, which says what was live at any moment; so content goes only when no event of
any model leads to it, as it is left behind by a publication that was broken off. What is younger than the grace stays, and what somebody is
publishing now is not touched (see the stores for how they keep each other away).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from sekisho.artifact.registry.content import CONTENT, content_key, files_of
from sekisho.artifact.registry.history import History, model_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.artifact.stores.interface import Entry, Store

GRACE_SECONDS: Final = 86_400.0
_BATCH: Final = 500


class Collection(msgspec.Struct, frozen=True, kw_only=True):
    """What went, or would go.

    Attributes:
        keys: What.
        size: How many bytes that is.
        kept: How much content is needed.
        dry_run: Whether nothing was removed.

    """

    keys: tuple[str, ...]
    size: int
    kept: int
    dry_run: bool


def collect(store: Store, *, grace_seconds: float, dry_run: bool) -> Collection:
    """Remove what nobody needs.

    Raises:
        IntegrityError: A history or manifest is damaged; nothing was removed.
        RegistryError: The store cannot be written, or somebody is publishing.

    """
    if dry_run:
        return _collected(store, grace_seconds, dry_run=True)[0]
    with store.collecting() as still_alone:
        found, garbage = _collected(store, grace_seconds, dry_run=False)
        for start in range(0, len(garbage), _BATCH):
            still_alone()
            store.remove([entry.key for entry in garbage[start : start + _BATCH]])
    return found


def _collected(store: Store, grace_seconds: float, *, dry_run: bool) -> tuple[Collection, list[Entry]]:
    # Listed before the histories are read: what is published meanwhile is then found to be needed, not the other way round.
    listed = [entry for entry in store.entries(CONTENT) if entry.age >= grace_seconds]
    needed = set(_needed(store)) | store.under_way()
    garbage = [entry for entry in listed if entry.key not in needed]
    garbage += [entry for entry in store.leftovers() if entry.age >= grace_seconds]
    found = Collection(
        keys=tuple(entry.key for entry in garbage),
        size=sum(entry.size for entry in garbage),
        kept=len(needed),
        dry_run=dry_run,
    )
    return found, garbage


def _needed(store: Store) -> Iterator[str]:
    for name in model_names(store):
        history = History(store, name)
        # Signatures that later ones took the place of belong to the history too.
        yield from (content_key(event.envelope) for event in history.whole() if event.envelope is not None)
        for held in history.state().versions.values():
            yield from (content_key(digest) for digest, _ in files_of(store, held).values())
