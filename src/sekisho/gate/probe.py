"""A probe measures; a resource is what probes measure with.

Both ask for what they need by the type of their parameters, as checks do::

    @probe("security/flood", title=Text(...), seconds=6, exclusive=True)
    def flood(contract: Contract, service: Service, progress: Progress) -> Flood: ...

    @resource(title=Text(...))
    def service(project: Project) -> Iterator[Service]:
        ...
        yield running
        ...

A probe returns one frozen dataclass of JSON values, its fact; no two probes return the same type. A resource is a generator that yields one
object and cleans up after. Either raises :class:`~sekisho.errors.NotMeasured` when it cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import get_args, get_type_hints

import msgspec

from sekisho.gate.check import Need, needs_of
from sekisho.text import Text


class Cancelled(BaseException):
    """Nobody waits for this measurement any more: clean up and let it through.

    Not an :class:`Exception`, so that a probe that catches what its model or service raises does not catch this too.
    """


class Progress:
    """Where a probe says how far it is. This one is silent; the runner injects one that is shown."""

    def advance(self, fraction: float) -> None:
        """Say that ``fraction`` (0 to 1) of the measurement is done.

        Raises:
            Cancelled: The measurement was interrupted, or took too long. Calling often makes it end soon.

        """


@dataclass(frozen=True, slots=True)
class Probe:
    """One measurement.

    Attributes:
        id: Section and name, such as ``security/flood``.
        title: What is measured.
        measure: The function.
        gives: The type of fact it returns.
        needs: What it must be given, by parameter name.
        seconds: About how long it takes on two cores.
        exclusive: Whether another measurement at the same time would disturb it.

    """

    id: str
    title: Text
    measure: Callable[..., object]
    gives: type
    needs: Mapping[str, Need]
    seconds: float
    exclusive: bool


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that probes measure with: a loaded artifact, a table, a running service.

    Attributes:
        id: The name of its type.
        title: What is made ready.
        open: The generator function that yields it once.
        gives: The type it yields; an attribute ``digest: str`` lets evidence about it be kept.
        needs: What it must be given, by parameter name.

    """

    id: str
    title: Text
    open: Callable[..., Iterator[object]]
    gives: type
    needs: Mapping[str, Need]


def probe(
    id: str,  # noqa: A002
    *,
    title: Text,
    seconds: float = 1.0,
    exclusive: bool = False,
) -> Callable[[Callable[..., object]], Probe]:
    """Turn a function into the probe ``id``.

    Raises:
        TypeError: It does not return a frozen dataclass or struct: a fact that can be changed is none.

    """

    def decorate(measure: Callable[..., object]) -> Probe:
        gives = get_type_hints(measure)["return"]
        if not _is_frozen(gives):
            raise TypeError(f"{id}: a probe returns a frozen dataclass, not {gives!r}")
        return Probe(id, title, measure, gives, needs_of(measure), seconds, exclusive)

    return decorate


def resource(*, title: Text) -> Callable[[Callable[..., Iterator[object]]], Resource]:
    """Turn a generator function into a resource."""

    def decorate(opens: Callable[..., Iterator[object]]) -> Resource:
        (gives,) = get_args(get_type_hints(opens)["return"])
        return Resource(gives.__name__, title, opens, gives, needs_of(opens))

    return decorate


def _is_frozen(kind: object) -> bool:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind.__struct_config__.frozen
    parameters = getattr(kind, "__dataclass_params__", None)
    return parameters is not None and bool(parameters.frozen)
