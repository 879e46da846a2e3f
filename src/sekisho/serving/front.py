"""The front of a worker: which requests are taken, where they go, and what is said and counted about them."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import secrets
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from sekisho.serving import problems
from sekisho.serving.guards.guesses import CODES
from sekisho.serving.guards.interface import Caller
from sekisho.serving.guards.keys import PREFIX
from sekisho.serving.guards.tls import HSTS
from sekisho.serving.http.exchange import JSON, Admission, Channel, Exchange
from sekisho.serving.http.forms import NOTHING, Offer, read_form
from sekisho.serving.http.head import ONCE, Refused, no_doubles
from sekisho.serving.http.responses import Responses
from sekisho.serving.problems import Problem
from sekisho.serving.tally import OTHER
from sekisho.text import Language, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sekisho.serving.guards.callers import Callers, Identity
    from sekisho.serving.guards.interface import Scope
    from sekisho.serving.http.head import Head
    from sekisho.serving.logs import Log
    from sekisho.serving.settings import ServingSettings
    from sekisho.serving.tally import Tally

_HARMLESS_ID: Final = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")
OPEN_INFERENCE: Final = b"/v2"
"""Below this path, errors are those of the Open Inference Protocol."""
_BELOW_OPEN_INFERENCE: Final = (OPEN_INFERENCE + b"/", b"/inference.")


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Place:
    """Where requests go.

    Attributes:
        path: The path, as it is counted and logged; a version stands in it as ``{version}``, so that no version makes one more.
        methods: The methods that it takes.
        scope: What a key must be good for; ``None``: any key.
        offer: What it takes and gives.
        go: Answers a request, now or later.
        model: The artifact that is asked, by the beginning of its digest; empty if none is.

    """

    path: str
    methods: tuple[str, ...]
    scope: Scope | None
    offer: Offer
    go: Callable[[Exchange], None]
    model: str = ""

    @property
    def allow(self) -> bytes:
        """The value of ``Allow``."""
        return ", ".join(self.methods).encode()


class Front:
    """What stands behind the connections of one worker: see :class:`~sekisho.serving.http.exchange.Site`.

    Args:
        settings: How the service runs.
        callers: Tells callers apart.
        tally: Counts requests.
        log: Takes a line about each.

    """

    def __init__(self, settings: ServingSettings, *, callers: Callers, tally: Tally, log: Log) -> None:
        self.limits = settings.limits
        self.draining = False
        self.epoch = 0
        self.connections: set[Channel] = set()
        self.known_heads: dict[bytes, Admission] = {}
        self.held = 0
        named = (settings.key_header, settings.ledger_subject_header)
        self.once = ONCE | {name.lower().encode() for name in named if name is not None}
        self.responses = Responses(*(() if settings.certificate is None else (HSTS,)))
        self._settings = settings
        self.by_address = callers.by_address
        self._callers = callers
        self._tally = tally
        self._log = log
        self._places: dict[bytes, Place] = {}
        self._hosts = _hosts(settings)
        self._prefix = f"{secrets.token_hex(5)}-"
        self._numbers = iter(range(1, 2**63))
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, places: Mapping[str, Place]) -> None:
        """Answer requests to ``places`` from now on, by path, and to no others.

        What is still on its way to a place that was there before goes to the one of now.
        """
        self._places = {path.encode(): place for path, place in places.items()}
        self.forget()

    @property
    def paths(self) -> dict[str, Place]:
        """Where requests go, by path."""
        return {path.decode(): place for path, place in self._places.items()}

    def forget(self) -> None:
        """Forget what was found out about heads before."""
        self.epoch += 1
        self.known_heads.clear()

    # What connections ask

    def admit(self, head: Head, peer: str, *, place: Place | None = None) -> Admission:
        """Judge a head.

        Args:
            head: The head.
            peer: The address of the caller.
            place: Where it goes, if that is known already: then it came on another way than HTTP/1.1, and names no host.

        """
        is_known, place = place is not None, place or self._places.get(head.path)
        identity: Identity | None = None
        refusal: Problem | None
        form = NOTHING
        try:
            if is_known:
                no_doubles(head.fields, self.once)
            else:
                self._check_host(head)
            place = self._find(place, head)
            identity = self._callers.identify(place.path, place.scope, head, peer)
            form = read_form(head, place.offer)
            refusal = None
        except Refused as error:
            refusal = error.problem
        return Admission(
            head=head,
            route=place,
            caller=identity.caller if identity else Caller(id=self._callers.address(head, peer), scopes=frozenset()),
            form=form,
            refusal=refusal,
            takes=self.limits.body_bytes,
            epoch=self.epoch,
            until=identity.until if identity else 0.0,
        )

    def identify(self, head: Head) -> str:
        """Return the caller's request id if it is harmless, else a new one."""
        given = head.by_name.get(b"x-request-id")
        # An id stands in the log: whatever looks like a key has got here by mistake.
        if given is None or _HARMLESS_ID.fullmatch(given) is None or given.startswith(PREFIX.encode()):
            return self.new_id()
        return given.decode("ascii")

    def new_id(self) -> str:
        """Return a request id that no other request has."""
        return f"{self._prefix}{next(self._numbers):x}"

    def begin(self, exchange: Exchange) -> None:
        """Send a request where it goes."""
        admission = exchange.admission
        if admission.epoch != self.epoch:
            # What its path means may have changed since the head came.
            admission = dataclasses.replace(admission, route=self._places.get(admission.head.path))
            exchange.admission = admission
        if admission.route is None:
            self.refuse(exchange, Problem(kind=problems.NOT_FOUND))
        else:
            admission.route.go(exchange)

    def refuse(self, exchange: Exchange, problem: Problem) -> None:
        """Answer with a problem."""
        head = exchange.admission.head
        language: Language = "ja" if head.japanese else "en"
        encode, media_type = problems.encode, problems.MEDIA_TYPE
        if head.path == OPEN_INFERENCE or head.path.startswith(_BELOW_OPEN_INFERENCE):
            encode, media_type = problems.encode_open_inference, JSON
        self.answer(
            exchange,
            problem.status,
            encode(problem, language=language, request_id=exchange.request_id),
            media_type=media_type,
            fields=problem.fields,
            code=problem.kind.code,
        )

    def turn_away(self, problem: Problem) -> bytes:
        """Return the answer to a request that could not even be read."""
        request_id = self.new_id()
        self._tally.request(OTHER, problem.status, problem.kind.code)
        self._log.request(problem.status, OTHER, request_id, "", 0.0, problem.kind.code)
        return self.responses.render(
            problem.status,
            problems.encode(problem, language="en", request_id=request_id),
            media_type=problems.MEDIA_TYPE,
            request_id=request_id,
            close=True,
            fields=problem.fields,
        )

    def fault(self, error: BaseException) -> None:
        """Note an error that is ours: what it was and where, not what it says, which may hold a caller's values."""
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = "" if trace is None else f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"
        self._log.say("error", "internal error", kind=type(error).__name__, where=where)

    # What the routes use

    def answer(
        self,
        exchange: Exchange,
        status: int,
        body: bytes,
        *,
        media_type: bytes = JSON,
        fields: tuple[tuple[bytes, bytes], ...] = (),
        code: str | None = None,
    ) -> None:
        """Answer, count and log."""
        if exchange.gone:
            return
        self._count(exchange, status, code)
        exchange.complete(self.responses, status, body, media_type, fields)
        self._note(exchange, status, code)

    def begin_answer(self, exchange: Exchange, media_type: bytes, fields: tuple[tuple[bytes, bytes], ...]) -> bytes:
        """Return the head of an answer that follows piece by piece."""
        return self.responses.begin(
            media_type, request_id=exchange.request_id, close=exchange.connection.ends, fields=fields
        )

    def streamed(self, exchange: Exchange, code: str | None = None) -> None:
        """Count and log an answer that was sent piece by piece, or broken off because of ``code``."""
        status = 200 if code is None else problems.KINDS[code].status
        self._count(exchange, status, code)
        self._note(exchange, status, code)

    def _count(self, exchange: Exchange, status: int, code: str | None) -> None:
        route = exchange.admission.route
        self._tally.request(OTHER if route is None else route.path, status, code)

    def _note(self, exchange: Exchange, status: int, code: str | None) -> None:
        admission = exchange.admission
        route, model = (OTHER, "") if admission.route is None else (admission.route.path, admission.route.model)
        seconds = monotonic() - exchange.started
        if code not in CODES or self._callers.deserves_line(admission.caller.id):
            self._log.request(status, route, exchange.request_id, admission.caller.id, seconds, code, model)

    def later(self, exchange: Exchange, work: Any) -> None:
        """Answer when a coroutine has run; whatever it raises becomes an internal error."""

        async def run() -> None:
            try:
                await work
            except Exception as error:  # a fault in one route is not a fault of the worker
                self.fault(error)
                self.refuse(exchange, Problem(kind=problems.INTERNAL))

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def refresh_keys(self) -> None:
        """Read keys again that have changed; what was found out about heads before is forgotten."""
        if self._callers.refresh(self._log.say):
            self.forget()

    def _check_host(self, head: Head) -> None:
        if self._hosts is None:
            return
        host = head.by_name.get(b"host", b"localhost").decode("ascii").lower()
        name = host.rpartition(":")[0] if re.search(r":[0-9]+$", host) else host
        if name not in self._hosts:
            raise Refused(
                Problem(
                    kind=problems.INVALID_HOST,
                    detail=Text(en="this service has another name", ja="このサービスの名前ではありません"),
                )
            )

    def _find(self, place: Place | None, head: Head) -> Place:
        if place is None and head.path == b"*":
            raise Refused(Problem(kind=problems.METHOD_NOT_ALLOWED, fields=((b"allow", b"GET, HEAD, POST"),)))
        if place is None:
            raise Refused(Problem(kind=problems.NOT_FOUND))
        if head.method not in place.methods:
            raise Refused(Problem(kind=problems.METHOD_NOT_ALLOWED, fields=((b"allow", place.allow),)))
        return place


def _hosts(settings: ServingSettings) -> frozenset[str] | None:
    """Return the names that are answered to; ``None`` for any."""
    if settings.allowed_hosts:
        return frozenset(name.lower() for name in settings.allowed_hosts)
    if settings.asks_who or settings.open:
        return None
    return frozenset((*_LOOPBACK_NAMES, settings.host.lower()))
