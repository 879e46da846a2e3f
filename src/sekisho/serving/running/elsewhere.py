"""A model in child processes that are killed at the deadline.

While all children are busy, jobs gather; a child that becomes free takes as many as make a row cheaper. A batch that fails is run again
request by request. Long jobs never hold all children: one stays for the others.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from sekisho.errors import ModelFailed, SekishoError
from sekisho.serving.running.jobs import deliver, give_up, live, rows_of, settle_refusals
from sekisho.serving.running.lines import Lines
from sekisho.serving.running.quarantine import Quarantine
from sekisho.serving.running.sizing import Sizing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.predict.batching import Wish
    from sekisho.predict.fence import FencedRuntime
    from sekisho.predict.predictor import Predictor
    from sekisho.serving.running.jobs import Desk, Job

SHARE_OF_TIME: Final = 1 / 16
"""The part of the time that is left to a request which the batch it is in may be expected to take. A batch that takes four times as long is ended,
so that the others in it have time for a second try."""
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
"""Seconds before a child that could not be started is tried again: doubled each time."""
SECONDS_TO_ANSWER: Final = 1.0
"""How long a child may take to say its answer, once it has begun."""


class Elsewhere:
    """Runs a model in child processes that are killed at the deadline.

    One that died or was killed is started again, and is given nothing to do before it is ready.

    Args:
        predictor: Prepares rows and reads answers.
        runtimes: The children, ready.
        desk: Where answers go.
        loop: The event loop.
        died: Told about every child that had to be started again.
        prove: Asks a child its golden rows: so it has paid for its first call before anybody waits for it.
        batching: Whether requests are run together.

    """

    def __init__(
        self,
        predictor: Predictor,
        runtimes: Sequence[FencedRuntime],
        desk: Desk,
        loop: asyncio.AbstractEventLoop,
        died: Callable[[], None],
        prove: Callable[[FencedRuntime], None],
        batching: Wish,
    ) -> None:
        self._predictor = predictor
        self._runtimes = tuple(runtimes)
        self._free = list(runtimes)
        self._desk = desk
        self._loop = loop
        self._died = died
        self._prove = prove
        self._jobs = Lines(len(self._runtimes))
        self._sizing = Sizing(batching)
        self._long = 0
        self._due = False
        self._threads = ThreadPoolExecutor(max_workers=len(runtimes), thread_name_prefix="model")
        self._tasks: set[asyncio.Future[None]] = set()
        self._closing = False
        self._quarantine = Quarantine()

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return len(self._jobs)

    @property
    def most_rows(self) -> int:
        """How many rows of several requests are run as one at most, as far as is known by now."""
        return self._sizing.rows

    @property
    def is_able(self) -> bool:
        """Whether there is a child that answers."""
        return any(runtime.is_alive for runtime in self._runtimes)

    def delay(self, caller: str) -> float:
        """Return how long one more job of a caller would wait, in seconds."""
        return 0.0 if self._free and not self._jobs else self._jobs.delay(caller)

    def has_room(self, caller: str, most: int) -> bool:
        """Whether one more job of a caller may wait, if ``most`` may in all."""
        return self._jobs.has_room(caller, most)

    def submit(self, job: Job) -> None:
        """Take a job."""
        if self._quarantine:
            refusal = self._quarantine.refusal(job.question.rows, time.monotonic())
            if refusal is not None:
                self._desk.failed(job, refusal)
                return
        self._jobs.push(job)
        if self._free and not self._due:
            self._due = True
            self._loop.call_soon(self._dispatch)

    def expire(self) -> None:
        """Tell those whose time is over."""
        self._jobs.keep(lambda jobs: live(jobs, self._desk, time.monotonic()))

    async def close(self) -> None:
        """Wait for the jobs under way, and end the children."""
        self._closing = True
        while self._jobs or self._tasks:
            await asyncio.sleep(0.01)
        for runtime in self._runtimes:
            runtime.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _dispatch(self) -> None:
        self._due = False
        while self._free and self._jobs:
            batch = self._next_batch()
            if batch is None:
                return
            if batch:
                rows = sum(len(job.question.rows) for job in batch)
                is_long = rows * self._jobs.seconds_per_row > self._jobs.longest_batch
                self._long += is_long
                task = self._loop.create_task(self._run(self._free.pop(), batch, is_long=is_long))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _next_batch(self) -> list[Job] | None:
        """Return the jobs that go to the model next, without those that nobody waits for; ``None`` if none may go now."""
        taken: list[Job] = []
        rows = 0
        pace = self._jobs.seconds_per_row
        longest = self._jobs.longest_batch
        most = self._sizing.rows
        crowded = self._long >= max(1, len(self._runtimes) - 1)

        def passes(job: Job) -> bool:
            return not crowded or len(job.question.rows) * pace <= longest

        def fits(job: Job) -> bool:
            if not taken:
                return True
            more = rows + len(job.question.rows)
            if job.alone or taken[0].alone or more > most:
                return False
            left = min(job.limit, taken[0].limit) - time.monotonic()
            return more * pace <= SHARE_OF_TIME * left

        while (job := self._jobs.take(passes, fits)) is not None:
            taken.append(job)
            rows += len(job.question.rows)
        return live(taken, self._desk, time.monotonic()) if taken else None

    async def _run(self, runtime: FencedRuntime, jobs: list[Job], *, is_long: bool) -> None:
        try:
            await self._ask(runtime, jobs)
        except ModelFailed as error:
            if len(jobs) == 1:
                if not runtime.is_alive:
                    self._quarantine.blame(jobs[0].question.rows, time.monotonic())
                self._desk.failed(jobs[0], error)
            for job in jobs if len(jobs) > 1 else ():
                job.alone = True
                self._jobs.push(job)
        except Exception as error:  # a fault of ours must not take the other requests along
            give_up(jobs, error, self._desk)
        finally:
            self._long -= is_long
            if not runtime.is_alive:
                self._died()
                await self._revive(runtime)
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
        # A caller who waits for a moment only does not get to end the process.
        seconds = min(job.limit for job in jobs) - time.monotonic()
        if len(jobs) > 1:
            # If one of them hangs, the others need time for a second try.
            seconds /= 4.0
        columns = self._predictor.columns(prepared)
        self._desk.asked()
        began = time.monotonic()
        # A child that breaks off in the middle of its answer is waited for by nobody but this.
        timer = self._loop.call_later(seconds + SECONDS_TO_ANSWER, runtime.stop)
        try:
            outputs = await self._loop.run_in_executor(self._threads, lambda: runtime.run(columns, seconds=seconds))
        finally:
            timer.cancel()
        took = time.monotonic() - began
        self._jobs.measured(prepared.rows, took)
        self._sizing.measured(prepared.rows, took)
        for job in jobs if self._quarantine else ():
            self._quarantine.clear(job.question.rows)
        deliver(jobs, self._predictor.read(outputs, prepared.rows), prepared.findings, self._desk)

    async def _revive(self, runtime: FencedRuntime) -> None:
        pause = FIRST_PAUSE
        while not self._closing:
            try:
                await self._loop.run_in_executor(self._threads, self._make_ready, runtime)
            except SekishoError:
                runtime.stop()
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, 2 * pause)
            else:
                return

    def _make_ready(self, runtime: FencedRuntime) -> None:
        runtime.wait_until_ready()
        self._prove(runtime)
