"""A service under attack: how it is asked, what is known of it, and what can be looked at from outside and inside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from tests.attacks.service.attack import expect
from tests.attacks.service.client import Answer, Bystander, Client, bystander

LONGEST_LINE: Final = 4_096
LONGEST_REFUSAL: Final = 4_096
_MARK: Final = "@@"
_HEALTH: Final = ("/health", "/health/live", "/v2/health/live", "/healthz", "/livez", "/ping", "/")


@dataclass(frozen=True, kw_only=True)
class Question:
    """A route that takes a body, and a good body for it.

    Attributes:
        name: What it is called here: ``predict``, ``batch``, ``invocations``, ``infer``, ``feedback``.
        path: The route.
        good: A good body, as JSON has it.
        roles: Where the values of some features stand in it: ``number`` (any number), ``integer``, ``boolean``, ``word`` (a category),
            ``closed`` (a category that refuses those it does not know), ``ranged`` (a number that refuses what is out of range).
        row: Where one row stands, if there may be several; the last step is the place in a list.
        headers: More header fields.
        takes: Media types that it takes besides JSON, and ``""`` if a body need not say what it is.
        codings: Content encodings that it takes.
        predicts: Whether a good body makes a prediction.

    """

    name: str
    path: str
    good: Any
    roles: Mapping[str, tuple[str | int, ...]] = field(default_factory=dict)
    row: tuple[str | int, ...] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    takes: tuple[str, ...] = ()
    codings: tuple[str, ...] = ()
    predicts: bool = True

    @property
    def body(self) -> bytes:
        """The good body."""
        return json.dumps(self.good).encode()

    def at(self, place: str | tuple[str | int, ...], value: object) -> Any:
        """Return the good body with another value at a place, or in a role."""
        path = self.roles[place] if isinstance(place, str) else place
        if not path:
            return value
        whole = json.loads(self.body)
        inner = whole
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = value
        return whole

    def given(self, place: str | tuple[str | int, ...]) -> Any:
        """Return what the good body has at a place, or in a role."""
        value = self.good
        for step in self.roles[place] if isinstance(place, str) else place:
            value = value[step]
        return value

    def replaced(self, place: str | tuple[str | int, ...], value: object) -> bytes:
        """Return the good body in JSON with another value at a place, or in a role."""
        return json.dumps(self.at(place, value)).encode()

    def token(self, place: str | tuple[str | int, ...], token: bytes) -> bytes:
        """Return the good body with bytes, as they are, in place of a value."""
        return json.dumps(self.at(place, _MARK)).encode().replace(b'"%b"' % _MARK.encode(), token)


class Process(Protocol):
    """What is known of a service that we started: all of it as seen by the system, or as the service says itself."""

    def pids(self) -> list[int]:
        """Return the processes that answer."""
        ...

    def rss(self) -> int:
        """Return the bytes of memory of all of them together."""
        ...

    def descriptors(self) -> int:
        """Return how many descriptors they have open."""
        ...

    def threads(self) -> int:
        """Return how many threads they have."""
        ...

    def cpu(self) -> float:
        """Return how many seconds of a processor they have used, all threads together."""
        ...

    def lines(self) -> list[str]:
        """Return the lines of the log."""
        ...

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of a metric that carry these labels."""
        ...

    def booked(self) -> int:
        """Return how many predictions stand in the book."""
        ...


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a service was before an attack."""

    pids: tuple[int, ...] = ()
    lines: int = 0


@dataclass(kw_only=True)
class Target(Client):
    """A service under attack.

    Attributes:
        questions: Routes that take a body, the one for a single row (``predict``) first.
        ours: Whether it is our own, which must do more than keep safe: it must say what was wrong with a code.
        limits: What is known of its limits: ``head_seconds``, ``body_seconds``, ``idle_seconds``, ``body_bytes``, ``rows``, ``workers``.
        process: Its process, if we started it.
        keys: Its keys by scope; a wrong one is easily made.
        tls: Where it speaks TLS, if not here.
        alive: A route that says that it is alive.
        guarded: A route that asks for a key.
        book: Whether it keeps a book of predictions.
        more: Whatever else the attacks of one area want to know.

    """

    questions: dict[str, Question] = field(default_factory=dict)
    ours: bool = False
    limits: Mapping[str, float] = field(default_factory=dict)
    process: Process | None = None
    keys: Mapping[str, str] = field(default_factory=dict)
    tls: str = ""
    alive: str = ""
    guarded: str = ""
    book: bool = False
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def has(self) -> frozenset[str]:
        """What an attack may need."""
        found = {f"limit:{name}" for name in self.limits} | {
            f"role:{role}" for one in self.questions.values() for role in one.roles
        }
        found |= {f"route:{name}" for name in self.questions} | set(self.more)
        there: dict[str, object] = {
            "process": self.process,
            "log": self.process,
            "metrics": self.process,
            "ledger": self.process is not None and self.book,
            "key": self.keys or self.headers,
            "tls": self.tls,
            "body": self.questions,
            "alive": self.alive,
            "guarded": self.guarded,
            "ours": self.ours,
        }
        return frozenset(found | {name for name, value in there.items() if value})

    @property
    def question(self) -> Question:
        """The route for a single row."""
        return next(iter(self.questions.values()))

    def asking(self, role: str) -> list[Question]:
        """Return the routes whose body has a feature of this role."""
        return [one for one in self.questions.values() if role in one.roles]

    # Requests

    def head(
        self, *fields: bytes, question: Question | None = None, target: str = "", length: int | None = None
    ) -> bytes:
        """Return the head of a ``POST``, keys and media type in it; without an announced length unless one is given."""
        asked = question or self.question
        lines = [f"POST {target or asked.path} HTTP/1.1".encode(), self.host_field]
        sent = {"Content-Type": "application/json", **asked.headers, **self.headers}
        lines += [f"{name}: {value}".encode() for name, value in sent.items()]
        if length is not None:
            lines.append(b"Content-Length: %d" % length)
        return b"\r\n".join([*lines, *fields]) + b"\r\n\r\n"

    @property
    def host_field(self) -> bytes:
        return f"Host: {self.host}:{self.port}".encode()

    def post(
        self, *fields: bytes, body: bytes | None = None, question: Question | None = None, target: str = ""
    ) -> bytes:
        """Return a whole ``POST``, by default the good one."""
        data = (question or self.question).body if body is None else body
        return self.head(*fields, question=question, target=target, length=len(data)) + data

    def get(self, *fields: bytes, path: str = "", method: str = "GET", bare: bool = False) -> bytes:
        """Return a request without a body, by default one that asks whether the service is alive."""
        keys = [] if bare else [f"{name}: {value}".encode() for name, value in self.headers.items()]
        line = f"{method} {path or self.alive or '/'} HTTP/1.1".encode("latin-1")
        return b"\r\n".join([line, self.host_field, *keys, *fields]) + b"\r\n\r\n"

    def send(self, question: Question, body: bytes | None = None, **more: Any) -> Answer:
        """Ask a question, by default a good one."""
        headers = {"content-type": "application/json"}
        for given in (question.headers, more.pop("headers", None) or {}):
            headers |= {name.lower(): value for name, value in given.items()}
        return self.ask(question.path, question.body if body is None else body, headers=headers, **more)

    def bystander(self, **more: Any) -> Any:
        """Ask good questions beside an attack: see :func:`bystander`."""
        return bystander(self, self.post() if self.questions else self.get(), **more)

    # What can be looked at

    def predicted(self) -> float:
        """Return how many predictions were made; the same before and after means that none was."""
        return 0.0 if self.process is None else self.process.metric("ml_predictions_total", status="success")

    def counted(self) -> dict[str, float]:
        """Return how many predictions were made, and how many stand in the book; takes as long as the book does."""
        if self.process is None:
            return {}
        return {"predictions": self.predicted(), "booked": float(self.process.booked()) if self.book else 0.0}

    def look(self) -> Look:
        """Return how the service is now."""
        if self.process is None:
            return Look()
        return Look(pids=tuple(sorted(self.process.pids())), lines=len(self.process.lines()))

    def compare(self, before: Look, spares: frozenset[str]) -> None:
        """Say that the service serves as it did, by the same processes, and that its log holds no trace of a fault of ours."""
        if "service" not in spares:
            self._still_serves()
        if self.process is None:
            return
        if "workers" not in spares:
            pids = tuple(sorted(self.process.pids()))
            expect(pids == before.pids, f"the workers were {before.pids} and are {pids}")
        if "log" not in spares:
            for line in self.process.lines()[before.lines :]:
                expect("Traceback" not in line and "internal error" not in line, f"the log says: {line[:300]}")
                expect(len(line) < LONGEST_LINE, f"a line of the log has {len(line)} characters")
                expect(_is_object(line), f"a line of the log is no JSON object: {line[:200]}")

    def _still_serves(self) -> None:
        if self.questions:
            status = self.send(self.question).status
            expect(status == 200, f"a good request gets {status} afterwards")
        else:
            status = self.ask(self.alive or "/").status
            expect(status < 500, f"a request gets {status} afterwards")


def find_alive(client: Client) -> str:
    """Return a route that says that the service is alive; empty if none is known."""
    for path in _HEALTH:
        try:
            if client.ask(path, timeout=3).status == 200:
                return path
        except (OSError, ValueError):
            continue
    return ""


def find_roles(good: Any) -> dict[str, tuple[str | int, ...]]:
    """Return where the first number and the first word of a body stand, names of columns left aside."""
    roles: dict[str, tuple[str | int, ...]] = {}

    def walk(value: Any, path: tuple[str | int, ...]) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                if name not in {"columns", "name", "datatype", "shape", "parameters", "id"}:
                    walk(inner, (*path, name))
        elif isinstance(value, list):
            for place, inner in enumerate(value):
                walk(inner, (*path, place))
        elif isinstance(value, bool):
            roles.setdefault("boolean", path)
        elif isinstance(value, int | float):
            roles.setdefault("number", path)
        elif isinstance(value, str):
            roles.setdefault("word", path)

    walk(good, ())
    return roles


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


__all__ = ["Answer", "Bystander", "Process", "Question", "Target", "find_alive", "find_roles"]
