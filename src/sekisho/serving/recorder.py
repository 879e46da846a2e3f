"""Writing the book of predictions off the path: answers wait in memory for a quarter of a second at most, then one chunk is written.

What is answered and not yet written when a worker is killed is lost: that is the window, :data:`FLUSH_SECONDS`. When the book cannot be
written, predictions go on, what could not be kept is counted, and the log says so once a minute.
"""

from __future__ import annotations

import datetime as dt
import random
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sekisho.errors import LedgerError
from sekisho.ledger.predictions import BookModel, Entry, PredictionBook
from sekisho.predict.cells import Cell
from sekisho.predict.columnar import ColumnarRows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sekisho.artifact.signature import Signature
    from sekisho.predict.answers import Confidence, Prediction
    from sekisho.predict.rows import Row
    from sekisho.predict.scrutiny import Flag

FLUSH_SECONDS: Final = 0.2
MOST_WAITING: Final = 64 * 2**20
"""Bytes of rows that wait to be written, about; more are dropped and counted."""
CHUNK: Final = 2_000
"""Requests in one chunk at most."""
_SECONDS_BETWEEN_COMPLAINTS: Final = 60.0
_NO_FLAGS: Final[dict[int, list[str]]] = {}


class Recorder:
    """Keeps the book of one worker.

    Args:
        book: The book; several workers may have it open.
        model: Whose answers they are.
        signature: Says which features are personal.
        fraction: The fraction of requests that is kept.
        redacted: Features that are left out, besides those that are personal.
        written: Told how many rows were written.
        dropped: Told how many rows could not be.
        complain: Told why.

    """

    def __init__(
        self,
        book: PredictionBook,
        model: BookModel,
        signature: Signature,
        *,
        fraction: float,
        redacted: Sequence[str],
        written: Callable[[int], None],
        dropped: Callable[[int], None],
        complain: Callable[[str], None],
    ) -> None:
        self.book = book
        self._model = model
        self._fraction = fraction
        self._written = written
        self._dropped = dropped
        self._complain = complain
        hidden = {feature.name for feature in signature.features if feature.personal} | set(redacted)
        self._shown = tuple((place, name) for place, name in enumerate(signature.names) if name not in hidden)
        self._has_moments = any(feature.kind == "datetime" for feature in signature.features)
        # JSON is taken over as it came, unless something in it must be left out or put into UTC.
        self._takes_verbatim = not self._has_moments and len(self._shown) == len(signature.features)
        self._longest_row = sum(len(feature.name) + 48 for feature in signature.features) + 64
        self._several = bool(signature.output.outputs)
        self._entries: deque[Entry] = deque()
        self._sizes: deque[int] = deque()
        # Bytes that came and bytes that went: each is written by one thread, so neither needs a lock.
        self._taken = 0
        self._done = 0
        self._complained = 0.0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write_all, name="recorder", daemon=True)
        self._thread.start()

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
    ) -> None:
        """Take an answer; it will be in the book within :data:`FLUSH_SECONDS`."""
        if self._fraction < 1.0 and random.random() >= self._fraction:  # noqa: S311 - a sample, no secret
            return
        wrapped = verbatim is not None and self._takes_verbatim and len(verbatim) <= self._longest_row * len(rows)
        if isinstance(rows, ColumnarRows):
            size = rows.nbytes
        else:
            size = len(verbatim) if wrapped and verbatim is not None else self._longest_row * len(rows)
        if self._taken - self._done + size > MOST_WAITING:
            self._dropped(len(predictions))
            return
        self._taken += size
        self._entries.append(
            Entry(
                request_id,
                at,
                seconds * 1e3,
                wrapped,
                msgspec.Raw(verbatim) if wrapped else rows,  # type: ignore[arg-type] # told apart by the flag
                predictions,
                None if self._several else confidence,  # type: ignore[arg-type] # one number a row
                {row: list(map(str, found)) for row, found in flags.items()} if flags else _NO_FLAGS,
            )
        )
        self._sizes.append(size)

    def flush(self) -> None:
        """Write everything that waits. Thread-safe."""
        with self._lock:
            while self._sizes:
                chunk = [self._entries.popleft() for _ in range(min(CHUNK, len(self._sizes)))]
                sizes = sum([self._sizes.popleft() for _ in chunk])
                rows = sum([len(entry.predictions) for entry in chunk])
                try:
                    self.book.write(self._model, [entry if entry.wrapped else self._readable(entry) for entry in chunk])
                except LedgerError as error:
                    self._dropped(rows)
                    self._say(error)
                else:
                    self._written(rows)
                self._done += sizes

    def close(self) -> None:
        """Write what is left, and close the book."""
        self._ended.set()
        self._thread.join(10.0)
        self.book.close()

    def _write_all(self) -> None:
        while True:
            last = self._ended.wait(FLUSH_SECONDS)
            self.flush()
            if last:
                return

    def _say(self, error: LedgerError) -> None:
        now = time.monotonic()
        if not self._complained or now - self._complained > _SECONDS_BETWEEN_COMPLAINTS:
            self._complained = now
            self._complain(error.what.en)

    def _readable(self, entry: Entry) -> Entry:
        """Return an entry whose rows go by name, without what must be left out; many rows that nothing is left out of go in order."""
        rows: Any = entry.rows
        if self._takes_verbatim and isinstance(rows, ColumnarRows):
            return msgspec.structs.replace(entry, rows=list(rows))
        return msgspec.structs.replace(entry, rows=[self._kept(row) for row in rows])

    def _kept(self, row: Row) -> Mapping[str, Cell]:
        cells = {name: row[place] for place, name in self._shown}
        if self._has_moments:
            return {
                name: cell.astimezone(dt.UTC) if isinstance(cell, dt.datetime) else cell for name, cell in cells.items()
            }
        return cells
