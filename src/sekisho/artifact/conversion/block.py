"""What flows between the steps of a pipeline: named or numbered columns, of numbers and of strings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from sekisho.artifact.runtime import NotConvertible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.artifact.conversion.graph import GraphBuilder


Lane = Literal["numbers", "texts"]
"""The two inputs of a graph, and the two kinds of tensor in it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where one column stands: the tensor of numbers or of strings, and the position in it."""

    tensor: str
    kind: Lane
    position: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Columns in order. Choosing among them adds no node: the nodes come when a matrix is asked for.

    Attributes:
        places: Where each column stands.
        widths: How many columns each tensor has, by name.
        names: The names of the columns where they still have them.

    """

    places: tuple[Place, ...]
    widths: dict[str, int]
    names: tuple[str, ...] | None = None

    @property
    def width(self) -> int:
        """How many columns."""
        return len(self.places)

    def choose(self, columns: Sequence[int]) -> Block:
        """Return the columns at ``columns``."""
        return Block(
            places=tuple(self.places[index] for index in columns),
            widths=self.widths,
            names=None if self.names is None else tuple(self.names[index] for index in columns),
        )

    def matrix(self, graph: GraphBuilder, kind: Lane = "numbers") -> str:
        """Return one tensor of shape ``(rows, width)`` with these columns, all of ``kind``.

        Raises:
            NotConvertible: Some are of the other kind, or there are none.

        """
        if not self.places or any(place.kind != kind for place in self.places):
            raise NotConvertible("a step that takes numbers is given strings, or the other way round")
        parts = [self._run(graph, run) for run in self._runs()]
        return parts[0] if len(parts) == 1 else graph.node("Concat", *parts, axis=1)

    def _runs(self) -> list[list[Place]]:
        """Return the places in runs of one tensor each."""
        runs: list[list[Place]] = []
        for place in self.places:
            if runs and runs[-1][-1].tensor == place.tensor:
                runs[-1].append(place)
            else:
                runs.append([place])
        return runs

    def _run(self, graph: GraphBuilder, run: list[Place]) -> str:
        tensor, positions = run[0].tensor, [place.position for place in run]
        if positions == list(range(self.widths[tensor])):
            return tensor
        return graph.node("Gather", tensor, graph.constant(np.array(positions, dtype=np.int64)), axis=1)


def dense(tensor: str, width: int, kind: Lane = "numbers") -> Block:
    """Return the block of a whole tensor."""
    places = tuple(Place(tensor=tensor, kind=kind, position=index) for index in range(width))
    return Block(places=places, widths={tensor: width})


def side_by_side(blocks: Sequence[Block]) -> Block:
    """Return the columns of ``blocks`` one after the other."""
    widths: dict[str, int] = {}
    for block in blocks:
        widths.update(block.widths)
    return Block(places=tuple(place for block in blocks for place in block.places), widths=widths)
