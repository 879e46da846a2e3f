"""The head of a request, and the rules that httptools leaves to us (RFC 9110, RFC 9112)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sekisho.serving import problems
from sekisho.serving.problems import Problem
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable

Field = tuple[bytes, bytes]
"""A header field: name in lower case, value."""

_HOST: Final = re.compile(rb"(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_ABSOLUTE: Final = re.compile(rb"https?://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_PATH: Final = re.compile(rb"/[!-\"$-~]*")
ONCE: Final = frozenset(
    (
        *(b"host", b"content-length", b"content-type", b"content-encoding", b"transfer-encoding"),
        *(b"authorization", b"x-request-id", b"expect", b"x-request-timeout-ms"),
    )
)
"""Fields that may stand in a request once: two of them would let two readers see two requests."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Head:
    """The head of one request.

    Attributes:
        method: Such as ``GET``.
        path: The path of the target, as it was sent.
        query: What follows the question mark.
        version: ``1.0`` or ``1.1``.
        fields: Every header field, in order.
        by_name: The same by name; of several with one name, the last.
        length: The announced length of the body; ``None`` if it comes in chunks.
        keep_alive: Whether the connection stays open after the answer.

    """

    method: str
    path: bytes
    query: bytes
    version: str
    fields: tuple[Field, ...]
    by_name: dict[bytes, bytes]
    length: int | None
    keep_alive: bool

    @property
    def japanese(self) -> bool:
        """Whether the caller would rather read Japanese than English."""
        return self.by_name.get(b"accept-language", b"")[:2].lower() == b"ja"


class Refused(Exception):
    """A head that is not accepted."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


def read_head(
    method: bytes, target: bytes, version: str, fields: list[Field], *, keep_alive: bool, once: frozenset[bytes] = ONCE
) -> Head:
    """Return the head of a request whose syntax httptools has accepted.

    Args:
        method: As httptools gives it.
        target: As it was sent.
        version: As httptools gives it.
        fields: In order, their names in lower case.
        keep_alive: Whether the client wants the connection to stay open.
        once: The fields that may not stand twice.

    Raises:
        Refused: It breaks a rule that httptools does not check.

    """
    if version not in {"1.1", "1.0"}:
        raise Refused(Problem(kind=problems.VERSION_NOT_SUPPORTED))
    by_name = dict(fields)
    if len(by_name) != len(fields):
        no_doubles(fields, once)
    _check_host(by_name.get(b"host"), version)
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is not None:
        # The form that a proxy gets. Who is asked stands in it, and the Host field counts no more (RFC 9112, 3.2.2).
        by_name[b"host"], target = absolute[1], absolute[2]
        _check_host(absolute[1], version)
        target = target if target.startswith(b"/") else b"/" + target
    path, query = _read_target(target)
    length = _read_framing(by_name, version)
    return Head(
        method=method.decode("ascii"),
        path=path,
        query=query,
        version=version,
        fields=tuple(fields),
        by_name=by_name,
        length=length,
        # HTTP/1.0 knows no chunks and no certain end of an answer: one request a connection.
        keep_alive=keep_alive and version == "1.1",
    )


def no_doubles(fields: Iterable[Field], once: frozenset[bytes]) -> None:
    """Refuse a head in which one of ``once`` stands twice.

    Raises:
        Refused: It does.

    """
    seen: set[bytes] = set()
    for name, _ in fields:
        if name in seen and name in once:
            raise _malformed(Text(en="a header field stands twice", ja="重複できないヘッダーが2回あります"))
        seen.add(name)


def _check_host(host: bytes | None, version: str) -> None:
    if (host is None and version == "1.1") or (host is not None and _HOST.fullmatch(host) is None):
        raise Refused(Problem(kind=problems.INVALID_HOST))


def _read_target(target: bytes) -> tuple[bytes, bytes]:
    path, _, query = target.partition(b"?")
    if target != b"*" and _PATH.fullmatch(path) is None:
        raise _malformed(Text(en="the request target is not a path", ja="リクエスト先がパスではありません"))
    return path, query


def _read_framing(by_name: dict[bytes, bytes], version: str) -> int | None:
    coding = by_name.get(b"transfer-encoding")
    length = by_name.get(b"content-length")
    if coding is None:
        if length is None:
            return 0
        if not length.isdigit() or len(length) > 20:
            raise _malformed(Text(en="Content-Length is not a number", ja="Content-Length が数値ではありません"))
        return int(length)
    if length is not None or version == "1.0" or coding.strip().lower() != b"chunked":
        raise _malformed(
            Text(
                en="the only transfer coding is chunked, in HTTP/1.1 and without Content-Length",
                ja="転送コーディングは HTTP/1.1 の chunked のみで、Content-Length とは併用できません",
            )
        )
    return None


def _malformed(detail: Text) -> Refused:
    return Refused(Problem(kind=problems.MALFORMED_HTTP, detail=detail))
