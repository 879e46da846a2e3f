"""A model in this process, asked in the turn after the requests came.

Requests that arrive within one turn of the event loop are run as one batch, by ``loop.call_soon`` and without a timer: a lone request waits for
nobody, and many share the cost of a run. How many rows a batch may have follows from what the model costs
(:mod:`sekisho.predict.batching`). Each caller gets their own rows back. A batch that fails is run again request by request, so that a failure
hurts nobody but the one who caused it.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sekisho.errors import DeadlineExceeded, ModelFailed
from sekisho.predict.answers import invalid_output
from sekisho.predict.columnar import ColumnarRows
from sekisho.predict.predictor import Prepared
from sekisho.serving.running.jobs import (
    deliver,
    flags_between,
    give_up,
    live,
    our_fault,
    rows_of,
    settle_refusals,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sekisho.predict.batching import Batching
    from sekisho.predict.predictor import Predictor
    from sekisho.predict.scrutiny import Findings
    from sekisho.serving.running.jobs import Desk, Job, Streaming

MOST_BULK: Final = 256
"""Rows; a request with more is run in a thread, so that the others need not wait while its answer is written."""
PART: Final = 2_000
"""Rows; the answer to more is sent in parts of as many, if it can be."""


class InProcess:
    """Runs a model in this process, in the turn after the requests came.

    Args:
        predictor: The model.
        desk: Where answers go.
        loop: The event loop.
        batching: What batches cost.

    Attributes:
        most_rows: How many rows of several requests are run as one at most.

    """

    def __init__(self, predictor: Predictor, desk: Desk, loop: asyncio.AbstractEventLoop, batching: Batching) -> None:
        self._predictor = predictor
        self.most_rows = batching.most_rows
        self._quick_rows = min(batching.quick_rows, MOST_BULK)
        self._desk = desk
        self._loop = loop
        self._jobs: list[Job] = []
        self._bulk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bulk")
        self._tasks: set[asyncio.Future[None]] = set()

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return len(self._jobs) + len(self._tasks)

    def delay(self, caller: str) -> float:  # noqa: ARG002
        """Return nothing: nobody waits for longer than a turn, except for other large requests."""
        return 0.0

    def has_room(self, caller: str, most: int) -> bool:  # noqa: ARG002
        """Whether one more job may wait."""
        return self.waiting < most

    def submit(self, job: Job) -> None:
        """Take a job."""
        if len(job.question.rows) > self._quick_rows:
            task = self._loop.create_task(self._run_bulk(job))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        if not self._jobs:
            self._loop.call_soon(self._turn)
        self._jobs.append(job)

    @property
    def is_able(self) -> bool:
        """The model is here."""
        return True

    def expire(self) -> None:
        """Do nothing: nobody waits here for longer than a turn."""

    async def close(self) -> None:
        """Wait for the jobs under way."""
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._bulk.shutdown(wait=False, cancel_futures=True)

    def _turn(self) -> None:
        jobs, self._jobs = self._jobs, []
        for batch in self._batches(live(jobs, self._desk, time.monotonic())):
            self._run(batch)

    def _batches(self, jobs: Sequence[Job]) -> Iterable[Sequence[Job]]:
        most = self.most_rows
        if sum([len(job.question.rows) for job in jobs]) <= most:
            return (jobs,) if jobs else ()
        batches: list[list[Job]] = [[]]
        rows = 0
        for job in jobs:
            if batches[-1] and rows + len(job.question.rows) > most:
                batches.append([])
                rows = 0
            batches[-1].append(job)
            rows += len(job.question.rows)
        return batches

    def _run(self, jobs: Sequence[Job]) -> None:
        try:
            prepared = self._predictor.prepare(rows_of(jobs))
            left = settle_refusals(jobs, prepared.findings, self._desk)
            if left is not jobs:
                if left:
                    self._run(left)
                return
            self._desk.asked()
            answers = self._predictor.read(self._predictor.run(prepared), prepared.rows)
            deliver(jobs, answers, prepared.findings, self._desk)
        except ModelFailed as error:
            if len(jobs) == 1:
                self._desk.failed(jobs[0], error)
            else:
                for job in jobs:
                    self._run((job,))
        except Exception as error:  # a fault of ours must not take the other requests along
            give_up(jobs, error, self._desk)

    async def _run_bulk(self, job: Job) -> None:
        answer = self._desk.begin(job) if len(job.question.rows) > PART else None
        if answer is None:
            await self._run_whole(job)
        else:
            await self._run_parts(job, answer)

    async def _run_parts(self, job: Job, answer: Streaming) -> None:
        """Answer part by part; between two parts, the thread is free for others, and the client may catch up."""
        rows = job.question.rows

        def answered(prepared: Prepared, first: int) -> bytes:
            after = min(first + PART, len(rows))
            part = Prepared(
                rows=after - first, arrays=tuple(array[first:after] for array in prepared.arrays), findings=None
            )
            answers = self._predictor.read(self._predictor.run(part), part.rows)
            if answers.unsound:
                raise invalid_output()
            findings = prepared.findings
            return answer.compose(answers, {} if findings is None else flags_between(findings, first, after))

        try:
            prepared = await self._loop.run_in_executor(self._bulk, self._prepare, job)
            if not settle_refusals((job,), prepared.findings, self._desk):
                return
            for first in range(0, len(rows), PART):
                if job.exchange.gone:
                    return
                if answer.late:
                    raise DeadlineExceeded(job.ends - job.exchange.started)
                self._desk.asked()
                await answer.send(await self._loop.run_in_executor(self._bulk, answered, prepared, first), first)
            await answer.finish()
        except ModelFailed as error:
            answer.fail(error)
        except Exception as error:  # a fault of ours must not take the other requests along
            self._desk.fault(error)
            answer.fail(our_fault())

    def _prepare(self, job: Job) -> Prepared:
        """Make the rows of a large job ready, and let go of them in the form in which they came."""
        prepared = self._predictor.prepare(job.question.rows)
        if not isinstance(job.question.rows, ColumnarRows):
            rows = self._predictor.by_columns(prepared)
            job.question = msgspec.structs.replace(job.question, rows=rows, verbatim=None)
        return prepared

    async def _run_whole(self, job: Job) -> None:
        rows = job.question.rows

        def work() -> tuple[Any, Findings | None]:
            if job.exchange.gone or job.ends < time.monotonic():
                return None, None
            prepared = self._prepare(job)
            findings = prepared.findings
            if findings is not None and findings.refusals:
                return None, findings
            answers = self._predictor.read(self._predictor.run(prepared), prepared.rows)
            if answers.unsound:
                raise invalid_output()
            flags = {} if findings is None else flags_between(findings, 0, len(rows))
            return self._desk.compose(job, answers, 0, flags), findings

        try:
            composed, findings = await self._loop.run_in_executor(self._bulk, work)
            if composed is not None:
                self._desk.asked()
                if not job.exchange.gone:
                    self._desk.answered(job, composed)
            elif findings is not None:
                settle_refusals((job,), findings, self._desk)
            else:
                live((job,), self._desk, time.monotonic())
        except ModelFailed as error:
            self._desk.asked()
            self._desk.failed(job, error)
        except Exception as error:  # a fault of ours must not take the other requests along
            give_up((job,), error, self._desk)
