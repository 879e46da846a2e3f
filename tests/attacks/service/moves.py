"""Moves that many attacks share: send bytes, and say what must come back."""

from __future__ import annotations

import itertools
import socket
import struct
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from tests.attacks.service.attack import Kind, Outcome, expect, within
from tests.attacks.service.client import Answer, Client, Received, parse_answers
from tests.attacks.service.target import LONGEST_REFUSAL, Question, Target

BEST_OF: Final = 3
FAR_TOO_LONG: Final = 10
MIB: Final = 2**20
PIECE: Final = b" " * 65_536
BYSTANDER_MS: Final = 250.0
"""How long another client may wait at most, in milliseconds."""
CHUNKED: Final = b"Transfer-Encoding: chunked"
RESET: Final = struct.pack("ii", 1, 0)
"""For ``SO_LINGER``: an end without a farewell."""
Bytes = bytes | Callable[[Target], bytes]
INNER = b"GET /sekisho-inner HTTP/1.1\r\nHost: inner\r\n\r\n"
"""A request that must never be answered when it stands in the body of another."""


def chunks(*pieces: bytes, trailers: bytes = b"") -> bytes:
    """Return a body in chunks."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n" + trailers + b"\r\n"


def told(received: Received) -> str:
    """Return in a few words what came back."""
    runs = [(status, len(list(same))) for status, same in itertools.groupby(received.statuses)]
    said = ", ".join(f"{count} × {status}" if count > 1 else str(status) for status, count in runs[:6])
    if len(runs) > 6:
        said += f", … ({len(received.statuses)} answers)"
    return (said or "no answer") + (", closed" if received.closed else ", left open")


def check_refusal(answer: Answer, target: Target) -> None:
    """Say that an answer that refuses is short, and tells no secret of ours; our own is a problem body."""
    expect(answer.size < LONGEST_REFUSAL, f"the answer {answer.status} has {answer.size} bytes")
    expect(b"Traceback" not in answer.body and b"site-packages" not in answer.body, "the answer holds a traceback")
    if target.ours:
        kind = answer.headers.get("content-type")
        # The Open Inference Protocol has JSON with a sentence called "error"; everything else is a problem (RFC 9457).
        told_so = kind == "application/problem+json" or (kind == "application/json" and b'"error"' in answer.body)
        expect((told_so and answer.code) or answer.body == b"", f"the refusal is {kind}")
        if answer.status in {405, 501}:
            expect("allow" in answer.headers, f"{answer.status} without Allow")
        if answer.status in {429, 503}:
            expect("retry-after" in answer.headers, f"{answer.status} without Retry-After")


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One request as raw bytes, and what must come of it.

    Attributes:
        data: The bytes, or what makes them for a target.
        statuses: What the answer may be.
        closes: Whether the connection must be ended by the service. Otherwise our end closes, so that nobody waits.
        answers: How many answers there must be; 0: any number.
        limit: Milliseconds within which the answer must be there; 0: not looked at.
        silent: Whether another's service may end the connection without an answer.
        absent: Bytes that may not stand in what comes back.
        code: What our own service calls it.

    """

    data: Bytes
    statuses: Iterable[int]
    closes: bool = False
    answers: int = 1
    limit: float = 0.0
    silent: bool = True
    absent: bytes = b""
    code: str = ""

    def __call__(self, target: Target) -> Outcome:
        """Send it."""
        data = self.data(target) if callable(self.data) else self.data
        received = target.raw(data, half_close=not self.closes)
        statuses = received.statuses
        if not statuses and self.silent and not target.ours and received.closed:
            return Outcome(seen=told(received))
        expect(
            len(statuses) == self.answers or (statuses and not self.answers),
            f"{len(statuses)} answers, not {self.answers}: {received.data[:300]!r}",
        )
        for answer in received.answers:
            expect(answer.status in set(self.statuses), f"{answer.status}, not one of {sorted(self.statuses)}")
            if answer.status >= 400:
                check_refusal(answer, target)
            if self.code and target.ours:
                expect(answer.code == self.code, f"the code is {answer.code}, not {self.code}")
        if self.closes and any(status >= 400 for status in statuses):
            expect(received.closed, "the connection stays open")
        if self.absent:
            expect(self.absent not in received.data, "what was sent came back")
        figures = {}
        if self.limit:
            figures["ms"] = within(received.milliseconds, self.limit, "the answer")
        return Outcome(seen=told(received), figures=figures)


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A body that must be refused on every route that has such a place, naming the place where our own service does.

    Attributes:
        body: Makes the body for a route.
        role: What the body of a route must have; empty: every route is asked.
        statuses: What the answers may be.
        codes: What our own service may call it; empty: not looked at.
        names: Whether our own service must name the feature.
        only: The routes; empty: all.
        limit: Milliseconds within which each answer must be there; 0: not looked at.

    """

    body: Callable[[Question], bytes]
    role: str = ""
    statuses: tuple[int, ...] = (400, 422)
    codes: tuple[str, ...] = ()
    names: bool = False
    only: tuple[str, ...] = ()
    limit: float = 0.0

    def __call__(self, target: Target) -> Outcome:
        """Send it to every route."""
        asked = target.asking(self.role) if self.role else list(target.questions.values())
        asked = [one for one in asked if not self.only or one.name in self.only]
        before = target.predicted()
        seen: dict[str, None] = {}
        longest = 0.0
        for question in asked:
            answer = self._ask(target, question)
            self._check(answer, question, target)
            seen[f"{answer.status} {answer.code}".strip()] = None
            longest = max(longest, answer.milliseconds)
        if self.limit:
            within(longest, self.limit, "the answer")
        expect(target.predicted() == before, "something was predicted")
        return Outcome(
            seen=", ".join(seen), figures={"routes": len(asked), **({"ms": round(longest, 1)} if self.limit else {})}
        )

    def _ask(self, target: Target, question: Question) -> Answer:
        body = self.body(question)
        return timed(target, question, body, limit=self.limit) if self.limit else target.send(question, body)

    def _check(self, answer: Answer, question: Question, target: Target) -> None:
        where = f"{question.name}: "
        expect(answer.status in self.statuses, f"{where}{answer.status}, not one of {self.statuses}")
        check_refusal(answer, target)
        if not target.ours:
            return
        if self.codes:
            expect(answer.code in self.codes, f"{where}the code is {answer.code}, not one of {self.codes}")
        if self.names:
            field = answer.json().get("field")
            wanted = name_of(question, self.role)
            expect(field == wanted, f"{where}the field is {field}, not {wanted}")


def timed(
    target: Target, question: Question, body: bytes, *, limit: float, headers: dict[str, str] | None = None
) -> Answer:
    """Send a body, and say how long it took: the best of three, since the machine does other things as well.

    Where others take the processor away, the time that the service itself used is what counts, unless it was waited for much longer.
    """
    answers: list[Answer] = []
    while len(answers) < BEST_OF and (not answers or answers[-1].milliseconds > limit):
        before = target.process.cpu() if target.process else 0.0
        answer = target.send(question, body, headers=headers)
        if target.process is not None and limit < answer.milliseconds < FAR_TOO_LONG * limit:
            answer = replace(answer, milliseconds=(target.process.cpu() - before) * 1000)
        answers.append(answer)
    return min(answers, key=lambda answer: answer.milliseconds)


def name_of(question: Question, role: str) -> str | None:
    """Return the name of the feature that stands in a role."""
    path = question.roles[role]
    if question.name == "infer":
        return str(question.good["inputs"][path[1]]["name"])
    if question.name == "invocations" and "dataframe_split" in question.good:
        return str(question.good["dataframe_split"]["columns"][path[-1]])
    return str(path[-1]) if isinstance(path[-1], str) else None


def fields(*lines: bytes) -> Callable[[Target], bytes]:
    """Return what makes the good request with more header fields."""
    return lambda target: target.post(*lines)


def framed(*lines: bytes, body: bytes, after: bytes = b"") -> Callable[[Target], bytes]:
    """Return what makes a request that announces no length of its own accord: the head, the fields, and bytes as they are."""
    return lambda target: target.head(*lines) + body + after


def chunked(
    *, coding: bytes = b"Transfer-Encoding: chunked", trailers: bytes = b"", after: bytes = b""
) -> Callable[[Target], bytes]:
    """Return what makes the good request with its body in chunks."""
    return lambda target: target.head(coding) + chunks(target.question.body, trailers=trailers) + after


def growth(target: Target, before: int) -> float:
    """Return by how many MiB the service's memory has grown."""
    assert target.process is not None
    return round((target.process.rss() - before) / 2**20, 1)


@dataclass(frozen=True, kw_only=True)
class Flood(Sent):
    """Bytes that are refused within a second, while somebody else hardly waits, and little memory is taken."""

    seconds: float = 1.0
    bystander_ms: float = 250.0
    mib: float = 32.0
    quiet: bool = False
    """Whether no answer is needed, since there was no request."""

    def __call__(self, target: Target) -> Outcome:
        """Send them."""
        before = target.process.rss() if target.process else 0
        data = self.data(target) if callable(self.data) else self.data
        with target.bystander() as other:
            if self.quiet:
                received = target.raw(data, half_close=True)
                outcome = Outcome(
                    seen=told(received), figures={"ms": within(received.milliseconds, self.seconds * 1000, "the end")}
                )
            else:
                outcome = Sent(data=data, statuses=self.statuses, closes=True, limit=self.seconds * 1000)(target)
        expect(not other.failures, f"another client got {other.failures[:3]}")
        figures = dict(outcome.figures)
        figures["bystander_ms"] = within(other.longest, self.bystander_ms, "another client")
        if target.process is not None:
            figures["rss_mib"] = growth(target, before)
            expect(figures["rss_mib"] <= self.mib, f"memory grew by {figures['rss_mib']} MiB")
        return Outcome(seen=outcome.seen, figures=figures)


def refuse(kind: Kind, variant: str, data: Bytes, statuses: Iterable[int] = (400,), **more: Any) -> None:
    """Add a request that is refused, after which the connection ends; the parameters are those of :class:`Sent`."""
    kind.add(variant, Sent(data=data, statuses=statuses, closes=True, **more), needs=("body",), on="tight")


def take(kind: Kind, variant: str, data: Bytes, statuses: Iterable[int] = (200,), **more: Any) -> None:
    """Add a request that is answered once; the parameters are those of :class:`Sent`."""
    kind.add(variant, Sent(data=data, statuses=statuses, **more), needs=("body",), on="tight")


def token(role: str, written: str | bytes) -> Callable[[Question], bytes]:
    """Return what makes a body in which a value is written so, as it is."""
    return lambda question: question.token(role, written if isinstance(written, bytes) else written.encode())


def bare(body: bytes) -> Callable[[Question], bytes]:
    """Return what makes the same body for every route."""
    return lambda question: body


def cell(role: str, value: object) -> Callable[[Question], bytes]:
    """Return what makes a body with another value."""
    return lambda question: question.replaced(role, value)


def refused(kind: Kind, variant: str, body: Callable[[Question], bytes], role: str = "", **more: Any) -> None:
    """Add a body that is refused on every route that has such a place."""
    needs = ("body", f"role:{role}") if role else ("body",)
    options = {name: more.pop(name) for name in ("on", "slow", "seconds") if name in more}
    kind.add(variant, Refused(body=body, role=role, **more), needs=needs, **options)


@dataclass(frozen=True, kw_only=True)
class Served:
    """A body that is served or refused in order, and never anything else.

    Attributes:
        body: Makes the body for a route.
        role: What the body of a route must have.
        statuses: What the answers may be.
        ours: What those of our own service may be; empty: the same.
        limit: Milliseconds within which each answer must be there; 0: not looked at.

    """

    body: Callable[[Question], bytes]
    role: str
    statuses: tuple[int, ...] = (200, 422)
    ours: tuple[int, ...] = ()
    limit: float = 0.0

    def __call__(self, target: Target) -> Outcome:
        """Send it to every route."""
        seen: dict[str, None] = {}
        longest = 0.0
        wanted = self.ours if self.ours and target.ours else self.statuses
        for question in target.asking(self.role):
            answer = target.send(question, self.body(question))
            expect(answer.status in wanted, f"{question.name}: {answer.status}, not one of {wanted}")
            if answer.status >= 400:
                check_refusal(answer, target)
            seen[f"{answer.status} {answer.code}".strip()] = None
            longest = max(longest, answer.milliseconds)
        figures = {"ms": within(longest, self.limit, "the answer")} if self.limit else {}
        return Outcome(seen=", ".join(seen), figures=figures)


def served(kind: Kind, variant: str, body: Callable[[Question], bytes], role: str, **more: Any) -> None:
    """Add a body that is served or refused in order; the parameters are those of :class:`Served`."""
    kind.add(variant, Served(body=body, role=role, **more), needs=("body", f"role:{role}"))


def without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: without_ids(inner) for name, inner in value.items() if name not in {"request_id", "timestamp", "id"}
        }
    return [without_ids(inner) for inner in value] if isinstance(value, list) else value


def given_back(target: Target, before: int, spare: int = 3, seconds: float = 15.0) -> int:
    """Wait until the descriptors are as many as before; return how many there are more."""
    process = target.process
    assert process is not None
    ends = time.monotonic() + seconds
    while (more := process.descriptors() - before) > spare:
        expect(time.monotonic() < ends, f"{more} descriptors more than before")
        time.sleep(0.05)
    return more


def statuses_from(target: Client, address: str, requests: list[bytes]) -> list[int]:
    """Send requests from an address of this machine, one after the other on one connection; return the statuses."""
    statuses: list[int] = []
    with socket.create_connection((target.host, target.port), 20, (address, 0)) as connection:
        # So many at once that none of them is beyond what one connection may ask before it is answered.
        for first in range(0, len(requests), 100):
            some = requests[first : first + 100]
            connection.sendall(b"".join(some))
            data = b""
            while len(answers := parse_answers(data)[0]) < len(some) and (piece := connection.recv(262_144)):
                data += piece
            statuses += [answer.status for answer in answers]
    return statuses
