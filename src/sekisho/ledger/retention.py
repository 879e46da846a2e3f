"""What is older than so many days leaves the book, and nothing younger, even when the clock jumps.

Two things are told apart that look alike in the book: predictions that are old, and a clock that says so.

The clock is believed when it has moved since the last look as far as the machine has run (the clock of the system since it was started, which
nobody sets), or, after a restart of the machine, by less than a day. After a jump nothing is erased until the clock has gone on steadily for
:data:`DOUBT_SECONDS`: so a clock that is a year ahead for an hour erases nothing, and one that was put right delays erasing by less than a day.

The book is erased from its beginning up to the first chunk that is young: chunks stand in the order in which they were written, so that a chunk
behind a young one is young, whatever the clock said when it was written; and one before an old one is old.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sekisho.ledger.predictions import PredictionBook

DAY: Final = 86_400.0
DOUBT_SECONDS: Final = 20 * 3_600.0
"""How long a clock that has jumped is not believed."""
TOLERANCE_SECONDS: Final = 300.0
_DRIFT: Final = 0.01
"""By what share of the time that went by a clock may be wrong besides."""
_CHUNKS_AT_ONCE: Final = 1_000
_DROPPED_AT_ONCE: Final = 32
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, kw_only=True, slots=True)
class Clock:
    """What a machine says of the time.

    Attributes:
        wall: The time of day, in seconds since 1970.
        uptime: Seconds since the machine was started.
        boot: Tells this start of the machine from every other.

    """

    wall: float
    uptime: float
    boot: str

    def before(self, days: float) -> str:
        """Return the moment so many days ago: RFC 3339, UTC."""
        return _words(self.wall - days * DAY)


@dataclass(frozen=True, kw_only=True, slots=True)
class Retained:
    """What came of a look at the book.

    Attributes:
        rows: How many predictions were erased.
        before: Everything before this moment is gone, unless the clock is in doubt: RFC 3339, UTC.
        doubted: Whether the clock has jumped, so that nothing was erased.

    """

    rows: int
    before: str
    doubted: bool


def clock() -> Clock:
    """Return what this machine says of the time."""
    which = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    boot = "unknown"
    with contextlib.suppress(OSError):
        boot = _BOOT.read_text(encoding="ascii").strip()
    return Clock(wall=time.time(), uptime=time.clock_gettime(which), boot=boot)


def retain(book: PredictionBook, days: float, now: Clock, *, attended: bool = False, believe: bool = False) -> Retained:
    """Erase what is older than so many days.

    Args:
        book: The book.
        days: How many days a prediction is kept.
        now: What the machine says of the time.
        attended: Whether a person has asked for it: then the clock of a book that was never looked at is only doubted if everything
            would go, or something is of the future; else if its newest chunk is not of the last day.
        believe: Whether somebody has said that the clock is right.

    Raises:
        LedgerError: The book cannot be read or written.

    """
    before = now.before(days)
    if _is_doubted(book, now, days * DAY if attended else DAY) and not believe:
        return Retained(rows=0, before=before, doubted=True)
    rows = 0
    batch: list[int] = []
    for sequence in _old(book, before, _words(now.wall + TOLERANCE_SECONDS)):
        batch.append(sequence)
        if len(batch) == _DROPPED_AT_ONCE:
            rows += book.drop(batch)
            batch = []
    if batch:
        rows += book.drop(batch)
    _drop_orphans(book, before)
    return Retained(rows=rows, before=before, doubted=False)


def _old(book: PredictionBook, before: str, future: str) -> Iterator[int]:
    """Yield the chunks from the beginning of the book up to the first young one; of those that come from the future, those before an old one."""
    after = 0
    strange: list[int] = []
    while True:
        found = book.database.query(
            "SELECT sequence, last_at FROM answers_2 WHERE sequence > ? ORDER BY sequence LIMIT ?",
            (after, _CHUNKS_AT_ONCE),
        )
        for sequence, last_at in found:
            after = sequence
            if last_at > future:
                strange.append(sequence)
            elif last_at < before:
                yield from strange
                strange = []
                yield sequence
            else:
                return
        if not found:
            return


def _is_doubted(book: PredictionBook, now: Clock, idle: float) -> bool:
    """Compare the clock with what was noted at the last look, and note it.

    Args:
        book: The book.
        now: What the machine says.
        idle: How many seconds old the newest chunk may be in a book that was never looked at.

    """
    known = book.database.query("SELECT boot, wall, uptime, doubted_since FROM clocks_2")
    mine = next((row for row in known if row[0] == now.boot and row[2] <= now.uptime), None)
    doubted: float | None = None
    if mine is not None:
        ran = now.uptime - mine[2]
        jumped = abs(now.wall - mine[1] - ran) > TOLERANCE_SECONDS + _DRIFT * ran
        doubted = now.uptime if jumped else mine[3]
    else:
        looks = [wall for boot, wall, _, doubts in known if boot != now.boot and doubts is None]
        last = max(looks) if looks else _newest(book)
        if last is not None and not -TOLERANCE_SECONDS <= now.wall - last <= (DAY if looks else idle):
            doubted = now.uptime
    if doubted is not None and now.uptime - doubted >= DOUBT_SECONDS:
        doubted = None
    with book.database.transaction() as run:
        run(
            "INSERT INTO clocks_2 (boot, wall, uptime, doubted_since) VALUES (?, ?, ?, ?) ON CONFLICT (boot) DO UPDATE "
            "SET wall = excluded.wall, uptime = excluded.uptime, doubted_since = excluded.doubted_since",
            (now.boot, now.wall, now.uptime, doubted),
        )
    return doubted is not None


def _newest(book: PredictionBook) -> float | None:
    """Return when the last answer was given, as the clock of that time said; ``None`` in an empty book."""
    found = book.database.query("SELECT last_at FROM answers_2 ORDER BY sequence DESC LIMIT 1")
    with contextlib.suppress(ValueError):
        return dt.datetime.fromisoformat(found[0][0]).timestamp() if found else None
    return None


def _drop_orphans(book: PredictionBook, before: str) -> None:
    """Drop outcomes that are old and whose requests are not in the book."""
    with book.database.transaction() as run:
        found = run("SELECT DISTINCT request_id FROM outcomes_1 WHERE at < ? LIMIT ?", (before, _CHUNKS_AT_ONCE))
        book.drop_outcomes(run, {request_id for (request_id,) in found.fetchall()})


def _words(seconds: float) -> str:
    moment = dt.datetime.fromtimestamp(max(seconds, 0.0), dt.UTC)
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"
