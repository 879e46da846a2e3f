"""Jobs: requests that wait for the model, who brings them to it, and where the answers go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from sekisho.errors import DeadlineExceeded, InvalidInput, ModelFailed
from sekisho.predict.answers import invalid_output
from sekisho.text import Text

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Sequence

    from sekisho.predict.answers import Answers
    from sekisho.predict.rows import Row
    from sekisho.predict.scrutiny import Findings, Flag
    from sekisho.serving.http.exchange import Exchange
    from sekisho.serving.routing import Question, Route


class Job:
    """One request that waits for the model.

    Attributes:
        exchange: The request.
        route: Writes its answer.
        question: Its rows.
        ends: When its time is over, in seconds of the monotonic clock.
        limit: When the model has taken too long, whatever the caller wishes: then its process is ended.
        alone: Whether it must not share a batch, because one it was in has failed.
        timer: Tells the caller when their own time is over; ``None`` if they wait as long as the service does.
        told: Whether it has done so.

    """

    __slots__ = ("alone", "ends", "exchange", "limit", "question", "route", "timer", "told")

    def __init__(self, exchange: Exchange, route: Route, question: Question, *, ends: float, limit: float) -> None:
        self.exchange = exchange
        self.route = route
        self.question = question
        self.ends = ends
        self.limit = limit
        self.alone = False
        self.timer: asyncio.TimerHandle | None = None
        self.told = False


class Streaming(Protocol):
    """An answer that is sent part by part."""

    @property
    def late(self) -> bool:
        """Whether the time of the request is over."""
        ...

    def compose(self, answers: Answers, flags: dict[int, list[Flag]]) -> bytes:
        """Write the next part. For any thread."""
        ...

    async def send(self, data: bytes, first: int) -> None:
        """Send what :meth:`compose` wrote, whose first row is row ``first`` of the request; return when the client keeps up."""
        ...

    async def finish(self) -> None:
        """End the answer: all rows are answered."""
        ...

    def fail(self, error: ModelFailed) -> None:
        """Tell the client that there is no answer, or no more of it."""
        ...


class Desk(Protocol):
    """Where answers go."""

    def compose(self, job: Job, answers: Answers, first: int, flags: dict[int, list[Flag]]) -> Any:
        """Write the answer to a job; for any thread.

        Args:
            job: The job.
            answers: Those of the whole batch.
            first: Where the job's rows begin in it.
            flags: What is unusual about rows, by their index in the job.

        """
        ...

    def begin(self, job: Job) -> Streaming | None:
        """Return what sends the answer to a job part by part; ``None`` if it must be sent as a whole."""
        ...

    def answered(self, job: Job, composed: Any) -> None:
        """Answer a job with what :meth:`compose` made."""
        ...

    def refused(self, job: Job, error: InvalidInput) -> None:
        """Tell a caller that a row does not fit."""
        ...

    def failed(self, job: Job, error: ModelFailed) -> None:
        """Tell a caller that the model failed."""
        ...

    def asked(self) -> None:
        """Take note that the model is asked once more."""
        ...

    def fault(self, error: BaseException) -> None:
        """Take note of an error that is ours."""
        ...


class Runner(Protocol):
    """Brings jobs to the model."""

    @property
    def most_rows(self) -> int:
        """How many rows of several requests are run as one at most."""
        ...

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        ...

    def delay(self, caller: str) -> float:
        """Return how long one more job of a caller would wait, in seconds, as far as is known."""
        ...

    def has_room(self, caller: str, most: int) -> bool:
        """Whether one more job of a caller may wait, if ``most`` may in all."""
        ...

    def submit(self, job: Job) -> None:
        """Take a job; the desk is told about it once, now or later."""
        ...

    @property
    def is_able(self) -> bool:
        """Whether there is a model to bring them to."""
        ...

    def expire(self) -> None:
        """Tell those whose time is over; to be called now and then."""
        ...

    async def close(self) -> None:
        """Wait for the jobs under way, and end."""
        ...


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
            flags = {} if findings is None else flags_between(findings, first, after)
            desk.answered(job, desk.compose(job, answers, first, flags))
        first = after


def flags_between(findings: Findings, first: int, after: int) -> dict[int, list[Flag]]:
    """Return what is unusual about the rows of one job, by their index in it."""
    return {row - first: found for row, found in findings.flags.items() if first <= row < after}


def give_up(jobs: Sequence[Job], error: Exception, desk: Desk) -> None:
    """Tell everybody in a batch that the service failed."""
    desk.fault(error)
    for job in jobs:
        if not job.exchange.gone:
            desk.failed(job, our_fault())


def our_fault() -> ModelFailed:
    """Return the error for a fault of ours."""
    return ModelFailed(
        "internal_error",
        Text(en="the service failed", ja="サービス内部で問題が起きました"),
        Text(en="tell the operator", ja="運用者に連絡してください"),
    )
