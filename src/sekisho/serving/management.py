"""The routes by which the live version of a model is changed. They need a key of scope ``admin``, whatever else is open.

A caller names a version or an alias of those that the registry of the service holds; a path, an address or bytes never.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec

from sekisho.errors import InvalidInput
from sekisho.predict import json_text
from sekisho.serving import problems
from sekisho.serving.front import Place
from sekisho.serving.hosted import below
from sekisho.serving.http.forms import JSON, Offer
from sekisho.serving.layout import Wish, Word
from sekisho.serving.problems import Problem
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sekisho.serving.front import Front
    from sekisho.serving.hosting import Hosting
    from sekisho.serving.http.exchange import Exchange
    from sekisho.serving.layout import Outcome

DEEDS: Final = ("activate", "reload", "rollback")
MOST_WAITING: Final = 64
_STATES: Final = {True: "READY", False: "UNAVAILABLE"}
_Deed = Literal["activate", "reload", "rollback"]
_Version = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+_-]{0,63}\Z")]
_KINDS: Final = {
    "refused": problems.CHANGE_REFUSED,
    "unknown": problems.NO_SUCH_VERSION,
    "interrupted": problems.CHANGE_INTERRUPTED,
}


class _Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a request."""

    version: _Version | None = None
    alias: _Version | None = None
    allow_changed_signature: bool = False


class _Index(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a request for the index: whether only what is ready shall be told."""

    ready: bool = False


class Management:
    """Takes wishes of callers to the supervisor, and answers when it has told what became of them.

    Args:
        front: Sends answers.
        hosting: The models.
        say: Tells the supervisor a :class:`~sekisho.serving.layout.Word`.

    """

    def __init__(self, front: Front, hosting: Hosting, say: Callable[[Word], None]) -> None:
        self._front = front
        self._hosting = hosting
        self._say = say
        self._asked: dict[int, Exchange] = {}
        self._number = 0
        self._ended = False

    def places(self) -> Iterator[Place]:
        """Return where the routes are."""
        reading = ("GET", "HEAD")
        yield Place(path="/models", methods=reading, scope=None, offer=Offer(), go=self._tell_all)
        yield Place(
            path="/v2/repository/index",
            methods=("POST",),
            scope=None,
            offer=Offer(media_types=(JSON,), untyped=JSON),
            go=self._tell_index,
        )
        for name in self._hosting.lineup.names:
            path = below(name)
            yield Place(path=path, methods=reading, scope=None, offer=Offer(), go=self._teller(name))
            for deed in DEEDS:
                offer = Offer(media_types=(JSON,), untyped=JSON)
                yield Place(
                    path=f"{path}/{deed}", methods=("POST",), scope="admin", offer=offer, go=self._taker(name, deed)
                )

    def told(self, number: int, outcome: Outcome) -> None:
        """Answer a caller."""
        exchange = self._asked.pop(number, None)
        if exchange is None:
            return
        if outcome.what is not None and outcome.remedy is not None:
            detail = Text(en=outcome.what[0], ja=outcome.what[1])
            expected = Text(en=outcome.remedy[0], ja=outcome.remedy[1])
            kind = _KINDS[outcome.code]
            fields = problems.retry_after(1) if kind.status == 503 else ()
            self._front.refuse(exchange, Problem(kind=kind, detail=detail, expected=expected, fields=fields))
            return
        live, before = outcome.live, outcome.before
        body = {
            "name": live.name,
            "version": live.version,
            "digest": live.digest,
            "changed": outcome.code == "activated",
            "before": None if before is None else {"version": before.version, "digest": before.digest},
            "seconds": outcome.seconds,
        }
        self._front.answer(exchange, 200, msgspec.json.encode(body))

    def end(self) -> None:
        """Answer those who still wait: the service ends, and what becomes of their wishes is of no use any more."""
        self._ended = True
        for exchange in self._asked.values():
            self._front.refuse(exchange, Problem(kind=problems.DRAINING))
        self._asked.clear()

    def _tell_all(self, exchange: Exchange) -> None:
        self._front.answer(exchange, 200, msgspec.json.encode(self._hosting.told()))

    def _tell_index(self, exchange: Exchange) -> None:
        """Tell what there is, as the model repository extension of the Open Inference Protocol asks."""
        try:
            asked = msgspec.convert(json_text.parse(exchange.body) if exchange.body else {}, _Index)
        except (InvalidInput, msgspec.ValidationError):
            self._front.refuse(exchange, Problem(kind=problems.KINDS["wrong_type"]))
            return
        found = [
            {
                "name": one.served.name,
                "version": one.served.version,
                "state": _STATES[one.health.is_ready],
                "reason": "",
            }
            for one in self._hosting
            if one.health.is_ready or not asked.ready
        ]
        self._front.answer(exchange, 200, msgspec.json.encode(found))

    def _teller(self, name: str) -> Callable[[Exchange], None]:
        def tell(exchange: Exchange) -> None:
            self._front.answer(exchange, 200, msgspec.json.encode(self._hosting.told_of(name)))

        return tell

    def _taker(self, name: str, deed: _Deed) -> Callable[[Exchange], None]:
        def take(exchange: Exchange) -> None:
            if self._ended:
                self._front.refuse(exchange, Problem(kind=problems.DRAINING))
                return
            if len(self._asked) >= MOST_WAITING:
                self._front.refuse(exchange, Problem(kind=problems.OVERLOADED, fields=problems.retry_after(5)))
                return
            try:
                wish = _wish(exchange.body, name, deed, exchange.admission.caller.id)
            except InvalidInput as error:
                self._front.refuse(exchange, problems.of_input(error))
                return
            self._number += 1
            self._asked[self._number] = exchange
            self._say(Word(state="asks", number=self._number, wish=wish))

        return take


def _wish(body: bytes, name: str, deed: _Deed, by: str) -> Wish:
    """Return what a body asks.

    Raises:
        InvalidInput: It does not fit.

    """
    value: Any = json_text.parse(body) if body else {}
    try:
        asked = msgspec.convert(value, _Asked)
    except msgspec.ValidationError:
        raise _unfit(deed) from None
    named = [one for one in (asked.version, asked.alias) if one is not None]
    if len(named) != (deed == "activate"):
        raise _unfit(deed)
    return Wish(
        name=name,
        deed=deed,
        version=named[0] if named else "",
        by=by,
        allow_changed_signature=asked.allow_changed_signature,
    )


def _unfit(deed: _Deed) -> InvalidInput:
    shown = '{"version": "..."} or {"alias": "..."}' if deed == "activate" else "{}"
    return InvalidInput(
        "wrong_type",
        Text(en="the body does not say what to change", ja="本文が切り替えの指定になっていません"),
        Text(
            en=f"send {shown}; beside it may stand allow_changed_signature",
            ja=f"{shown} を送ってください。allow_changed_signature も添えられます",
        ),
    )
