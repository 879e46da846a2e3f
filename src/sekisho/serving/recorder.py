"""Writing the book of predictions off the path.

By default an answer is sent at once and waits in memory for :data:`FLUSH_SECONDS` at most; then everything that waits is written. What waits
when a worker is killed is lost: that is the window. A *durable* recorder is told before an answer is sent, writes all that waits in one
commit, and says that it is in the book: nothing that a caller was told is lost, and one commit serves as many callers as came during the
one before.

When the book cannot be written, what waits is tried again for a while; then it is dropped and counted, and predictions go on. A recorder
that *refuses* has the service turn predictions away instead, until the book is back, which it finds out by itself.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Final

from sekisho.errors import LedgerError
from sekisho.ledger.database import Unreachable
from sekisho.serving.entries import Answered, EntryMaker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sekisho.ledger.predictions import BookModel, Entry, PredictionBook
    from sekisho.predict.answers import Confidence, Prediction
    from sekisho.predict.rows import Row
    from sekisho.predict.scrutiny import Flag
    from sekisho.serving.http.head import Head

FLUSH_SECONDS: Final = 0.2
MOST_WAITING: Final = 64 * 2**20
"""Bytes of rows that wait to be written, about; more are dropped and counted."""
CHUNK: Final = 500
"""Requests in one chunk at most."""
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


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class _Chunk:
    """Answers that are written together, under one token, as often as it takes."""

    entries: list[Entry]
    waited: list[Callable[[bool], None]]
    rows: int
    size: int
    since: float
    token: str


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
        self._waiting: deque[Answered] = deque()
        self._chunk: _Chunk | None = None
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
        verbatim = self._maker.verbatim(rows, verbatim)
        size = self._maker.size(rows, verbatim)
        if self._taken - self._done + size > MOST_WAITING or self._ended:
            if then is not None:
                then(False)  # noqa: FBT003
            else:
                self._listener.dropped(len(predictions))
            return
        self._taken += size
        self._waiting.append(
            Answered(
                request_id=request_id,
                at=at,
                latency_ms=seconds * 1e3,
                rows=rows,
                verbatim=verbatim,
                predictions=predictions,
                confidence=confidence,
                flags=flags,
                head=head if self._maker.subject_header is not None else None,
                size=size,
                since=monotonic(),
                then=then,
            )
        )
        if then is not None:
            if self._loop is None:
                self._loop = asyncio.get_running_loop()
            self._awake.set()

    def flush(self) -> None:
        """Write everything that waits, if the book can be written. Thread-safe."""
        with self._lock:
            while self._chunk is not None or self._waiting:
                if self._chunk is None:
                    self._chunk = self._next()
                if not self._write(self._chunk):
                    return
                self._chunk = None
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

    def _next(self) -> _Chunk:
        """Take the oldest answers that wait."""
        taken = [self._waiting.popleft() for _ in range(min(CHUNK, len(self._waiting)))]
        return _Chunk(
            entries=[self._maker.entry(one) for one in taken],
            waited=[one.then for one in taken if one.then is not None],
            rows=sum([len(one.predictions) for one in taken]),
            size=sum([one.size for one in taken]),
            since=taken[0].since,
            token=secrets.token_hex(8),
        )

    def _write(self, chunk: _Chunk) -> bool:
        """Write a chunk; return whether the next one may be tried."""
        try:
            self.book.write(self._model, chunk.entries, token=chunk.token)
        except LedgerError as error:
            self._fail(error)
            return False
        self._set_down(down=False)
        if self._owes_word:  # only now is it true: a disk may have room for a probe and for nothing else
            self._owes_word = False
            self._listener.mended()
        self._listener.written(chunk.rows)
        self._done += chunk.size
        self._tell(chunk.waited, kept=True)
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
        if self._chunk is not None and (all_of_it or self._is_late(self._chunk.since, self._chunk.waited)):
            self._let_go(self._chunk.rows, self._chunk.size, self._chunk.waited)
            self._chunk = None
        if self._chunk is None and self.is_down:
            while self._waiting and (all_of_it or self._is_late(self._waiting[0].since, self._waiting[0].then)):
                one = self._waiting.popleft()
                self._let_go(len(one.predictions), one.size, [] if one.then is None else [one.then])

    def _is_late(self, since: float, waited: object) -> bool:
        if waited:
            return True
        return not self._refuses and monotonic() - since > self._patience

    def _let_go(self, rows: int, size: int, waited: list[Callable[[bool], None]]) -> None:
        self._done += size
        if waited:
            self._tell(waited, kept=False)
        else:
            self._listener.dropped(rows)

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
