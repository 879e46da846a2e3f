"""The desk: takes prediction requests, brings them to the model, and tells callers, book, metrics and log what came of them."""

from __future__ import annotations

import asyncio
import random
import time
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from time import monotonic
from typing import TYPE_CHECKING, Final, Literal

from sekisho.errors import DeadlineExceeded, InvalidInput, ModelFailed
from sekisho.serving import problems
from sekisho.serving.front import Place
from sekisho.serving.http.codings import SMALLEST_PACKED, pack, unpack
from sekisho.serving.http.exchange import JSON
from sekisho.serving.logs import timestamp
from sekisho.serving.problems import Problem
from sekisho.serving.routing import Reply, Written
from sekisho.serving.running.jobs import Job
from sekisho.serving.streamed import StreamedAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.predict.answers import Answers
    from sekisho.predict.scrutiny import Flag
    from sekisho.serving.front import Front
    from sekisho.serving.guards.rate import RateLimit
    from sekisho.serving.guards.rate_store import SharedRateLimit
    from sekisho.serving.http.exchange import Exchange
    from sekisho.serving.http.forms import Form
    from sekisho.serving.recorder import Recorder
    from sekisho.serving.routing import Question, Route
    from sekisho.serving.running.jobs import Runner
    from sekisho.serving.settings import ServingSettings
    from sekisho.serving.tally import ModelTally

Composed = tuple[Reply, bytes | Written]
"""What is told about a job, and how it is written."""
State = Literal["starting", "ready", "unsound", "draining"]
"""What the model is up to: being loaded, answering, giving other answers than it did when it was packed, about to end."""

MOST_AT_ONCE: Final = 64 * 1024
"""Bytes; a larger body is read in a thread, so that the others need not wait for it."""
SHARE_OF_WAITING: Final = 0.5
"""The part of a request's time that it may spend in waiting; the rest is for the model, and for what nobody foresees."""
SECONDS_CROWDED: Final = 1.0
"""How long the service says that it is overloaded after it has turned somebody away."""
_LIGHT: Final = frozenset(("application/json", "application/octet-stream", "application/grpc"))
_PACKED: Final = ((b"content-encoding", b"gzip"), (b"vary", b"accept-encoding"))


class Desk:
    """Takes prediction requests.

    Args:
        settings: How the service runs.
        version: The model's version, for answers.
        front: Sends answers.
        tally: Counts predictions.
        rate: The limit a caller; ``None``: there is none, or it holds over machines.

    Attributes:
        state: What the model is up to.
        runner: Brings jobs to the model; ``None`` while it is loaded.
        recorder: Keeps the book; ``None`` if there is none.
        shared_rate: The limit a caller that holds over machines; ``None``: there is none.

    """

    def __init__(
        self, settings: ServingSettings, *, version: str, front: Front, tally: ModelTally, rate: RateLimit | None
    ) -> None:
        self.state: State = "starting"
        self.runner: Runner | None = None
        self.recorder: Recorder | None = None
        self.shared_rate: SharedRateLimit | None = None
        self._settings = settings
        self._version = version
        self._front = front
        self._tally = tally
        self._rate = rate
        self._deadline = settings.deadline_seconds
        self._early: list[Job] = []
        self._timestamp = ("", 0)
        self._reading = 0
        self._crowded_until = 0.0
        self._readers = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader")

    @property
    def waiting(self) -> int:
        """How many requests wait for the model."""
        return self._reading + (len(self._early) if self.runner is None else self.runner.waiting)

    @property
    def is_full(self) -> bool:
        """Whether so many requests wait that more are turned away, or were a moment ago."""
        return self.waiting >= self._settings.queue or monotonic() < self._crowded_until

    @property
    def has_book(self) -> bool:
        """Whether answers can be written down, or need not be."""
        return self.recorder is None or not self.recorder.refuses

    @property
    def is_able(self) -> bool:
        """Whether there is a model that answers."""
        return self.runner is not None and self.runner.is_able

    def place(self, route: Route, path: str, model: str) -> Place:
        """Return where requests to one route of a protocol go that are counted under ``path`` as those of ``model``."""
        return Place(
            path=path,
            methods=("POST",),
            scope="predict",
            offer=route.offer,
            go=self._taker(route),
            model=model,
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
        late = [job for job in self._early if job.ends < now and not job.exchange.gone]
        self._early = [job for job in self._early if job.ends >= now]
        for job in late:
            self._reject(job.exchange, Problem(kind=problems.NOT_READY, fields=problems.retry_after(5)), 1)

    def dismiss(self) -> None:
        """Tell those who wait for a model that is still being loaded that it will not come any more."""
        early, self._early = self._early, []
        for job in early:
            self._reject(job.exchange, Problem(kind=problems.DRAINING, fields=problems.retry_after(1)), 1)

    # What the runner says

    def compose(self, job: Job, answers: Answers, first: int, flags: dict[int, list[Flag]]) -> Composed:
        """Write the answer to a job. Thread-safe, for large ones."""
        reply = self._reply(job, answers, first, first + len(job.question.rows), flags)
        written = job.route.write(reply, job.question)
        if job.exchange.admission.form.packed:
            written = _packed(written)
        return reply, written

    def begin(self, job: Job) -> StreamedAnswer | None:
        """Return what sends the answer to a job part by part; ``None`` if it must be sent as a whole."""
        exchange = job.exchange
        pieces = job.route.pieces(job.question)
        if pieces is None or not exchange.connection.can_stream(exchange) or _is_told(job):
            return None
        if self.recorder is not None and self.recorder.durable:
            return None  # nothing is answered before it is written
        media_type, echoed = pieces.media_type, exchange.admission.form.echoed
        return StreamedAnswer(
            job,
            pieces,
            head=lambda packed: self._front.begin_answer(exchange, media_type, (*(_PACKED if packed else ()), *echoed)),
            reply=lambda answers, flags: self._reply(job, answers, 0, len(answers.predictions), flags),
            counted=lambda reply: self._tally.answers(
                reply.predictions, reply.confidence, reply.probabilities, reply.table
            ),
            finished=self._streamed,
            failed=lambda error: self.failed(job, error),
        )

    def answered(self, job: Job, composed: Composed) -> None:
        """Answer a job; where the book is durable, once it is written."""
        if self.recorder is None or not self.recorder.durable:
            self._answer(job, composed)
        elif not job.told and not job.exchange.gone:
            self._record(self.recorder, job, composed[0], lambda kept: self._acknowledge(job, composed, kept=kept))

    def _acknowledge(self, job: Job, composed: Composed, *, kept: bool) -> None:
        """Answer a job that is in the book; one that is not has no answer."""
        if kept:
            self._answer(job, composed)
        elif not _is_told(job) and not job.exchange.gone:
            self._reject(job.exchange, _no_book(), len(composed[0].predictions))

    def _answer(self, job: Job, composed: Composed) -> None:
        if _is_told(job) or job.exchange.gone:
            return  # what nobody waits for any more is no answer
        exchange = job.exchange
        reply, written = composed
        seconds = monotonic() - exchange.started
        # Counted before it is sent: whoever has the answer sees it in the metrics, whichever worker tells them.
        self._tally.predictions("success", len(reply.predictions), seconds)
        self._tally.answers(reply.predictions, reply.confidence, reply.probabilities, reply.table)
        if reply.flags:
            self._tally.flags(reply.flags)
        echoed = exchange.admission.form.echoed
        if isinstance(written, Written):
            fields = (*written.fields, *echoed)
            self._front.answer(exchange, 200, written.body, media_type=written.media_type, fields=fields)
        else:
            self._front.answer(exchange, 200, written, fields=echoed)
        if self.recorder is not None and not self.recorder.durable:
            self._record(self.recorder, job, reply, None)

    def _record(self, recorder: Recorder, job: Job, reply: Reply, then: Callable[[bool], None] | None) -> None:
        exchange = job.exchange
        recorder.keep(
            exchange.request_id,
            reply.timestamp,
            monotonic() - exchange.started,
            job.question.rows,
            job.question.verbatim,
            reply.predictions,
            reply.confidence,
            reply.flags,
            head=exchange.admission.head,
            then=then,
        )

    def refused(self, job: Job, error: InvalidInput) -> None:
        """Tell a caller that a row does not fit."""
        if _is_told(job):
            return
        self._reject(job.exchange, problems.of_input(error), len(job.question.rows))

    def failed(self, job: Job, error: ModelFailed) -> None:
        """Tell a caller that the model failed."""
        if _is_told(job):
            return
        self._tally.predictions("error", len(job.question.rows), monotonic() - job.exchange.started)
        self._front.refuse(job.exchange, problems.of_model(error))

    def asked(self) -> None:
        """Take note that the model is asked once more."""
        self._tally.asked()

    def fault(self, error: BaseException) -> None:
        """Take note of an error that is ours."""
        self._front.fault(error)

    def _reply(self, job: Job, answers: Answers, first: int, after: int, flags: dict[int, list[Flag]]) -> Reply:
        return Reply(
            request_id=job.exchange.request_id,
            timestamp=self._now(),
            model_version=self._version,
            predictions=answers.predictions[first:after],
            confidence=None if answers.confidence is None else answers.confidence[first:after],
            probabilities=None if answers.probabilities is None else answers.probabilities[first:after],
            flags=flags,
            table=None if answers.table is None else answers.table[first:after],
        )

    def _streamed(self, answer: StreamedAnswer, error: ModelFailed | None) -> None:
        """Count and keep an answer that was sent part by part, or broken off."""
        job = answer.job
        exchange, rows = job.exchange, job.question.rows
        seconds = monotonic() - exchange.started
        self._tally.predictions("success" if error is None else "error", len(rows), seconds)
        self._front.streamed(exchange, None if error is None else problems.of_model(error).kind.code)
        if error is not None:
            return
        self._tally.flags(answer.flags)
        if self.recorder is not None:
            self._record(self.recorder, job, answer.whole(), None)

    # What happens to a request

    def _taker(self, route: Route) -> Callable[[Exchange], None]:
        def take(exchange: Exchange) -> None:
            problem = self._guard(exchange)
            if problem is not None:
                self._reject(exchange, problem, 1)
            elif self.shared_rate is None:
                go(exchange)
            else:
                self._reading += 1
                self._front.later(exchange, self._ask_rate(self.shared_rate, exchange, go))

        def go(exchange: Exchange) -> None:
            form: Form = exchange.admission.form
            if form.coding or form.media_type not in _LIGHT or len(exchange.body) > MOST_AT_ONCE:
                self._reading += 1
                self._front.later(exchange, self._read_later(exchange, route, form))
                return
            try:
                question = route.read(exchange.body, form)
            except InvalidInput as error:
                self._reject(exchange, problems.of_input(error), 1)
                return
            self._submit(exchange, route, question)

        return take

    async def _ask_rate(self, rate: SharedRateLimit, exchange: Exchange, go: Callable[[Exchange], None]) -> None:
        """Ask what a caller may, over all machines, and go on."""
        try:
            problem = await rate.check(exchange.admission.caller)
        finally:
            self._reading -= 1
        if problem is not None:
            self._reject(exchange, problem, 1)
        elif not exchange.gone:
            go(exchange)

    async def _read_later(self, exchange: Exchange, route: Route, form: Form) -> None:
        """Read a body that takes a while, while others are answered."""
        seconds = self._deadline if form.seconds is None else min(form.seconds, self._deadline)
        ends = exchange.started + seconds

        def read() -> Question | None:
            if exchange.gone or monotonic() > ends:
                return None
            body = exchange.body
            if form.coding:
                body = unpack(body, form.coding, most=self._settings.limits.body_bytes)
            return route.read(body, form)

        try:
            question = await asyncio.get_running_loop().run_in_executor(self._readers, read)
        except InvalidInput as error:
            self._reject(exchange, problems.of_input(error), 1)
            return
        finally:
            self._reading -= 1
        if question is not None:
            self._submit(exchange, route, question)
        elif not exchange.gone:
            self._reject(exchange, problems.of_model(DeadlineExceeded(seconds)), 1)

    def _submit(self, exchange: Exchange, route: Route, question: Question) -> None:
        exchange.body = b""
        rows = len(question.rows)
        if rows > 1 and self._rate is not None:
            self._rate.charge(exchange.admission.caller, rows, monotonic())
        if rows > 1 and self.shared_rate is not None:
            self.shared_rate.charge(exchange.admission.caller, rows)
        wished = (question.seconds, exchange.admission.form.seconds)
        seconds = min((self._deadline, *(each for each in wished if each is not None)))
        began = exchange.started
        job = Job(exchange, route, question, ends=began + seconds, limit=began + self._deadline)
        if seconds < self._deadline:
            # Nobody looks after jobs as often as a caller may wish.
            left = job.ends - monotonic()
            job.timer = asyncio.get_running_loop().call_later(max(0.0, left), self._expire, job)
        if self.runner is None and self.state == "draining":
            self._reject(exchange, Problem(kind=problems.DRAINING, fields=problems.retry_after(1)), rows)
        elif self.runner is None:
            self._early.append(job)
        else:
            self.runner.submit(job)

    def _expire(self, job: Job) -> None:
        """Tell a caller that their time is over; whoever comes to the job later finds that nobody waits for it."""
        if not job.exchange.gone:
            self.failed(job, DeadlineExceeded(job.ends - job.exchange.started))
            job.told = True

    def _guard(self, exchange: Exchange) -> Problem | None:
        if self._rate is not None:
            problem = self._rate.check(exchange.admission.caller, exchange.started)
            if problem is not None:
                return problem
        if self.recorder is not None and self.recorder.refuses:
            return _no_book()
        return self._crowd_out(exchange)

    def _crowd_out(self, exchange: Exchange) -> Problem | None:
        """Turn a request away whose turn would not come in time, or for which there is no room."""
        caller: str = exchange.admission.caller.id
        wished: float | None = exchange.admission.form.seconds
        delay = 0.0 if self.runner is None else self.runner.delay(caller)
        if self.runner is None or self._reading:
            has_room = self.waiting < self._settings.queue
        else:
            has_room = self.runner.has_room(caller, self._settings.queue)
        patience = SHARE_OF_WAITING * self._deadline
        if has_room and delay <= (patience if wished is None else min(patience, SHARE_OF_WAITING * wished)):
            return None
        if not has_room or delay > patience:
            self._crowded_until = exchange.started + SECONDS_CROWDED
        # Spread, so that those who were turned away together do not come back together.
        wait = min(60, ceil(delay + random.random() * (2.0 + delay)))  # noqa: S311 - no secret
        return Problem(kind=problems.OVERLOADED, fields=problems.retry_after(wait))

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


def _no_book() -> Problem:
    return Problem(kind=problems.LEDGER_UNAVAILABLE, fields=problems.retry_after(1))


def _is_told(job: Job) -> bool:
    """Whether the caller has been told that their time is over; whoever asks is about to tell them something else."""
    if job.timer is not None:
        job.timer.cancel()
        job.timer = None
    return job.told


def _packed(written: bytes | Written) -> bytes | Written:
    """Return an answer compressed with gzip, if it is large enough to be worth it."""
    whole = written if isinstance(written, Written) else Written(body=written, media_type=JSON)
    if len(whole.body) < SMALLEST_PACKED:
        return written
    return Written(body=pack(whole.body), media_type=whole.media_type, fields=(*whole.fields, *_PACKED))
