"""A look at every value that the model does not know, for a few array operations a batch.

Each number is compared with bounds inside which nothing can be wrong: the range of training, what a 64-bit float holds exactly, what
a 32-bit float can hold at all. Each category is looked up among those seen. Only the cells that stand out are examined one by one.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from sekisho.predict.cells import LARGEST_INTEGER, SMALLEST_INTEGER, refusal
from sekisho.predict.columnar import ColumnarRows
from sekisho.predict.lanes import microseconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sekisho.artifact.signature import Feature, Signature
    from sekisho.errors import InvalidInput
    from sekisho.predict.cells import Cell
    from sekisho.predict.lanes import Lane
    from sekisho.predict.rows import Row

LARGEST_EXACT: Final = 2**53 - 1
"""Up to here a 64-bit float holds every whole number, and no other one is rounded to it."""
LARGEST_EXACT_NARROW: Final = 2**24 - 1
"""The same for a 32-bit float."""
LARGEST_NARROW: Final = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class Flag:
    """What is unusual about one cell, where the policy of its feature is to answer all the same.

    Attributes:
        code: ``out_of_range``, ``unseen_category`` or ``null``.
        feature: The name of the feature.

    """

    code: str
    feature: str

    def __str__(self) -> str:
        return f"{self.code}:{self.feature}"


@dataclass(frozen=True, slots=True)
class Findings:
    """What stood out in a batch, by the index of the row.

    Attributes:
        flags: Rows that are answered, with what is unusual about them.
        refusals: Rows that are not answered: the first reason of each.

    """

    flags: dict[int, list[Flag]] = field(default_factory=dict)
    refusals: dict[int, InvalidInput] = field(default_factory=dict)


class Scrutiny:
    """Looks at the rows of a batch by the rules of ``signature``.

    Args:
        signature: The features, in order.
        lanes: The arrays that :meth:`examine` will be given.
        native: Whether the model answers by its own library.

    """

    def __init__(self, signature: Signature, lanes: Sequence[Lane], *, native: bool) -> None:
        self._features = signature.features
        self._native = native
        self._narrow = frozenset(feature.name for lane in lanes if lane.narrow for feature in lane.features)
        self._in_floats = frozenset(
            feature.name for lane in lanes if lane.wide is np.float64 for feature in lane.features
        )
        self._places = tuple(lane.places for lane in lanes)
        self._bounds = tuple(self._bounds_of(lane) for lane in lanes)
        self._categories = tuple(
            (place, frozenset((*(feature.categories or ()), None)), itemgetter(place))
            for place, feature in enumerate(self._features)
            if feature.categories is not None and feature.unseen_category != "accept" and not _complete(feature)
        )
        self._nulls = tuple(
            (place, itemgetter(place))
            for place, feature in enumerate(self._features)
            if feature.nullable and feature.null != "accept"
        )

    def examine(self, rows: Sequence[Row], arrays: Sequence[NDArray[Any]]) -> Findings | None:
        """Return what stands out; ``None`` if nothing does.

        Args:
            rows: The validated rows.
            arrays: What :meth:`Lane.fill <sekisho.predict.lanes.Lane.fill>` made of them, lane by lane.

        """
        suspects: list[tuple[int, int]] = []
        for array, bounds, places in zip(arrays, self._bounds, self._places, strict=True):
            if bounds is not None:
                outside = (array < bounds[0]) | (array > bounds[1])
                if np.count_nonzero(outside):
                    suspects += [(int(row), places[index]) for row, index in zip(*outside.nonzero(), strict=True)]
        for place, known, pick in self._categories:
            cells = rows.column(place) if isinstance(rows, ColumnarRows) else list(map(pick, rows))
            if not known.issuperset(cells):
                suspects += [(row, place) for row, cell in enumerate(cells) if cell not in known]
        for place, pick in self._nulls:
            if None in map(pick, rows):
                suspects += [(row, place) for row, cells in enumerate(rows) if cells[place] is None]
        return self._judge(rows, suspects) if suspects else None

    def _judge(self, rows: Sequence[Row], suspects: list[tuple[int, int]]) -> Findings | None:
        findings = Findings()
        for row, place in sorted(suspects):
            feature = self._features[place]
            code = self._fault(feature, rows.cell(row, place) if isinstance(rows, ColumnarRows) else rows[row][place])
            if code is None or row in findings.refusals:
                continue
            if self._rejects(feature, code):
                findings.refusals[row] = refusal(code, feature, row)
                findings.flags.pop(row, None)
            else:
                findings.flags.setdefault(row, []).append(Flag(code, feature.name))
        return findings if findings.flags or findings.refusals else None

    def _rejects(self, feature: Feature, code: str) -> bool:
        if code == "null":
            return False
        if code == "unseen_category":
            return feature.unseen_category == "reject"
        return feature.out_of_range == "reject" if code == "out_of_range" else True

    def _fault(self, feature: Feature, value: Cell) -> str | None:
        """Return the code of what is wrong with a cell that stood out."""
        if value is None:
            return {"flag": "null", "reject": "null_not_allowed", "accept": None}[feature.null]
        if feature.kind in {"category", "boolean"}:
            return "unseen_category"
        if isinstance(value, str):
            return None
        low, high = _range(feature)
        inside = (low is None or low <= value) and (high is None or value <= high)
        if isinstance(value, dt.datetime):
            return None if inside or feature.out_of_range == "accept" else "out_of_range"
        if feature.name in self._in_floats and isinstance(value, int) and int(float(value)) != value:
            return "not_exact"
        if self._native and feature.kind == "float" and abs(value) > LARGEST_NARROW:
            # Forests read float32, and squares of what is larger overflow in distances: the greatest number is that of the JSON Schema.
            return "not_finite"
        if feature.name in self._narrow:
            if abs(value) > LARGEST_NARROW:
                return "not_finite"
            if not inside and feature.kind == "integer" and int(np.float32(value)) != value:
                return "not_exact"
        return None if inside or feature.out_of_range == "accept" else "out_of_range"

    def _bounds_of(self, lane: Lane) -> tuple[NDArray[Any], NDArray[Any]] | None:
        if lane.wide is object or lane.wide is np.bool_:
            return None
        ends = [self._bounds_of_feature(feature, lane) for feature in lane.features]
        return np.array([low for low, _ in ends], dtype=lane.wide), np.array(
            [high for _, high in ends], dtype=lane.wide
        )

    def _bounds_of_feature(self, feature: Feature, lane: Lane) -> tuple[Any, Any]:
        """Return the bounds inside which a value needs no further look."""
        low, high = _range(feature) if feature.out_of_range != "accept" else (None, None)
        if feature.kind == "datetime":
            return microseconds(low), microseconds(high)
        if feature.kind in {"boolean", "category"}:
            return -np.inf, np.inf
        if lane.wide is np.int64:
            smallest, largest = SMALLEST_INTEGER, LARGEST_INTEGER
        elif lane.narrow and feature.kind == "integer" and (low is None or high is None):
            smallest, largest = -LARGEST_EXACT_NARROW, LARGEST_EXACT_NARROW
        else:
            smallest, largest = -LARGEST_EXACT, LARGEST_EXACT
        return (smallest if low is None else max(low, smallest)), (largest if high is None else min(high, largest))


def _range(feature: Feature) -> tuple[Any, Any]:
    if feature.kind != "datetime":
        return feature.minimum, feature.maximum
    low, high = (
        None if end is None else msgspec.convert(end, dt.datetime) for end in (feature.minimum, feature.maximum)
    )
    return low, high


def _complete(feature: Feature) -> bool:
    return feature.kind == "boolean" and len(feature.categories or ()) == len((True, False))
