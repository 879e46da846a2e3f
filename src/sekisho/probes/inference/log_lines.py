"""What the service writes when it is asked: a line for each request, and none of the values that were planted."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from sekisho.errors import NotMeasured
from sekisho.gate.probe import Progress, probe
from sekisho.probes.adapters.interface import Row
from sekisho.probes.resources.service import Service
from sekisho.probes.wire.message import Reply, Request, post
from sekisho.text import Text

REQUESTS: Final = 40
FORGED_IN: Final = ("path", "User-Agent", "X-Request-ID")
PATIENCE: Final = 3.0
"""Seconds that lines may take to appear."""
ID_HEADERS: Final = ("x-request-id", "request-id", "x-correlation-id", "x-amzn-requestid", "traceparent")
_ID_NAME: Final = re.compile(r"(request|correlation|invocation|trace|transaction)-?_?id$")
"""Other names of such headers, ``ce-requestid`` and ``x-bentoml-request-id`` among them."""
MEMBERS: Final[Mapping[str, frozenset[str]]] = {
    "time": frozenset({"time", "timestamp", "ts", "@timestamp", "asctime", "datetime", "date"}),
    "level": frozenset({"level", "levelname", "severity", "log.level", "loglevel", "lvl"}),
    "status": frozenset(
        {"status", "status_code", "statuscode", "http_status", "code", "response_code", "http.status_code"}
    ),
    "latency": frozenset(
        {
            "latency",
            "latency_ms",
            "duration",
            "duration_ms",
            "elapsed",
            "elapsed_ms",
            "seconds",
            "response_time",
            "took",
        }
    ),
    "model": frozenset({"model", "model_version", "version", "digest", "artifact", "model_digest", "model_name"}),
}
"""Names in use for what a line says, in lower case."""
NOT_THERE: Final = {"404", "405"}


@dataclass(frozen=True, kw_only=True, slots=True)
class LogLines:
    """The lines that a service wrote to standard output and error while it was asked.

    Attributes:
        sent: Requests, good and bad.
        id_header: The header of the answers that carries an id; ``None`` when there is none.
        distinct_ids: How many different ids the answers carried.
        found: For how many requests a line holds the id.
        lines: How many lines were written.
        unreadable: How many of them are no JSON object.
        lacking: Of the lines about requests, how many lack each of :data:`MEMBERS`; only names that are lacking somewhere.
        planted: How many values were planted: in features, in bodies that are wrong, in the query, and the keys themselves.
        leaked: Which kinds of planted values stand in a line.
        answered: How many of the requests were answered with success.
        forged: Where a caller can put a member or a line of its own into the log: ``path``, ``User-Agent`` or ``X-Request-ID``.

    """

    sent: int
    id_header: str | None
    distinct_ids: int
    found: int
    lines: int
    unreadable: int
    lacking: Mapping[str, int]
    planted: int
    leaked: tuple[str, ...]
    forged: tuple[str, ...] = ()
    answered: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Planted:
    """One request, and what in it must not be seen again: kind and value."""

    request: Request
    values: tuple[tuple[str, str], ...]


@probe(
    "inference/log-lines",
    title=Text(en="Search the log for planted values", ja="仕込んだ値をログから探す"),
    seconds=4,
)
def log_lines(service: Service, progress: Progress) -> LogLines:
    """Ask a fresh instance for rows with values that stand nowhere else, well and badly, and read all that it writes meanwhile.

    Raises:
        NotMeasured: Somebody else started the service: its log cannot be seen from here.

    """
    with service.another() as instance:
        if instance.log is None:
            raise NotMeasured(
                Text(
                    en="the log of a service that is given by its address cannot be seen from here",
                    ja="アドレスで指定されたサービスのログは、ここからは見えません",
                ),
                Text(
                    en="name its command in serving.command, so that it can be started here",
                    ja="ここで起動できるように serving.command でコマンドを指定してください",
                ),
            )
        start = _settled(instance.log)
        forgeries = {where: _word() for where in FORGED_IN}
        planted = list(_requests(service))
        replies = instance.ask([each.request for each in planted], progress=progress, share=(0.0, 0.7))
        # A server may refuse these before the service sees them, so that they have no id and no line.
        replies_to_forgeries = instance.ask([each.request for each in _forgeries(service, forgeries)], timeout=5.0)
        instance.must_live([*replies, *replies_to_forgeries])
        header = _id_header(replies)
        ids = [reply.headers.get(header, "") if header else "" for reply in replies]
        text = _written(instance.log, start, [each for each in ids if each])
        values = [pair for each in planted for pair in each.values] + [("key", key) for key in instance.keys.secrets]
    found = _told(text, ids=ids, header=header, values=values, forgeries=forgeries)
    return replace(found, answered=sum(reply.ok for reply in replies))


def _requests(service: Service) -> Iterator[_Planted]:
    """Yield requests that are answered and requests that are refused, each with values of its own."""
    for index in range(REQUESTS):
        row, values = _marked(service, service.rows[index % len(service.rows)], index)
        request = service.adapter.one(row)
        yield _Planted(request=request, values=values)
    target = service.adapter.routes.predict
    for kind, template in (
        ("a broken body", '{{"features": "{0}"'),
        ("an unknown field", '{{"{0}": 1}}'),
        ("a name and a card number", '{{"name": "Yamada Taro {0}", "card": "4111 1111 1111 {0}"}}'),
    ):
        word = _word()
        yield _Planted(request=post(target, template.format(word).encode()), values=((kind, word),))
    word = _word()
    first = service.adapter.one(service.rows[0])
    yield _Planted(
        request=Request(
            method=first.method, target=f"{first.target}?token={word}", body=first.body, headers=first.headers
        ),
        values=(("the query", word),),
    )


def _forgeries(service: Service, words: Mapping[str, str]) -> Iterator[_Planted]:
    """Yield requests that try to end a string of the log and to begin a member, or a line, of their own."""
    first = service.adapter.one(service.rows[0])
    for where, word in words.items():
        member = f'","{word}":"'
        if where == "path":
            target = "/" + quote(f'none{member}x"}}\n{{"{word}":"1', safe="")
            yield _Planted(request=Request(target=target), values=())
        else:
            yield _Planted(request=first.with_headers((where, f"a{member}b")), values=())


def _marked(service: Service, row: Row, index: int) -> tuple[dict[str, object], tuple[tuple[str, str], ...]]:
    """Return the row with numbers that stand nowhere else, and now and then a word in place of a category."""
    marked, values = dict(row), []
    for feature in service.signature.features:
        value = row.get(feature.name)
        if feature.kind == "float" and isinstance(value, float) and 0.01 < abs(value) < 1e9:
            odd = float(f"{value:.6g}") * (1 + 1.2345e-7 * (index + 1))
            marked[feature.name] = odd
            values.append(("a number", repr(odd)))
        elif feature.kind in {"category", "text"} and isinstance(value, str) and index % 4 == 0:
            marked[feature.name] = word = _word()
            values.append(("a category", word))
        elif feature.kind == "integer" and index % 4 == 1:
            marked[feature.name] = number = 10**8 + secrets.randbelow(9 * 10**8)
            values.append(("a number", str(number)))
    return marked, tuple(values)


def _word() -> str:
    return f"planted{secrets.token_hex(6)}"


def _settled(log: Path) -> int:
    """Return the size of the log once the lines of the start are written."""
    size = -1
    for _ in range(10):
        now = log.stat().st_size
        if now == size:
            break
        size = now
        time.sleep(0.15)
    return size


def _written(log: Path, start: int, ids: list[str]) -> str:
    """Return what was written from ``start`` on, once every id is there or the patience is at its end."""
    end = time.monotonic() + PATIENCE
    while True:
        with log.open("rb") as stream:
            stream.seek(start)
            text = stream.read().decode("utf-8", "replace")
        if time.monotonic() > end or (ids and all(each in text for each in ids)):
            return text
        time.sleep(0.1)


def _id_header(replies: list[Reply]) -> str | None:
    shared = set.intersection(*(set(reply.headers) for reply in replies)) if replies else set()
    others = sorted(name for name in shared if _ID_NAME.search(name))
    return next((name for name in (*ID_HEADERS, *others) if all(reply.headers.get(name) for reply in replies)), None)


def _told(
    text: str, *, ids: list[str], header: str | None, values: list[tuple[str, str]], forgeries: Mapping[str, str]
) -> LogLines:
    lines = [line for line in text.splitlines() if line.strip()]
    read = [_object(line) for line in lines]
    about = [
        members
        for line, members in zip(lines, read, strict=True)
        if members and any(each and (each in line or each in members.values()) for each in ids)
    ]
    texts = {value for members in read for value in (members or {}).values() if isinstance(value, str)}
    lacking = {
        name: sum(
            not words & {key.lower() for key in members}
            for members in about
            if not (name == "model" and _is_lost(members))
        )
        for name, words in MEMBERS.items()
    }
    return LogLines(
        sent=len(ids),
        id_header=header,
        distinct_ids=len({each for each in ids if each}),
        found=sum(bool(each) and (each in text or each in texts) for each in ids),
        lines=len(lines),
        unreadable=sum(members is None for members in read),
        lacking={name: count for name, count in lacking.items() if count},
        planted=len(values),
        leaked=tuple(sorted({kind for kind, value in values if value in text})),
        forged=tuple(
            where for where, word in forgeries.items() if any(_has_member(members, word) for members in read if members)
        ),
    )


def _has_member(members: Mapping[str, object], name: str) -> bool:
    return any(
        key == name or (isinstance(value, Mapping) and _has_member(value, name)) for key, value in members.items()
    )


def _is_lost(members: Mapping[str, object]) -> bool:
    """Return whether a line is about a request to a route that is not there: no model had to do with it."""
    return any(str(value) in NOT_THERE for key, value in members.items() if key.lower() in MEMBERS["status"])


def _object(line: str) -> dict[str, object] | None:
    try:
        return msgspec.json.decode(line, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError):
        return None
