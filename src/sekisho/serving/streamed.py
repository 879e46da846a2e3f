"""The answer to a request of many rows, sent part by part as the model answers them.

The rows are judged before any is answered, so that one that does not fit refuses the request as always. What goes wrong later ends the
connection in the middle of the answer: a client cannot take that for the whole.
"""

from __future__ import annotations

import zlib
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec

from sekisho.serving.http.codings import packer
from sekisho.serving.http.exchange import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.errors import ModelFailed
    from sekisho.predict.answers import Answers
    from sekisho.predict.scrutiny import Flag
    from sekisho.serving.routing import Pieces, Reply
    from sekisho.serving.running.jobs import Job


class StreamedAnswer:
    """One answer under way.

    Args:
        job: Whose.
        pieces: Writes it.
        head: Returns the bytes before the first chunk, given more header fields.
        reply: Makes a reply of answers and of what is unusual about their rows.
        counted: Told of every part that is sent.
        finished: Told of the end: ``None``, or what went wrong after the beginning had been sent.
        failed: Told of what went wrong before that.

    """

    def __init__(
        self,
        job: Job,
        pieces: Pieces,
        *,
        head: Callable[[bool], bytes],
        reply: Callable[[Answers, dict[int, list[Flag]]], Reply],
        counted: Callable[[Reply], None],
        finished: Callable[[StreamedAnswer, ModelFailed | None], None],
        failed: Callable[[ModelFailed], None],
    ) -> None:
        self.job = job
        self.predictions: list[Any] = []
        self.confidence: list[Any] = []
        self.flags: dict[int, Sequence[Flag]] = {}
        self.last: Reply | None = None
        self._pieces = pieces
        self._reply = reply
        self._counted = counted
        self._finished = finished
        self._failed = failed
        self._packer = packer() if job.exchange.admission.form.packed else None
        self._stream = Stream(job.exchange, head(self._packer is not None))
        self._begun = False

    @property
    def late(self) -> bool:
        """Whether the time of the request is over."""
        return monotonic() > self.job.ends

    def compose(self, answers: Answers, flags: dict[int, list[Flag]]) -> bytes:
        """Write the next part. For any thread."""
        reply = self.last = self._reply(answers, flags)
        written = self._pieces.part(reply)
        return written if self._packer is None else self._packer.compress(written)

    async def send(self, data: bytes, first: int) -> None:
        """Send what :meth:`compose` wrote, whose first row is row ``first`` of the request; return when the client keeps up."""
        assert self.last is not None
        self._counted(self.last)
        self.predictions += self.last.predictions
        if self.last.confidence is not None:
            self.confidence.extend(self.last.confidence)
        self.flags |= {first + row: found for row, found in self.last.flags.items()}
        self._begun = self._begun or bool(data)
        await self._stream.write(data)

    def whole(self) -> Reply:
        """Return everything that was answered so far, except the probabilities, which are not kept."""
        assert self.last is not None
        return msgspec.structs.replace(
            self.last,
            predictions=self.predictions,
            confidence=self.confidence or None,
            flags=self.flags,
            probabilities=None,
            table=None,
        )

    async def finish(self) -> None:
        """End the answer: all rows are answered."""
        assert self.last is not None
        end = self._pieces.end(self.last, len(self.predictions))
        if self._packer is not None:
            end = self._packer.compress(end) + self._packer.flush(zlib.Z_FINISH)
        await self._stream.write(end)
        if not self.job.exchange.gone:
            self._finished(self, None)
            self._stream.finish()

    def fail(self, error: ModelFailed) -> None:
        """Tell the client that there is no answer, or no more of it."""
        if self.job.exchange.gone:
            return
        if self._begun:
            self._finished(self, error)
            self._stream.abort()
        else:
            self._failed(error)
