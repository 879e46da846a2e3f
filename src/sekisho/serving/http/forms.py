"""What the head of a request says of its body and of the answer: media types, encodings, what the caller can read (RFC 9110, 8 and 12)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sekisho.serving import problems
from sekisho.serving.http.head import Refused
from sekisho.serving.problems import Problem
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.serving.http.head import Field, Head

JSON: Final = "application/json"
ECHOED: Final = b"x-amzn-sagemaker-custom-attributes"
"""What SageMaker's callers send along and want to see again."""
PREFIX: Final = b"inference-header-content-length"
"""How much of a body of the Open Inference Protocol is JSON; the rest is tensors."""
TIMEOUT: Final = b"x-request-timeout-ms"
"""How long the caller waits for the answer, in milliseconds."""
_LONGEST_ECHO: Final = 1_024
_MILLISECONDS: Final = re.compile(rb"0{0,8}[1-9][0-9]{0,11}")
_PARAMETER: Final = re.compile(r"\s*([a-z-]+)\s*=\s*\"?([a-z0-9_.:-]*)\"?\s*")
_QUALITY: Final = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_SYNONYMS: Final = {"application/x-parquet": "application/vnd.apache.parquet"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """What a route takes and gives.

    Attributes:
        media_types: What bodies may be; empty if there is none.
        answers: What answers may be, the usual one first. If there is one only, a caller's wishes are not asked.
        codings: Content encodings that bodies may have.
        untyped: What a body is that does not say; empty if it must.
        packs: Whether a large answer is compressed for a caller who asks for it.

    """

    media_types: tuple[str, ...] = ()
    answers: tuple[str, ...] = (JSON,)
    codings: tuple[str, ...] = ()
    untyped: str = ""
    packs: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """What one head says.

    Attributes:
        media_type: What the body is: one of the offer's, in lower case without parameters; empty if the route takes none.
        parameters: The parameters of the media type.
        coding: How the body is compressed; empty if it is not.
        answer: What the answer shall be: one of the offer's.
        packed: Whether a large answer may be compressed with gzip.
        prefix: How many bytes of the body are JSON, where tensors follow; ``None`` if nothing follows.
        echoed: Header fields that stand in the answer as they came.
        seconds: How long the caller waits; ``None`` if they do not say.

    """

    media_type: str = JSON
    parameters: Mapping[str, str] = field(default_factory=dict)
    coding: str = ""
    answer: str = JSON
    packed: bool = False
    prefix: int | None = None
    echoed: tuple[Field, ...] = ()
    seconds: float | None = None


PLAIN: Final = Form()
"""JSON in, JSON out."""
NOTHING: Final = Form(media_type="")


def read_form(head: Head, offer: Offer) -> Form:
    """Return what a head says, by what a route takes and gives.

    Raises:
        Refused: The route does not take such a body, or cannot answer as asked.

    """
    if not offer.media_types:
        return NOTHING
    coding = _coding(head, offer)
    media_type, parameters = _media_type(head, offer)
    fields = head.by_name
    echo = fields.get(ECHOED)
    return Form(
        media_type=media_type,
        parameters=parameters,
        coding=coding,
        answer=_answer(fields.get(b"accept"), offer.answers) if len(offer.answers) > 1 else offer.answers[0],
        packed=offer.packs and _takes_gzip(fields.get(b"accept-encoding", b"")),
        prefix=_prefix(fields.get(PREFIX)),
        echoed=((ECHOED, echo),) if echo and len(echo) <= _LONGEST_ECHO and _is_printable(echo) else (),
        seconds=_seconds(fields.get(TIMEOUT)),
    )


def _coding(head: Head, offer: Offer) -> str:
    coding = head.by_name.get(b"content-encoding", b"identity").strip().lower().decode("latin-1")
    coding = {"identity": "", "x-gzip": "gzip"}.get(coding, coding)
    if coding and coding not in offer.codings:
        accepted = ", ".join(offer.codings)
        raise Refused(
            Problem(
                kind=problems.UNSUPPORTED_ENCODING,
                expected=Text(en=f"send it as it is, or as {accepted}", ja=f"無圧縮か {accepted} で送ってください")
                if accepted
                else Text(en="send it as it is", ja="圧縮せずに送ってください"),
                fields=((b"accept-encoding", (accepted or "identity").encode()),),
            )
        )
    return coding


def _media_type(head: Head, offer: Offer) -> tuple[str, dict[str, str]]:
    given, _, rest = head.by_name.get(b"content-type", offer.untyped.encode()).decode("latin-1").partition(";")
    name = given.strip().lower()
    name = _SYNONYMS.get(name, name)
    parameters: dict[str, str] = {}
    readable = name in offer.media_types
    for part in rest.lower().split(";") if rest.strip() else ():
        found = _PARAMETER.fullmatch(part)
        if found is None or found[1] in parameters:
            readable = False
            break
        parameters[found[1]] = found[2]
    if not readable or parameters.get("charset", "utf-8") not in {"utf-8", "utf8"}:
        accepted = ", ".join(offer.media_types)
        raise Refused(
            Problem(
                kind=problems.UNSUPPORTED_MEDIA_TYPE,
                expected=Text(en=f"send {accepted} in UTF-8", ja=f"{accepted} を UTF-8 で送ってください"),
                fields=((b"accept-post", accepted.encode()),),
            )
        )
    return name, parameters


def _answer(accept: bytes | None, offered: tuple[str, ...]) -> str:
    """Return what is offered and liked best; of those liked equally, what comes first in the offer."""
    if accept is None or not accept.strip():
        return offered[0]
    wishes: dict[str, float] = {}
    for part in accept.decode("latin-1").lower().split(","):
        name, *parameters = (word.strip() for word in part.split(";"))
        quality = next((word[2:].strip() for word in parameters if word.startswith("q=")), "1")
        wishes[_SYNONYMS.get(name, name)] = float(quality) if _QUALITY.fullmatch(quality) else 0.0
    liked = {one: _liking(one, wishes) for one in offered}
    best = max(liked.values())
    if best <= 0.0:
        accepted = ", ".join(offered)
        raise Refused(
            Problem(
                kind=problems.NOT_ACCEPTABLE,
                expected=Text(en=f"accept one of: {accepted}", ja=f"Accept を次のいずれかにしてください: {accepted}"),
            )
        )
    return next(one for one, liking in liked.items() if liking == best)


def _liking(name: str, wishes: Mapping[str, float]) -> float:
    """Return how much ``name`` is liked: the narrowest range that holds it counts."""
    for wish in (name, f"{name.partition('/')[0]}/*", "*/*", "*"):
        if wish in wishes:
            return wishes[wish]
    return 0.0


def _takes_gzip(accepted: bytes) -> bool:
    for part in accepted.decode("latin-1").lower().split(","):
        name, _, quality = part.replace(" ", "").partition(";q=")
        if name in {"gzip", "x-gzip", "*"}:
            return not quality or (bool(_QUALITY.fullmatch(quality)) and float(quality) > 0.0)
    return False


def _prefix(value: bytes | None) -> int | None:
    if value is None:
        return None
    if not value.isdigit() or len(value) > 12:
        raise Refused(
            Problem(
                kind=problems.MALFORMED_HTTP,
                detail=Text(
                    en="Inference-Header-Content-Length is not a number",
                    ja="Inference-Header-Content-Length が数値ではありません",
                ),
            )
        )
    return int(value)


def _seconds(value: bytes | None) -> float | None:
    if value is None:
        return None
    if _MILLISECONDS.fullmatch(value) is None:
        raise Refused(
            Problem(
                kind=problems.INVALID_DEADLINE,
                expected=Text(
                    en="send X-Request-Timeout-Ms as a whole number of milliseconds, at least 1",
                    ja="X-Request-Timeout-Ms は1以上の整数（ミリ秒）で送ってください",
                ),
            )
        )
    return int(value) / 1_000.0


def _is_printable(value: bytes) -> bool:
    return all(0x20 <= byte < 0x7F for byte in value)
