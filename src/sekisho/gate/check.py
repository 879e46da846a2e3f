"""A check: one box, a pure function from evidence and contract to a verdict.

A check file has four parts under fixed headings: its words, its judgement, and its own examples of passing and failing::

    @check("security/rate-limiting", title=Text(...), why=Text(...), remedy=Text(...))
    def rate_limiting(contract: Contract, flood: Flood) -> Verdict: ...

    rate_limiting.passes(contract(security={"rate_limit": 100}), Flood(...))
    rate_limiting.fails(contract(security={"rate_limit": 100}), Flood(...))

It asks for what it judges by the type of its parameters. A parameter typed ``X | None`` is given ``None`` when ``X``
could not be measured; any other missing evidence makes the box unknown without the function being called.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Final, Union, get_args, get_origin, get_type_hints

from sekisho.gate.verdict import Status, Verdict
from sekisho.text import Text

SECTIONS: Final[Mapping[str, Text]] = {
    "quality": Text(en="Quality", ja="品質"),
    "artifact": Text(en="Artifact", ja="成果物"),
    "inference": Text(en="Inference", ja="推論"),
    "infrastructure": Text(en="Infrastructure", ja="インフラ"),
    "security": Text(en="Security", ja="セキュリティ"),
    "monitoring": Text(en="Monitoring", ja="監視"),
    "documentation": Text(en="Documentation", ja="文書"),
    "testing": Text(en="Testing", ja="テスト"),
}
"""The eight sections of the checklist, in its order; an id begins with one of them."""


@dataclass(frozen=True, slots=True)
class Need:
    """One parameter of a check, probe or resource: what must be injected.

    Attributes:
        kind: The type asked for.
        optional: Whether ``None`` will do when it cannot be had.

    """

    kind: type
    optional: bool


@dataclass(frozen=True, slots=True)
class Example:
    """A verdict that a check must give: shown on its page and judged by the tests.

    Attributes:
        status: What the check must say.
        arguments: What it is given, in the order of its parameters.

    """

    status: Status
    arguments: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """One box of the checklist.

    Attributes:
        id: Section and name, such as ``security/rate-limiting``.
        title: The box, as the checklist words it.
        why: What goes wrong in production without it.
        remedy: What to do when it fails.
        judge: The pure function.
        needs: What it must be given, by parameter name.
        examples: Its own examples.

    """

    id: str
    title: Text
    why: Text
    remedy: Text
    judge: Callable[..., Verdict]
    needs: Mapping[str, Need]
    examples: list[Example] = field(default_factory=list)

    @property
    def section(self) -> str:
        """The first part of the id."""
        return self.id.partition("/")[0]

    def passes(self, *arguments: object) -> None:
        """Add an example that must pass."""
        self.examples.append(Example(Status.PASS, arguments))

    def fails(self, *arguments: object) -> None:
        """Add an example that must fail."""
        self.examples.append(Example(Status.FAIL, arguments))

    def is_unknown(self, *arguments: object) -> None:
        """Add an example that must be unknown."""
        self.examples.append(Example(Status.UNKNOWN, arguments))


def check(id: str, *, title: Text, why: Text, remedy: Text) -> Callable[[Callable[..., Verdict]], Check]:  # noqa: A002
    """Turn a function from evidence and contract to a verdict into the check of the box ``id``.

    Raises:
        ValueError: The id does not begin with a section of the checklist.

    """
    if id.partition("/")[0] not in SECTIONS:
        raise ValueError(f"{id}: an id begins with one of {', '.join(SECTIONS)}")

    def decorate(judge: Callable[..., Verdict]) -> Check:
        return Check(id=id, title=title, why=why, remedy=remedy, judge=judge, needs=needs_of(judge))

    return decorate


def needs_of(function: Callable[..., object]) -> dict[str, Need]:
    """Return what ``function`` asks for, by parameter name.

    Raises:
        TypeError: A parameter has no type, or one that is not a class (optionally joined with ``None``).

    """
    hints = get_type_hints(function)
    return {name: _need(function, name, hints.get(name)) for name in inspect.signature(function).parameters}


def _need(function: Callable[..., object], name: str, hint: object) -> Need:
    kinds = get_args(hint) if get_origin(hint) in {Union, UnionType} else (hint,)
    classes = tuple(kind for kind in kinds if kind is not NoneType)
    if len(classes) != 1 or not isinstance(classes[0], type):
        raise TypeError(f"{function.__module__}.{function.__qualname__}: the type of {name} must be one class")
    return Need(kind=classes[0], optional=NoneType in kinds)
