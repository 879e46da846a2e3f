"""Which probes and resources the chosen checks need, and in which order.

Everything is found by type: a check names the facts it judges, a probe names what it measures with, and whatever gives
that type stands before it. What nobody gives is not an error here but an absence, for which the boxes concerned say
``unknown``. Two makers of one type and a circle of needs are faults of the installation and raise at once.
"""

from __future__ import annotations

import graphlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from sekisho import shelf
from sekisho.errors import SekishoError
from sekisho.gate.check import Check, Need
from sekisho.gate.probe import Probe, Resource
from sekisho.text import Text

Maker: TypeAlias = Probe | Resource
"""What gives a type."""


class GraphError(SekishoError):
    """Probes and resources that contradict one another: two makers of one type, or a circle of needs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Units:
    """All that takes part in judging.

    Attributes:
        checks: Every check, by id.
        makers: Every probe and resource, by the type it gives.

    """

    checks: Mapping[str, Check]
    makers: Mapping[type, Maker]

    @classmethod
    def of(cls, checks: Iterable[Check], makers: Iterable[Maker]) -> Units:
        """Return the units after making sure that they fit together.

        Raises:
            GraphError: Two makers give one type, or makers need one another in a circle.

        """
        given: dict[type, Maker] = {}
        for maker in makers:
            other = given.setdefault(maker.gives, maker)
            if other is not maker:
                raise _two_makers(maker, other)
        try:
            graphlib.TopologicalSorter(
                {kind: [need.kind for need in maker.needs.values()] for kind, maker in given.items()}
            ).prepare()
        except graphlib.CycleError as circle:
            raise _circle(circle.args[1]) from None
        return cls(checks={check.id: check for check in checks}, makers=given)

    @classmethod
    def installed(cls) -> Units:
        """Return the units of Sekisho and of every installed distribution that adds some.

        Raises:
            ShelfError: Two units share an id.
            GraphError: The units do not fit together.

        """
        return cls.of(
            shelf.units("sekisho.checks", Check).values(),
            (*shelf.units("sekisho.probes", Probe).values(), *shelf.units("sekisho.probes", Resource).values()),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What has to be made for some checks.

    Attributes:
        makers: The makers that are needed, by type, each after those that it needs itself.
        boxes: The ids of the checks that stand on a maker, directly or not, by the type it gives.

    """

    makers: Mapping[type, Maker]
    boxes: Mapping[type, tuple[str, ...]]

    def sorter(self) -> graphlib.TopologicalSorter[type]:
        """Return a prepared sorter over the types of :attr:`makers`."""
        sorter = graphlib.TopologicalSorter(
            {kind: [need for need in _kinds(maker.needs) if need in self.makers] for kind, maker in self.makers.items()}
        )
        sorter.prepare()
        return sorter


def plan(units: Units, ids: Iterable[str], given: Collection[type]) -> Plan:
    """Return what has to be made for the checks ``ids``.

    Args:
        units: All that takes part.
        ids: Ids of checks in ``units``.
        given: Types that are there already: nothing is made for them, and a given type wins over its maker.

    """
    boxes: dict[type, list[str]] = {}
    for id_ in ids:
        waiting = list(_kinds(units.checks[id_].needs))
        while waiting:
            kind = waiting.pop()
            if kind in given or kind not in units.makers or id_ in boxes.get(kind, ()):
                continue
            boxes.setdefault(kind, []).append(id_)
            waiting.extend(_kinds(units.makers[kind].needs))
    order = graphlib.TopologicalSorter({kind: list(_kinds(units.makers[kind].needs)) for kind in boxes}).static_order()
    return Plan(
        makers={kind: units.makers[kind] for kind in order if kind in boxes},
        boxes={kind: tuple(names) for kind, names in boxes.items()},
    )


def _kinds(needs: Mapping[str, Need]) -> Iterable[type]:
    return (need.kind for need in needs.values())


def _two_makers(one: Maker, other: Maker) -> GraphError:
    name = one.gives.__name__
    return GraphError(
        Text(
            en=f"{one.id} and {other.id} both give {name}",
            ja=f"{one.id} と {other.id} がどちらも {name} を返します",
        ),
        Text(
            en="let each probe and resource return a type of its own",
            ja="プローブとリソースは、それぞれ固有の型を返すようにしてください",
        ),
    )


def _circle(kinds: Iterable[type]) -> GraphError:
    names = " → ".join(kind.__name__ for kind in kinds)
    return GraphError(
        Text(en=f"probes need one another in a circle: {names}", ja=f"プローブの依存関係が循環しています: {names}"),
        Text(en="break the circle at one of them", ja="いずれかの依存を外してください"),
    )
