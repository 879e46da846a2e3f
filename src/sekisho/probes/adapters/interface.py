"""What every protocol adapter gives: requests from rows, answers from replies, and the routes of the service."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeGuard

from sekisho.contract.sections import Serving
from sekisho.errors import SekishoError
from sekisho.probes.wire.message import Reply, Request
from sekisho.text import Text

Row = Mapping[str, object]
"""The values of one row by feature name: JSON values, or ``msgspec.Raw`` for bytes that stand as they are."""

Scalar = float | int | bool | str | None

_REMARK: Final = re.compile(
    r"flag|warn|^notes?$|remark|out_?of|outlier|clip|clamp|unseen|unknown|anomal|extrapolat|suspicious"
)
_SOUND: Final = re.compile(r"within|in_?range|valid|in_?distribution|trusted|reliable")
_ANSWER: Final = re.compile(r"predict|prob|score|output|label|class")
"""Members that hold the answer itself, whose names are those of the model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Routes:
    """Where a service answers what; ``None`` for what it does not offer."""

    predict: str
    batch: str | None = None
    invocations: str | None = None
    health: str | None = None
    ready: str | None = None
    info: str | None = None
    metrics: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a service said of one row.

    Attributes:
        label: The class label or the value; ``None`` where several answers are given.
        probability: That of the label; ``None`` when it gives none.
        probabilities: Of every class, by the label's text; empty when it gives none. Of several answers: by ``name: label``.
        outputs: Every one of several answers, by name; empty when there is one.
        version: The model version in the answer; ``None`` when it names none.
        flags: What it remarked on the row, such as a value out of range.

    """

    label: Scalar
    probability: float | None = None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    version: str | None = None
    flags: tuple[str, ...] = ()
    outputs: Mapping[str, Scalar] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[tuple[str, Scalar], ...]:
        """Every label or value with its name; one that stands alone has none."""
        return tuple(self.outputs.items()) or (("", self.label),)


class Unreadable(SekishoError):
    """A reply does not hold an answer where the protocol has it."""

    def __init__(self, what: str) -> None:
        super().__init__(
            Text(en=f"the answer cannot be read: {what}", ja=f"応答を解釈できません（{what}）"),
            Text(
                en="check serving.protocol and serving.mapping",
                ja="serving.protocol と serving.mapping を確認してください",
            ),
        )


class Adapter(Protocol):
    """One protocol, set up for one service and one list of features."""

    @property
    def routes(self) -> Routes:
        """Where the service answers what."""
        ...

    @property
    def named(self) -> bool:
        """Whether features go by name, so that their order must not matter."""
        ...

    @property
    def both(self) -> bool:
        """Whether features may also go as a plain list, in the order of the signature."""
        ...

    def one(self, row: Row, *, positional: bool = False) -> Request:
        """Return the request for one row."""
        ...

    def many(self, rows: Sequence[Row]) -> Request | None:
        """Return the request for several rows on the batch route, or ``None`` when there is none."""
        ...

    def invocation(self, rows: Sequence[Row]) -> Request | None:
        """Return the request for several rows on the invocations route, or ``None`` when there is none."""
        ...

    def read_one(self, reply: Reply) -> Answer:
        """Return the answer to one row.

        Raises:
            Unreadable: The reply does not hold one.

        """
        ...

    def read_many(self, reply: Reply) -> list[Answer]:
        """Return the answers to a batch or an invocation, in the order of the rows.

        Raises:
            Unreadable: The reply does not hold them.

        """
        ...


Ask = Callable[[Sequence[Request]], Sequence[Reply]]
"""Sends requests to the running service and returns the replies in their order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Speech:
    """One unit of the shelf.

    Attributes:
        id: The name in ``serving.protocol``.
        title: What services speak it.
        adapt: Sets it up from the contract and the names of the features, in the order of the signature.
        settle: Fits what ``adapt`` gave to what a running service of somebody else offers, with a row that it must answer; ``None``
            when there is nothing to fit.

    """

    id: str
    title: Text
    adapt: Callable[[Serving, tuple[str, ...]], Adapter]
    settle: Callable[[Adapter, Ask, Row], Adapter] | None = None


def plain(value: object) -> Scalar:
    """Return ``value`` when it is a label or a finite number.

    Raises:
        Unreadable: It is something else.

    """
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise Unreadable(f"a label or a number was expected, not {type(value).__name__}")


def several(value: object) -> dict[str, Scalar]:
    """Return the answers to one row by name.

    Raises:
        Unreadable: It is no mapping of two names or more, or holds something else than labels and numbers.

    """
    if not isinstance(value, Mapping) or len(value) < 2:
        raise Unreadable("prediction")
    return {str(name): plain(one) for name, one in value.items()}


def class_of(name: str, label: str) -> str:
    """Return what the probability of a class of one of several answers goes by."""
    return f"{name}: {label}"


def fraction(value: object) -> float | None:
    """Return ``value`` when it is a finite number, else ``None``."""
    return float(value) if is_number(value) and math.isfinite(value) else None


def is_number(value: object) -> TypeGuard[int | float]:
    """Return whether ``value`` is a number; a boolean is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def remarks(body: Mapping[str, object]) -> tuple[str, ...]:
    """Return what an answer remarks on its row, under any of the names in use; empty when nothing."""
    found: list[str] = []
    for name, value in body.items():
        if _REMARK.search(name.lower()):
            found += _told(value)
        elif _SOUND.search(name.lower()) and value is False:
            found.append(name)
        elif isinstance(value, Mapping) and not _ANSWER.match(name):
            found += remarks(value)
    return tuple(found)


def _told(value: object) -> list[str]:
    if isinstance(value, Mapping):
        return [str(key) for key, remark in value.items() if remark]
    if isinstance(value, list | tuple):
        return [str(item) for item in value]
    return [str(value)] if value else []
