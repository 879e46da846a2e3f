"""The desk: takes prediction requests, brings them to the model, and tells callers, book, metrics and log what came of them."""

from __future__ import annotations

import time
from time import monotonic
from typing import TYPE_CHECKING, Final, Literal

from sekisho.errors import InvalidInput, ModelFailed
from sekisho.serving import problems
from sekisho.serving.front import Place
from sekisho.serving.logs import timestamp
from sekisho.serving.problems import Problem
from sekisho.serving.protocols.interface import Reply
from sekisho.serving.running.jobs import Job

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.predict.answers import Answers
    from sekisho.predict.scrutiny import Flag
    from sekisho.serving.front import Front
    from sekisho.serving.guards.rate import RateLimit
    from sekisho.serving.http.exchange import Exchange
    from sekisho.serving.protocols.interface import Route
    from sekisho.serving.recorder import Recorder
    from sekisho.serving.running.jobs import Runner
    from sekisho.serving.settings import ServingSettings
    from sekisho.serving.tally import Tally

State = Literal["starting", "ready", "unsound", "draining"]
"""What the model is up to: being loaded, answering, giving other answers than it did when it was packed, about to end."""

_INPUT_CODES: Final = frozenset((*problems.INPUT_CODES, "too_many_rows"))


class Desk:
    """Takes prediction requests.

    Args:
        settings: How the service runs.
        version: The model's version, for answers.
        front: Sends answers.
        tally: Counts predictions.
        rate: The limit a caller; ``None``: there is none.

    Attributes:
        state: What the model is up to.
        runner: Brings jobs to the model; ``None`` while it is loaded.
        recorder: Keeps the book; ``None`` if there is none.

    """

    def __init__(
        self, settings: ServingSettings, *, version: str, front: Front, tally: Tally, rate: RateLimit | None
    ) -> None:
        self.state: State = "starting"
        self.runner: Runner | None = None
        self.recorder: Recorder | None = None
        self._settings = settings
        self._version = version
        self._front = front
        self._tally = tally
        self._rate = rate
        self._deadline = settings.deadline_seconds
        self._early: list[Job] = []
        self._timestamp = ("", 0)

    @property
    def waiting(self) -> int:
        """How many requests wait for the model."""
        return len(self._early) if self.runner is None else self.runner.waiting

    @property
    def is_full(self) -> bool:
        """Whether so many requests wait that more are turned away."""
        return self.waiting >= self._settings.queue

    @property
    def is_able(self) -> bool:
        """Whether there is a model that answers."""
        return self.runner is not None and self.runner.is_able

    def place(self, route: Route) -> Place:
        """Return where requests to one route of a protocol go."""
        return Place(
            path=route.path,
            methods=("POST",),
            scope="predict",
            media_types=route.media_types,
            go=self._taker(route),
        )

    def open(self, runner: Runner) -> None:
        """Begin to answer, first those who came early."""
        self.runner = runner
        self.state = "ready"
        early, self._early = self._early, []
        for job in early:
            runner.submit(job)

    def expire(self) -> None:
        """Tell those whose time is over; to be called now and then."""
        if self.runner is not None:
            self.runner.expire()
            return
        now = monotonic()
        late = [job for job in self._early if job.ends < now]
        self._early = [job for job in self._early if job.ends >= now]
        for job in late:
            self._reject(job.exchange, Problem(kind=problems.NOT_READY, fields=problems.retry_after(5)), 1)

    # What the runner says

    def answered(self, job: Job, answers: Answers, first: int, flags: dict[int, list[Flag]]) -> None:
        """Answer a job."""
        exchange = job.exchange
        rows = job.question.rows
        after = first + len(rows)
        predictions = answers.predictions[first:after]
        confidence = None if answers.confidence is None else answers.confidence[first:after]
        probabilities = None if answers.probabilities is None else answers.probabilities[first:after]
        reply = Reply(
            request_id=exchange.request_id,
            timestamp=self._now(),
            model_version=self._version,
            predictions=predictions,
            confidence=confidence,
            probabilities=probabilities,
            flags=flags,
        )
        body = job.route.write(reply)
        seconds = monotonic() - exchange.started
        # Counted before it is sent: whoever has the answer sees it in the metrics, whichever worker tells them.
        self._tally.predictions("success", len(rows), seconds)
        self._tally.answers(predictions, confidence, probabilities)
        if flags:
            self._tally.flags(flags)
        self._front.answer(exchange, 200, body)
        if self.recorder is not None:
            self.recorder.keep(
                exchange.request_id,
                reply.timestamp,
                seconds,
                rows,
                job.question.verbatim,
                predictions,
                confidence,
                flags,
            )

    def refused(self, job: Job, error: InvalidInput) -> None:
        """Tell a caller that a row does not fit."""
        self._reject(job.exchange, problems.of_input(error), len(job.question.rows))

    def failed(self, job: Job, error: ModelFailed) -> None:
        """Tell a caller that the model failed."""
        self._tally.predictions("error", len(job.question.rows), monotonic() - job.exchange.started)
        self._front.refuse(job.exchange, problems.of_model(error))

    def fault(self, error: BaseException) -> None:
        """Take note of an error that is ours."""
        self._front.fault(error)

    # What happens to a request

    def _taker(self, route: Route) -> Callable[[Exchange], None]:
        def take(exchange: Exchange) -> None:
            problem = self._guard(exchange)
            if problem is not None:
                self._reject(exchange, problem, 1)
                return
            try:
                question = route.read(exchange.body, exchange.admission.media_type)
            except InvalidInput as error:
                self._reject(exchange, problems.of_input(error), 1)
                return
            exchange.body = b""
            rows = len(question.rows)
            if rows > 1 and self._rate is not None:
                self._rate.charge(exchange.admission.caller, rows, monotonic())
            job = Job(exchange, route, question, exchange.started + self._deadline)
            if self.runner is None:
                self._early.append(job)
            else:
                self.runner.submit(job)

        return take

    def _guard(self, exchange: Exchange) -> Problem | None:
        if self._rate is not None:
            problem = self._rate.check(exchange.admission.caller, exchange.started)
            if problem is not None:
                return problem
        if self.is_full:
            return Problem(kind=problems.OVERLOADED, fields=problems.retry_after(1 + self.waiting % 5))
        return None

    def _reject(self, exchange: Exchange, problem: Problem, rows: int) -> None:
        outcome: Literal["rejected", "error"] = "rejected" if problem.status < 500 else "error"
        self._tally.predictions(outcome, rows, monotonic() - exchange.started)
        self._front.refuse(exchange, problem)

    def _now(self) -> str:
        """Return the time of now; the words are made once a millisecond."""
        milliseconds = time.time_ns() // 1_000_000
        if milliseconds != self._timestamp[1]:
            self._timestamp = (timestamp(milliseconds / 1e3), milliseconds)
        return self._timestamp[0]
