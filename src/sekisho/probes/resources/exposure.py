"""What an answer gives away that no client may see: the code behind it, and what another client sent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from sekisho.probes.wire.message import Reply

_SIGNS: Final[Mapping[str, re.Pattern[str]]] = {
    "traceback": re.compile(
        r"Traceback \(most recent call last\)|\bFile \\?\"[^\"]+\", line \d+|\bat [\w.$]+\([\w]+\.java:\d+\)"
    ),
    "path": re.compile(
        r"(?<![\w/])/(?:home|root|usr|app|opt|srv|var|tmp|work|workspace|mnt|Users)/[\w.-]+|site-packages|dist-packages"
        r"|\b[A-Za-z]:\\\\?\w+"
    ),
    "exception": re.compile(
        r"\b[A-Z][A-Za-z]+(?:Error|Exception|Warning)\]?\s?[:(]"
        r"|could not convert string to float|Input X contains|Input contains (?:NaN|infinity)"
        r"|X has \d+ features|Expected 2D array|feature names (?:should match|unseen at fit)|Feature names (?:seen|unseen)"
        r"|invalid literal for|object of type '\w+'|object has no attribute|unsupported operand"
        r"|not supported between instances|list index out of range|Found unknown categories|setting an array element"
        r"|NoneType|ufunc|dtype\('|sklearn|onnxruntime|lightgbm|xgboost"
    ),
    "query": re.compile(
        r"\bSELECT\s.{1,400}?\sFROM\s|\bINSERT INTO\s|\bUPDATE\s\S+\sSET\s|\bDELETE FROM\s|SQLSTATE|ORA-\d{5}|syntax error at or near"
        r"|\bno such (?:table|column)\b|psycopg|sqlite3|sqlalchemy|pymysql",
        re.DOTALL,
    ),
}


def exposed(reply: Reply, planted: Sequence[str] = ()) -> tuple[str, ...]:
    """Return what ``reply`` gives away: ``traceback``, ``path``, ``exception``, ``query`` and ``value``.

    Args:
        reply: Any answer; of its headers those count that are not part of HTTP itself.
        planted: Values that were sent and must not come back.

    """
    headers = [value for name, value in reply.headers.items() if name.startswith("x-") or "error" in name]
    text = "\n".join((reply.body.decode("utf-8", errors="replace"), *headers))
    found = [name for name, sign in _SIGNS.items() if sign.search(text)]
    if any(value in text for value in planted):
        found.append("value")
    return tuple(found)


def code_of(body: object) -> str | None:
    """Return the machine-readable code of an error: ``code``, a ``type`` that is no sentence, or ``error``."""
    if isinstance(body, list):
        return next((code for item in body if (code := code_of(item)) is not None), None)
    if not isinstance(body, Mapping):
        return None
    for name in ("code", "error_code", "errorCode", "type"):
        value = body.get(name)
        if isinstance(value, str) and value and " " not in value and value != "about:blank":
            return value
        if name != "type" and isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    for name in ("error", "detail", "errors"):
        value = body.get(name)
        if isinstance(value, str) and value and " " not in value:
            return value
        if isinstance(value, Mapping | list) and (code := code_of(value)) is not None:
            return code
    return None


def is_problem(reply: Reply) -> bool:
    """Return whether ``reply`` is a problem detail (RFC 9457) that names its status truthfully."""
    body = reply.json()
    return (
        reply.media_type == "application/problem+json"
        and isinstance(body, Mapping)
        and isinstance(body.get("title"), str)
        and body.get("status") == reply.status
    )


def marks_place(body: object, row: int, count: int) -> bool:
    """Return whether an answer to ``count`` rows holds a fault in the place of ``row`` and answers in all others."""
    if isinstance(body, Mapping):
        return any(marks_place(value, row, count) for value in body.values() if isinstance(value, list | Mapping))
    if not isinstance(body, list) or len(body) != count:
        return False
    return [_is_fault(item) for item in body] == [place == row for place in range(count)]


def _is_fault(item: object) -> bool:
    if not isinstance(item, Mapping):
        return item is None
    return any(item.get(name) for name in ("error", "errors", "code", "detail")) or item.get("status") in {
        "error",
        "failed",
    }


def names_row(body: object, row: int) -> bool:
    """Return whether an error body says which row of a batch is at fault.

    A number under a key that speaks of rows counts, the position in a list of places (``["body", 3, "age"]``), and a
    sentence such as ``row 3``.
    """
    if isinstance(body, Mapping):
        for name, value in body.items():
            if (
                value == row
                and not isinstance(value, bool)
                and str(name).lower() in {"row", "index", "instance", "item"}
            ):
                return True
            if names_row(value, row):
                return True
        return False
    if isinstance(body, list):
        is_place = any(isinstance(item, str) for item in body)
        return (is_place and row in body) or any(names_row(item, row) for item in body)
    if isinstance(body, str):
        return (
            re.search(rf"(?:row|index|instance|item|行)\D{{0,3}}{row}\b|/{row}(?:/|$)|\[{row}\]", body, re.IGNORECASE)
            is not None
        )
    return False
