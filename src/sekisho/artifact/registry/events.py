"""What can happen to a model in a registry, each bound to what happened before.

Every event carries the hash of the one before it and its own, over its canonical JSON (as the book of evidence does, after Haber and
Stornetta, "How to time-stamp a digital document", 1991): an edited, removed or inserted event breaks the chain at that place. Whoever can
write the whole store can write a whole new chain; against that, keep the digests of passes and signatures elsewhere.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import secrets
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from sekisho.artifact import strict_json
from sekisho.artifact.registry.names import fits
from sekisho.errors import IntegrityError, WrongUse
from sekisho.text import Text

FORMAT: Final = 1
FIRST: Final = "0" * 64
MOST_BYTES: Final = 64 * 1024
MOST_WORDS: Final = 1_000

Deed = Literal["published", "signed", "promoted", "rolled back"]
_Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$", max_length=64)]
_Line = Annotated[
    str, Meta(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]*$", max_length=MOST_WORDS)
]
_Moment = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$", max_length=27)]


class Event(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that happened.

    Attributes:
        format: The number of this layout; a reader refuses a higher one.
        sequence: Its place in the history of the model, from 1.
        name: The model.
        at: When: RFC 3339, UTC; never before the event before it.
        by: Who.
        deed: What: a version was published, its signatures were added, an alias was set, or set back.
        version: Which version.
        digest: The digest of that version's artifact.
        envelope: The SHA-256 of the file with its signatures; ``None`` when nobody has signed.
        alias: Which alias moved.
        before: Which version it stood for before; ``None`` when for none.
        reason: Why, in the words of who did it.
        token: What no other event has, so that a writer knows its own.
        previous: The hash of the event before it; 64 zeros for the first.
        hash: SHA-256 of the canonical JSON with an empty hash, in hexadecimal.

    """

    format: Literal[1] = FORMAT
    sequence: Annotated[int, Meta(ge=1, le=9_999_999_999)]
    name: str
    at: _Moment
    by: _Line
    deed: Deed
    version: str
    digest: _Digest
    envelope: _Digest | None = None
    alias: str | None = None
    before: str | None = None
    reason: _Line = ""
    token: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$", max_length=32)]
    previous: _Digest
    hash: str = ""

    def sealed(self) -> Event:
        """Return the same event with the hash that fits it."""
        bare = msgspec.structs.replace(self, hash="")
        return msgspec.structs.replace(bare, hash=hashlib.sha256(strict_json.encode(bare)).hexdigest())

    def encoded(self) -> bytes:
        """Return the canonical JSON: the bytes of the record."""
        return strict_json.encode(self)

    @property
    def moment(self) -> dt.datetime:
        """When, as a date."""
        return dt.datetime.fromisoformat(self.at)


class Deeds(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be written, before it has a place in the history: the fields of :class:`Event` of those names."""

    deed: Deed
    version: str
    digest: str
    envelope: str | None = None
    alias: str | None = None
    before: str | None = None
    by: str
    reason: str = ""


def event_of(deed: Deeds, name: str, *, sequence: int, previous: str, not_before: str) -> Event:
    """Return the event that follows the one with the hash ``previous``."""
    return Event(
        name=name,
        sequence=sequence,
        at=max(written(dt.datetime.now(dt.UTC)), not_before),
        token=secrets.token_hex(16),
        previous=previous,
        **msgspec.structs.asdict(deed),
    ).sealed()


def read_event(data: bytes, *, where: str) -> Event:
    """Return the event in ``data``.

    Raises:
        IntegrityError: It is not an event, or was changed since it was written.

    """
    event = strict_json.decode(data, Event, where=where, most_bytes=MOST_BYTES)
    named = (
        fits("name", event.name)
        and fits("version", event.version)
        and (event.alias is None or fits("alias", event.alias))
        and (event.before is None or fits("version", event.before))
    )
    if not named or event.encoded() != data or event != event.sealed():
        raise damaged(where, Text(en="was changed since it was written", ja="書かれた後に変更されています"))
    return event


def damaged(where: str, what: Text) -> IntegrityError:
    """Return the error for a history that cannot be believed."""
    return IntegrityError(
        what,
        Text(
            en="see sekisho registry verify, and bring the file back from a copy of the registry",
            ja="sekisho registry verify で確認し、レジストリのバックアップからファイルを復元してください",
        ),
        where=where,
    )


def written(moment: dt.datetime) -> str:
    """Return a moment as events write it."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def user() -> str:
    """Return the name of the account that runs this program, as the system knows it."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def checked_line(words: str) -> str:
    """Return ``words`` as they may stand in an event.

    Raises:
        WrongUse: They are longer than a line should be, or hold control characters.

    """
    try:
        return msgspec.convert(words.strip(), _Line)
    except msgspec.ValidationError:
        raise WrongUse(
            Text(
                en="a reason or a name of a person is one line of at most 1,000 characters",
                ja="理由や実行者は、制御文字を含まない1行・1,000文字以内で指定してください",
            ),
            Text(en="shorten it", ja="短くしてください"),
        ) from None
