"""Asking the model for several callers at once, without making anybody wait for it.

Requests that arrive within one turn of the event loop are run as one batch, by ``loop.call_soon`` and without a timer: a lone request waits for
nobody, and many share the cost of a run. Each caller gets their own rows back. A batch that fails is run again request by request, so that a
failure hurts nobody but the one who caused it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Protocol

from sekisho.errors import DeadlineExceeded, InvalidInput, ModelFailed
from sekisho.predict.answers import invalid_output
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sekisho.predict.answers import Answers
    from sekisho.predict.fence import FencedRuntime
    from sekisho.predict.predictor import Predictor
    from sekisho.predict.rows import Row
    from sekisho.predict.scrutiny import Findings, Flag
    from sekisho.serving.http.exchange import Exchange
    from sekisho.serving.protocols.interface import Question, Route

BULK: Final = 256
"""Rows; a request with more is run in a thread, so that the others need not wait for it."""
MOST_ROWS: Final = 1_024
"""Rows of one batch."""


class Job:
    """One request that waits for the model.

    Attributes:
        exchange: The request.
        route: Writes its answer.
        question: Its rows.
        ends: When its time is over, in seconds of the monotonic clock.
        alone: Whether it must not share a batch, because one it was in has failed.

    """

    __slots__ = ("alone", "ends", "exchange", "question", "route")

    def __init__(self, exchange: Exchange, route: Route, question: Question, ends: float) -> None:
        self.exchange = exchange
        self.route = route
        self.question = question
        self.ends = ends
        self.alone = False


class Desk(Protocol):
    """Where answers go."""

    def answered(self, job: Job, answers: Answers, first: int, flags: dict[int, list[Flag]]) -> None:
        """Answer a job.

        Args:
            job: The job.
            answers: Those of the whole batch.
            first: Where the job's rows begin in it.
            flags: What is unusual about rows, by their index in the job.

        """
        ...

    def refused(self, job: Job, error: InvalidInput) -> None:
        """Tell a caller that a row does not fit."""
        ...

    def failed(self, job: Job, error: ModelFailed) -> None:
        """Tell a caller that the model failed."""
        ...

    def fault(self, error: BaseException) -> None:
        """Take note of an error that is ours."""
        ...


class Runner(Protocol):
    """Brings jobs to the model."""

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        ...

    def submit(self, job: Job) -> None:
        """Take a job; the desk is told about it once, now or later."""
        ...

    async def close(self) -> None:
        """Wait for the jobs under way, and end."""
        ...


class InProcess:
    """Runs a model in this process, in the turn after the requests came.

    Args:
        predictor: The model.
        desk: Where answers go.
        loop: The event loop.

    """

    def __init__(self, predictor: Predictor, desk: Desk, loop: asyncio.AbstractEventLoop) -> None:
        self._predictor = predictor
        self._desk = desk
        self._loop = loop
        self._jobs: list[Job] = []
        self._bulk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bulk")
        self._tasks: set[asyncio.Future[None]] = set()

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return len(self._jobs) + len(self._tasks)

    def submit(self, job: Job) -> None:
        """Take a job."""
        if len(job.question.rows) > BULK:
            task = self._loop.create_task(self._run_bulk(job))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        if not self._jobs:
            self._loop.call_soon(self._turn)
        self._jobs.append(job)

    async def close(self) -> None:
        """Wait for the jobs under way."""
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._bulk.shutdown(wait=False, cancel_futures=True)

    def _turn(self) -> None:
        jobs, self._jobs = self._jobs, []
        for batch in _batches(live(jobs, self._desk, time.monotonic())):
            self._run(batch)

    def _run(self, jobs: Sequence[Job]) -> None:
        try:
            prepared = self._predictor.prepare(rows_of(jobs))
            left = settle_refusals(jobs, prepared.findings, self._desk)
            if left is not jobs:
                if left:
                    self._run(left)
                return
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
        def work() -> tuple[Answers | None, Findings | None]:
            prepared = self._predictor.prepare(job.question.rows)
            if prepared.findings is not None and prepared.findings.refusals:
                return None, prepared.findings
            return self._predictor.read(self._predictor.run(prepared), prepared.rows), prepared.findings

        try:
            answers, findings = await self._loop.run_in_executor(self._bulk, work)
            if answers is None:
                settle_refusals((job,), findings, self._desk)
            elif not job.exchange.gone:
                deliver((job,), answers, findings, self._desk)
        except ModelFailed as error:
            self._desk.failed(job, error)
        except Exception as error:  # a fault of ours must not take the other requests along
            give_up((job,), error, self._desk)


class Elsewhere:
    """Runs a model in child processes that are killed at the deadline.

    While all children are busy, jobs gather; a child that becomes free takes as many as fit into a batch.

    Args:
        predictor: Prepares rows and reads answers.
        runtimes: The children.
        desk: Where answers go.
        loop: The event loop.

    """

    def __init__(
        self, predictor: Predictor, runtimes: Sequence[FencedRuntime], desk: Desk, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._predictor = predictor
        self._runtimes = tuple(runtimes)
        self._free = list(runtimes)
        self._desk = desk
        self._loop = loop
        self._jobs: deque[Job] = deque()
        self._threads = ThreadPoolExecutor(max_workers=len(runtimes), thread_name_prefix="model")
        self._tasks: set[asyncio.Future[None]] = set()

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return len(self._jobs)

    def submit(self, job: Job) -> None:
        """Take a job."""
        self._jobs.append(job)
        if self._free and len(self._jobs) == 1:
            self._loop.call_soon(self._dispatch)

    async def close(self) -> None:
        """Wait for the jobs under way, and end the children."""
        while self._jobs or self._tasks:
            await asyncio.sleep(0.01)
        for runtime in self._runtimes:
            runtime.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _dispatch(self) -> None:
        while self._free and self._jobs:
            batch = self._next_batch()
            if not batch:
                continue
            runtime = self._free.pop()
            task = self._loop.create_task(self._run(runtime, batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _next_batch(self) -> list[Job]:
        taken: list[Job] = []
        rows = 0
        while self._jobs:
            job = self._jobs[0]
            if taken and (job.alone or taken[0].alone or rows + len(job.question.rows) > MOST_ROWS):
                break
            self._jobs.popleft()
            taken.append(job)
            rows += len(job.question.rows)
        return live(taken, self._desk, time.monotonic())

    async def _run(self, runtime: FencedRuntime, jobs: list[Job]) -> None:
        try:
            await self._ask(runtime, jobs)
        except ModelFailed as error:
            if len(jobs) == 1:
                self._desk.failed(jobs[0], error)
            for job in jobs if len(jobs) > 1 else ():
                job.alone = True
                self._jobs.append(job)
        except Exception as error:  # a fault of ours must not take the other requests along
            give_up(jobs, error, self._desk)
        finally:
            self._free.append(runtime)
            self._dispatch()

    async def _ask(self, runtime: FencedRuntime, jobs: list[Job]) -> None:
        prepared = self._predictor.prepare(rows_of(jobs))
        left = settle_refusals(jobs, prepared.findings, self._desk)
        if left is not jobs:
            if not left:
                return
            jobs[:] = left
            prepared = self._predictor.prepare(rows_of(jobs))
        seconds = min(job.ends for job in jobs) - time.monotonic()
        if len(jobs) > 1:
            # If one of them hangs, the others need time for a second try.
            seconds /= 4.0
        columns = self._predictor.columns(prepared)
        outputs = await self._loop.run_in_executor(self._threads, lambda: runtime.run(columns, seconds=seconds))
        deliver(jobs, self._predictor.read(outputs, prepared.rows), prepared.findings, self._desk)


def rows_of(jobs: Sequence[Job]) -> Sequence[Row]:
    """Return the rows of all jobs, one after the other."""
    if len(jobs) == 1:
        return jobs[0].question.rows
    return [row for job in jobs for row in job.question.rows]


def live(jobs: Iterable[Job], desk: Desk, now: float) -> list[Job]:
    """Return the jobs that somebody still waits for, and tell the others that their time is over."""
    found = []
    for job in jobs:
        if job.exchange.gone:
            continue
        if job.ends < now:
            desk.failed(job, DeadlineExceeded(job.ends - job.exchange.started))
        else:
            found.append(job)
    return found


def settle_refusals(jobs: Sequence[Job], findings: Findings | None, desk: Desk) -> Sequence[Job]:
    """Refuse the jobs that hold a row which does not fit; return the others, or ``jobs`` itself if all fit."""
    if findings is None or not findings.refusals:
        return jobs
    left = []
    first = 0
    for job in jobs:
        after = first + len(job.question.rows)
        bad = [row for row in findings.refusals if first <= row < after]
        if bad:
            error = findings.refusals[min(bad)]
            error.row = min(bad) - first
            desk.refused(job, error)
        else:
            left.append(job)
        first = after
    return left


def deliver(jobs: Sequence[Job], answers: Answers, findings: Findings | None, desk: Desk) -> None:
    """Give every job its own answers."""
    first = 0
    for job in jobs:
        after = first + len(job.question.rows)
        if answers.unsound and not answers.unsound.isdisjoint(range(first, after)):
            desk.failed(job, invalid_output())
        else:
            flags: dict[int, list[Flag]] = {}
            if findings is not None and findings.flags:
                flags = {row - first: found for row, found in findings.flags.items() if first <= row < after}
            desk.answered(job, answers, first, flags)
        first = after


def give_up(jobs: Sequence[Job], error: Exception, desk: Desk) -> None:
    """Tell everybody in a batch that the service failed."""
    desk.fault(error)
    for job in jobs:
        if not job.exchange.gone:
            desk.failed(
                job,
                ModelFailed(
                    "internal_error",
                    Text(en="the service failed", ja="サービス内部で問題が起きました"),
                    Text(en="tell the operator", ja="運用者に連絡してください"),
                ),
            )


def _batches(jobs: Sequence[Job]) -> Iterable[Sequence[Job]]:
    if len(jobs) <= MOST_ROWS // BULK or sum(len(job.question.rows) for job in jobs) <= MOST_ROWS:
        return (jobs,) if jobs else ()
    batches: list[list[Job]] = [[]]
    rows = 0
    for job in jobs:
        if rows + len(job.question.rows) > MOST_ROWS:
            batches.append([])
            rows = 0
        batches[-1].append(job)
        rows += len(job.question.rows)
    return [batch for batch in batches if batch]
