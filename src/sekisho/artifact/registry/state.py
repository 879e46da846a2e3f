"""What follows from the events of one model: its versions, and what every alias stands for.

The state is kept beside the history so that nobody has to read all of it. It is a convenience: it names the event that it was made of, it is made
anew when it is missing or damaged, and :mod:`~sekisho.artifact.registry.audit` compares it with the history itself.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from sekisho.artifact import strict_json
from sekisho.artifact.registry.events import FIRST, Event, damaged
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_BYTES: Final = strict_json.MOST_BYTES


class Held(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version: the digest of its artifact, that of its signatures, and when and by whom it was published."""

    digest: str
    envelope: str | None
    at: str
    by: str


class State(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model after some event.

    Attributes:
        format: The number of this layout.
        name: The model.
        sequence: The last event that it is made of; 0 before the first.
        hash: The hash of that event.
        at: When that was.
        versions: Every version, in the order in which they were published.
        aliases: The version that each alias stands for.
        seal: SHA-256 of the canonical JSON with an empty seal.

    """

    format: Literal[1] = 1
    name: str
    sequence: int = 0
    hash: str = FIRST
    at: str = ""
    versions: dict[str, Held] = msgspec.field(default_factory=dict)
    aliases: dict[str, str] = msgspec.field(default_factory=dict)
    seal: str = ""

    def encoded(self) -> bytes:
        """Return the canonical JSON, sealed."""
        bare = msgspec.structs.replace(self, seal="")
        seal = hashlib.sha256(strict_json.encode(bare)).hexdigest()
        return strict_json.encode(msgspec.structs.replace(bare, seal=seal))

    def after(self, events: Iterable[Event], *, where: str) -> State:
        """Return the state after ``events``, which follow this one without a gap.

        Raises:
            IntegrityError: One does not follow the one before it, or cannot have happened.

        """
        now, versions, aliases = self, dict(self.versions), dict(self.aliases)
        for event in events:
            if event.name != self.name or event.sequence != now.sequence + 1 or event.previous != now.hash:
                raise damaged(where, _breaks(event.sequence))
            _apply(event, versions, aliases, where)
            now = msgspec.structs.replace(now, sequence=event.sequence, hash=event.hash, at=event.at)
        return msgspec.structs.replace(now, versions=versions, aliases=aliases)


def read_state(data: bytes, name: str, *, where: str) -> State:
    """Return the state in ``data``.

    Raises:
        IntegrityError: It is damaged, or of another model.

    """
    state = strict_json.decode(data, State, where=where, most_bytes=MOST_BYTES)
    if state.encoded() != data or state.name != name:
        raise damaged(where, Text(en="is not as it was written", ja="書かれたときのままではありません"))
    return state


def _apply(event: Event, versions: dict[str, Held], aliases: dict[str, str], where: str) -> None:
    held = versions.get(event.version)
    if event.deed == "published":
        possible = held is None and event.alias is None
        versions[event.version] = Held(digest=event.digest, envelope=event.envelope, at=event.at, by=event.by)
    elif held is None or held.digest != event.digest:
        possible = False
    elif event.deed == "signed":
        possible = event.alias is None
        versions[event.version] = msgspec.structs.replace(held, envelope=event.envelope)
    else:
        possible = event.alias is not None and event.before == aliases.get(event.alias)
        if event.alias is not None:
            aliases[event.alias] = event.version
    if not possible:
        raise damaged(
            where,
            Text(
                en=f"event {event.sequence} cannot have happened after those before it",
                ja=f"記録 {event.sequence} は、それまでの記録と矛盾しています",
            ),
        )


def _breaks(sequence: int) -> Text:
    return Text(
        en=f"the chain of the history breaks at event {sequence}", ja=f"履歴の連鎖が記録 {sequence} で途切れています"
    )
