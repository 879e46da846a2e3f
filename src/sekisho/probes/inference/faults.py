"""What the service answers to requests that are wrong, each in one way."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from sekisho.artifact.signature import Feature, Signature
from sekisho.contract.sections import Serving
from sekisho.gate.probe import Progress, probe
from sekisho.probes.adapters.interface import Adapter, Row, Unreadable
from sekisho.probes.resources.exposure import code_of, exposed, is_problem, marks_place, names_row
from sekisho.probes.resources.service import Service
from sekisho.probes.wire.message import Reply, Request, post
from sekisho.text import Text

BAD_ROWS: Final = (3, 1)
"""Which of the :data:`BATCH` rows is at fault, the first time and the second."""
BATCH: Final = 5
_SYNTAX: Final = (400, 422)
_CONTENT: Final = (422, 400)
_ODD: Final = (200, 422, 400)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One wrong request, sent twice with other values.

    Attributes:
        name: What is wrong with it.
        expected: The statuses that tell it (RFC 9110, RFC 9457); with 200 among them where it may also be answered.
        status: What came; 0 when no answer came.
        fault: Why no answer came.
        is_json: Whether the body is JSON.
        is_problem: Whether it is a problem detail that names its status.
        code: Its machine-readable code.
        is_steady: Whether both answers have the same status and code.
        exposed: What the answer gives away: ``traceback``, ``path``, ``exception``, ``query``, ``value``.
        names_row: Whether it says which row is at fault, wherever that stands; ``None`` where no row is.
        is_untrue: Whether a problem detail names another status than the answer has.
        is_answer: Whether an answer with success holds a prediction; ``None`` for any other.

    """

    name: str
    expected: tuple[int, ...]
    status: int
    fault: str | None
    is_json: bool
    is_problem: bool
    code: str | None
    is_steady: bool
    exposed: tuple[str, ...]
    names_row: bool | None
    is_untrue: bool = False
    is_answer: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FaultTable:
    """Every fault that was tried.

    Attributes:
        strict: Whether it is Sekisho's own server, which promises documented statuses and problem details.
        faults: In the order they were sent.
        still_answers: Whether a right request is answered afterwards as before.

    """

    strict: bool
    faults: tuple[Fault, ...]
    still_answers: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wrong:
    """A wrong request, and what must not come back."""

    name: str
    expected: tuple[int, ...]
    request: Request
    planted: tuple[str, ...] = field(default=())
    row: int | None = None


@probe("inference/faults", title=Text(en="Send wrong requests", ja="誤ったリクエストを送信"), seconds=2)
def faults(service: Service, serving: Serving, progress: Progress) -> FaultTable:
    """Send each wrong request twice, with other canaries, and keep what came of it."""
    instance = service.main
    good = service.adapter.one(service.rows[0])
    (before,) = instance.ask([good])
    first, second = (list(_wrong(service, serving, secrets.token_hex(6), bad)) for bad in BAD_ROWS)
    replies = []
    for start in range(0, len(first), 10):
        progress.advance(start / len(first))
        part = [wrong.request for pair in zip(first, second, strict=True) for wrong in pair][2 * start : 2 * start + 20]
        replies += instance.ask(part, timeout=10.0)
    (after,) = instance.ask([good])
    pairs = zip(first, second, replies[::2], replies[1::2], strict=True)
    return FaultTable(
        strict=service.own,
        faults=tuple(_seen(service.adapter, *pair) for pair in pairs),
        still_answers=before.ok and after.ok,
    )


def _seen(adapter: Adapter, first: _Wrong, second: _Wrong, reply: Reply, again: Reply) -> Fault:
    body = reply.json()
    named = _says_row(body, first.row), _says_row(again.json(), second.row)
    leaks = {*exposed(reply, first.planted), *exposed(again, second.planted)}
    if reply.ok:
        leaks.discard("value")  # whoever gets an answer may read what they asked
    return Fault(
        name=first.name,
        expected=first.expected,
        status=reply.status,
        fault=reply.fault,
        is_json=body is not None,
        is_problem=is_problem(reply),
        code=code_of(body),
        is_steady=(reply.status, code_of(body)) == (again.status, code_of(again.json())),
        exposed=tuple(sorted(leaks)),
        names_row=None if first.row is None else all(named),
        is_untrue=any(_is_untrue(each) for each in (reply, again)),
        is_answer=_is_answer(adapter, reply) if reply.ok and first.row is None else None,
    )


def _says_row(body: object, row: int | None) -> bool:
    return row is not None and (names_row(body, row) or marks_place(body, row, BATCH))


def _is_untrue(reply: Reply) -> bool:
    body = reply.json()
    stated = body.get("status") if isinstance(body, Mapping) else None
    return reply.refused and isinstance(stated, int) and 400 <= stated < 600 and stated != reply.status


def _is_answer(adapter: Adapter, reply: Reply) -> bool:
    try:
        adapter.read_one(reply)
    except Unreadable:
        return False
    return True


def _wrong(service: Service, serving: Serving, canary: str, bad_row: int = BAD_ROWS[0]) -> Iterator[_Wrong]:
    row = service.rows[0]
    yield from _broken_bytes(service, row, canary)
    yield from _wrong_values(service, row, canary)
    yield from _odd_values(service, row, canary)
    yield from _wrong_requests(service, serving, row, canary)
    yield from _wrong_batches(service, canary, bad_row)


def _broken_bytes(service: Service, row: Row, canary: str) -> Iterator[_Wrong]:
    good = service.adapter.one(row)
    body, route = good.body, good.target
    for name, bad in (
        ("cut off", body[:-1]),
        ("two values", body + body),
        ("single quotes", body.replace(b'"', b"'")),
        ("trailing comma", body[:-1] + b",}"),
        ("no body", b""),
        ("bytes that are no UTF-8", b'{"\xff\xfe": 1}'),
        ("UTF-16", body.decode().encode("utf-16")),
        ("null", b"null"),
        ("a number", b"4111"),
        ("an empty list", b"[]"),
        ("an empty object", b"{}"),
        ("a sentence", f'"SECRET-{canary}"'.encode()),
    ):
        # Many libraries read JSON in UTF-16 too, which harms nobody.
        expected = (*_SYNTAX, 200) if name == "UTF-16" and not service.own else _SYNTAX
        yield _Wrong(name=f"body: {name}", expected=expected, request=post(route, bad), planted=(canary,))


def _wrong_values(service: Service, row: Row, canary: str) -> Iterator[_Wrong]:
    """Yield rows with one wrong value, at the first feature of its kind."""
    one, signature = service.adapter.one, service.signature
    text = f"SECRET-{canary}"
    number = first_of(signature, "float", "integer")
    if number is not None:
        values = {
            "a word for a number": text,
            "a list for a number": [text],
            "an object for a number": {text: 1},
            "NaN": msgspec.Raw(b"NaN"),
            "Infinity": msgspec.Raw(b"Infinity"),
            "a lone surrogate": msgspec.Raw(b'"\\ud800"'),
        }
        for name, value in values.items():
            yield _Wrong(
                name=f"value: {name}",
                expected=_SYNTAX,
                request=one({**row, number.name: value}),
                planted=(text,),
            )
    category = first_of(signature, "category", "text")
    if category is not None:
        for name, value in (
            ("an object for a category", {text: 1}),
            ("a lone surrogate in a category", msgspec.Raw(b'"\\ud800"')),
        ):
            request = one({**row, category.name: value})
            yield _Wrong(name=f"value: {name}", expected=_SYNTAX, request=request, planted=(text,))
    never_null = next((feature for feature in signature.features if not feature.nullable), None)
    if never_null is not None:
        yield _Wrong(name="value: null", expected=_CONTENT, request=one({**row, never_null.name: None}))
    needed = next((feature.name for feature in reversed(signature.features) if not feature.nullable), None)
    if needed is not None:  # a feature that may be null may be left out too
        fewer = {name: value for name, value in row.items() if name != needed}
        yield _Wrong(name="features: one missing", expected=_CONTENT, request=one(fewer))
    yield _Wrong(name="features: one unknown", expected=_CONTENT, request=one({**row, f"unknown_{canary}": 1.0}))
    yield _Wrong(name="features: none", expected=_CONTENT, request=one({}))


def _odd_values(service: Service, row: Row, canary: str) -> Iterator[_Wrong]:
    """Yield rows with values of the right type that no model was made for: answered or refused, but never a failure."""
    one, signature = service.adapter.one, service.signature
    number = first_of(signature, "float") or first_of(signature, "integer")
    if number is not None:
        for name, value in (("beyond 32 bits", b"1e300"), ("far below zero", b"-1000000000000")):
            yield _Wrong(name=f"value: {name}", expected=_ODD, request=one({**row, number.name: msgspec.Raw(value)}))
    category = first_of(signature, "category")
    if category is not None and all(isinstance(known, str) for known in category.categories or ()):
        text = f"SECRET-{canary}"
        request = one({**row, category.name: text})
        yield _Wrong(name="value: a category never seen", expected=_ODD, request=request, planted=(text,))


def _wrong_requests(service: Service, serving: Serving, row: Row, canary: str) -> Iterator[_Wrong]:
    good = service.adapter.one(row)
    body, route = good.body, good.target
    if body.startswith(b"{"):
        unknown = b'{"unexpected_%b": 1, ' % canary.encode() + body[1:]
        yield _Wrong(name="request: unknown field", expected=_CONTENT, request=post(route, unknown))
    for name, media_type in (
        ("text", "text/plain"),
        ("a form", "application/x-www-form-urlencoded"),
        ("a pickle", "application/python-pickle"),
    ):
        request = post(route, body, media_type=media_type)
        expected = (415,) if service.own else (415, 400, 422, 200)  # JSON under another name harms nobody
        yield _Wrong(name=f"request: media type of {name}", expected=expected, request=request)
    if service.own:
        compressed = post(route, body).with_headers(("Content-Encoding", "gzip"))
        yield _Wrong(name="request: compressed, and is not", expected=(415, 400), request=compressed)
    large = post(route, body + b" " * (serving.maximum_body_bytes + 1_024))
    yield _Wrong(name="request: over the size limit", expected=(413,), request=large)
    for method in ("GET", "DELETE"):
        yield _Wrong(
            name=f"request: {method} to predict",
            expected=(405,) if service.own else (405, 404, 501),
            request=Request(method=method, target=route),
        )
    yield _Wrong(name="request: unknown route", expected=(404,), request=post(f"/no-such-route-{canary}", body))


def _wrong_batches(service: Service, canary: str, bad_row: int) -> Iterator[_Wrong]:
    number = first_of(service.signature, "float", "integer")
    rows: list[Mapping[str, object]] = [dict(service.rows[at % len(service.rows)]) for at in range(BATCH)]
    if number is not None:
        text = f"SECRET-{canary}"
        rows[bad_row] = {**rows[bad_row], number.name: text}
        for name, request in _both_batches(service, rows):
            yield _Wrong(name=f"{name}: one bad row", expected=_CONTENT, request=request, planted=(text,), row=bad_row)
    for name, request in _both_batches(service, rows[:1]):
        for what, bad in (("cut off", request.body[:-1]), ("a number", b"4111")):
            yield _Wrong(name=f"{name}: {what}", expected=_SYNTAX, request=post(request.target, bad))


def _both_batches(service: Service, rows: Sequence[Row]) -> Iterator[tuple[str, Request]]:
    batches = {"batch": service.adapter.many(rows), "invocations": service.adapter.invocation(rows)}
    for name, request in batches.items():
        if request is not None:
            yield name, request


def first_of(signature: Signature, *kinds: str) -> Feature | None:
    """Return the first feature of one of ``kinds``."""
    return next((feature for feature in signature.features if feature.kind in kinds), None)
