"""Requests that HTTP forbids, or that are made to be read in two ways."""

from __future__ import annotations

from tests.attacks.service.attack import Kind
from tests.attacks.service.moves import INNER, Sent, chunks

from sekisho.text import Text

KINDS: list[Kind] = []


def _kind(id: str, title: tuple[str, str], must: tuple[str, str]) -> Kind:
    made = Kind(id=id, area="http", title=Text(en=title[0], ja=title[1]), must=Text(en=must[0], ja=must[1]))
    KINDS.append(made)
    return made


H01 = _kind(
    "H01",
    ("Content-Length and Transfer-Encoding together", "Content-Length と Transfer-Encoding の併用"),
    (
        "400, closed; what stands in the body is never answered as a request",
        "400 で切断。本文中のリクエストには応答しない",
    ),
)
for _variant, _length in {"whole": 5 + len(INNER), "short": 4, "zero": 0}.items():
    H01.add(
        _variant,
        Sent(
            data=lambda target, length=_length: (
                target.head(b"Content-Length: %d" % length, b"Transfer-Encoding: chunked") + chunks() + INNER
            ),
            statuses={400},
            closes=True,
        ),
        needs=("body",),
        on="tight",
    )
