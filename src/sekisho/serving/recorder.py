"""Writing the book of predictions off the path.

By default an answer is sent at once and waits in memory for :data:`FLUSH_SECONDS` at most; then everything that waits is written. What waits
when a worker is killed is lost: that is the window. A *durable* recorder is told before an answer is sent, writes all that waits in one
commit, and says that it is in the book: nothing that a caller was told is lost, and one commit serves as many callers as came during the
one before.

When the book cannot be written, what waits is tried again for a while; then it is dropped and counted, and predictions go on. A recorder
that *refuses* has the service turn predictions away instead, until the book is back, which it finds out by itself.

The event loop and the thread that writes share one interpreter, so whatever the thread does in Python makes callers wait. An answer with few
rows is therefore written down as JSON at once, which takes a few microseconds; the thread puts a page of them together, and the database
works without the interpreter.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Final

from sekisho.errors import LedgerError
from sekisho.ledger.chunks import Entry, Sheet
from sekisho.ledger.database import Unreachable
from sekisho.serving.entries import Answered, EntryMaker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sekisho.ledger.predictions import BookModel, PredictionBook
    from sekisho.predict.answers import Confidence, Prediction
    from sekisho.predict.rows import Row
    from sekisho.predict.scrutiny import Flag
    from sekisho.serving.http.head import Head

FLUSH_SECONDS: Final = 0.2
MOST_WAITING: Final = 64 * 2**20
"""Bytes of rows that wait to be written, about; more are dropped and counted."""
PAGE: Final = 500
"""Requests on one page at most."""
SECONDS_TO_RETRY: Final = 1.0
"""How long answers are tried to be written again, before they are dropped."""
SECONDS_TO_WAIT: Final = 10.0
"""The same, while the database does not answer: a restart takes a few seconds."""
SECONDS_TO_REST: Final = 0.5
"""How long a book that could not be written is left alone."""
SECONDS_BETWEEN_COMPLAINTS: Final = 60.0


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Listener:
    """Who is told what becomes of answers, on any thread.

    Attributes:
        written: How many rows were written.
        dropped: How many rows could not be.
        down: Whether the book cannot be written, when that changes.
        complain: Why not, now and then.
        mended: That it can be written again.

    """

    written: Callable[[int], object]
    dropped: Callable[[int], object]
    down: Callable[[bool], object]
    complain: Callable[[str], object]
    mended: Callable[[], object]


@dataclass(eq=False, slots=True)
class _Page:
    """Answers that are written together, under one token, as often as it takes.

    Attributes:
        light: Whether its answers are written down at once.
        sheet: Those that are.
        later: Those of which entries are made when the page is written.
        entries: What was made of them.
        waited: Who waits for it.
        rows: How many rows the answers have.
        size: How many bytes they take, about.
        since: When the first one came, in seconds of the monotonic clock.
        token: The token.

    """

    light: bool
    sheet: Sheet = field(default_factory=Sheet)
    later: list[Answered] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    waited: list[Callable[[bool], None]] = field(default_factory=list)
    rows: int = 0
    size: int = 0
    since: float = field(default_factory=monotonic)
    token: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def is_full(self) -> bool:
        """Whether it has as many requests as a page may have."""
        return len(self.sheet.lines) >= PAGE or len(self.later) >= PAGE

    def written(self, maker: EntryMaker) -> Sheet | list[Entry]:
        """Return what the book is given."""
        if self.light:
            return self.sheet
        self.entries += [maker.entry(*one) for one in self.later]
        self.later.clear()
        return self.entries


class Recorder:
    """Keeps the book of one worker.

    Args:
        book: The book; several workers may have it open.
        model: Whose answers they are.
        maker: Makes entries of answers.
        listener: Told what becomes of them.
        fraction: The fraction of requests that is kept.
        durable: Whether an answer waits until it is in the book.
        refuses: Whether predictions are turned away while the book cannot be written; a durable recorder always does that.

    Attributes:
        book: The book.
        durable: Whether an answer waits until it is in the book.
        is_down: Whether the book could not be written the last time that it was tried.

    """

    def __init__(
        self,
        book: PredictionBook,
        model: BookModel,
        maker: EntryMaker,
        listener: Listener,
        *,
        fraction: float = 1.0,
        durable: bool = False,
        refuses: bool = False,
    ) -> None:
        self.book = book
        self.durable = durable
        self.is_down = False
        self._model = model
        self._maker = maker
        self._listener = listener
        self._fraction = fraction
        self._refuses = refuses or durable
        self._pages: deque[_Page] = deque()
        self._open: _Page | None = None  # the last of them, as long as answers are added to it
        self._door = threading.Lock()
        self._page: _Page | None = None  # what is being written
        # Bytes that came and bytes that went: each is written by one thread, so neither needs a lock.
        self._taken = 0
        self._done = 0
        self._complained: float | None = None
        self._owes_word = False
        self._rests_until = 0.0
        self._patience = SECONDS_TO_RETRY
        self._lock = threading.Lock()
        self._awake = threading.Event()
        self._ended = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._write_all, name="recorder", daemon=True)
        self._thread.start()

    @property
    def refuses(self) -> bool:
        """Whether a prediction must be turned away now, because its answer could not be written."""
        return self.is_down and self._refuses

    def keep(
        self,
        request_id: str,
        at: str,
        seconds: float,
        rows: Sequence[Row],
        verbatim: bytes | None,
        predictions: Sequence[Prediction],
        confidence: Sequence[Confidence] | None,
        flags: Mapping[int, Sequence[Flag]],
        *,
        head: Head | None = None,
        then: Callable[[bool], None] | None = None,
    ) -> None:
        """Take an answer; it will be in the book within :data:`FLUSH_SECONDS`.

        Args:
            request_id: The request.
            at: When it was answered: RFC 3339, UTC.
            seconds: How long that took.
            rows: The validated rows.
            verbatim: The rows as they came in JSON.
            predictions: One a row.
            confidence: The probability of each; ``None`` if the model gives none.
            flags: What is unusual about a row, by its index.
            head: The head of the request.
            then: Told on the event loop that runs here whether it is in the book; ``None``: nobody waits for that.

        """
        if self._fraction < 1.0 and random.random() >= self._fraction:  # noqa: S311 - a sample, no secret
            if then is not None:
                then(True)  # noqa: FBT003 - what it is told is this alone
            return
        maker = self._maker
        verbatim = maker.verbatim(rows, verbatim)
        size = maker.size(rows, verbatim)
        if self._taken - self._done + size > MOST_WAITING or self._ended:
            if then is not None:
                then(False)  # noqa: FBT003
            else:
                self._listener.dropped(len(predictions))
            return
        self._taken += size
        light = maker.is_light(rows)
        answered = (request_id, at, seconds * 1e3, rows, verbatim, predictions, confidence, flags)
        entry = maker.entry(*answered, None) if light else None
        with self._door:
            page = self._open
            if page is None or page.light is not light or page.is_full:
                page = self._open = _Page(light)
                self._pages.append(page)
            if entry is not None:
                page.sheet.add(entry)
            else:
                page.later.append(Answered(*answered, head if maker.subject_header is not None else None))
            page.rows += len(predictions)
            page.size += size
            if then is not None:
                page.waited.append(then)
        if then is not None:
            if self._loop is None:
                self._loop = asyncio.get_running_loop()
            self._awake.set()

    def flush(self) -> None:
        """Write everything that waits, if the book can be written. Thread-safe."""
        with self._lock:
            while (page := self._page or self._next()) is not None:
                self._page = page
                if not self._write(page):
                    return
                self._page = None
            if self.is_down:
                self._probe()

    def close(self) -> None:
        """Write what is left, and close the book."""
        self._ended = True
        self._awake.set()
        self._thread.join(30.0)
        with self._lock:
            self._give_up(all_of_it=True)
            if self.is_down:
                self._listener.down(False)  # noqa: FBT003
        self.book.close()

    def _write_all(self) -> None:
        with self._lock:
            self._probe()  # opens the book before the first answer comes, and says at once if it cannot
        while True:
            last = self._ended
            if not last:
                self._awake.wait(FLUSH_SECONDS)
                last = self._ended
            self._awake.clear()
            if last or monotonic() >= self._rests_until:
                self.flush()
            else:
                with self._lock:
                    self._give_up()
            if last:
                return

    def _next(self) -> _Page | None:
        """Take the oldest page that waits; nothing more comes onto it."""
        with self._door:
            page = self._pages.popleft() if self._pages else None
            if page is self._open:
                self._open = None
        return page

    def _write(self, page: _Page) -> bool:
        """Write a page; return whether the next one may be tried."""
        try:
            self.book.write(self._model, page.written(self._maker), token=page.token)
        except LedgerError as error:
            self._fail(error)
            return False
        self._set_down(down=False)
        if self._owes_word:  # only now is it true: a disk may have room for a probe and for nothing else
            self._owes_word = False
            self._listener.mended()
        self._listener.written(page.rows)
        self._done += page.size
        self._tell(page.waited, kept=True)
        return True

    def _probe(self) -> None:
        try:
            self.book.touch()
        except LedgerError as error:
            self._fail(error)
        else:
            self._set_down(down=False)

    def _fail(self, error: LedgerError) -> None:
        self._set_down(down=True)
        self._rests_until = monotonic() + SECONDS_TO_REST
        self._patience = SECONDS_TO_WAIT if isinstance(error, Unreachable) else SECONDS_TO_RETRY
        now = monotonic()
        if self._complained is None or now - self._complained > SECONDS_BETWEEN_COMPLAINTS:
            self._complained = now
            self._owes_word = True
            self._listener.complain(error.what.en)
        self._give_up()

    def _give_up(self, *, all_of_it: bool = False) -> None:
        """Let go of what has waited too long for a book that cannot be written, and of all whose callers wait for it."""
        with self._door:
            self._open = None  # so that on each page all have waited about as long
        if self._page is None and self.is_down:
            self._page = self._next()
        while self._page is not None and (all_of_it or self._is_late(self._page)):
            self._let_go(self._page)
            self._page = self._next() if self.is_down else None

    def _is_late(self, page: _Page) -> bool:
        if page.waited:
            return True
        return not self._refuses and monotonic() - page.since > self._patience

    def _let_go(self, page: _Page) -> None:
        self._done += page.size
        if page.waited:
            self._tell(page.waited, kept=False)
        else:
            self._listener.dropped(page.rows)

    def _tell(self, waited: list[Callable[[bool], None]], *, kept: bool) -> None:
        if not waited:
            return

        def tell() -> None:
            for then in waited:
                then(kept)

        assert self._loop is not None
        with suppress(RuntimeError):  # the event loop has ended: nobody waits any more
            self._loop.call_soon_threadsafe(tell)

    def _set_down(self, *, down: bool) -> None:
        if down != self.is_down:
            self.is_down = down
            self._listener.down(down)
