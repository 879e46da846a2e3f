"""From validated rows to the arrays that a runtime takes, with a look at every value that the model does not know.

The look costs a few array operations for a whole batch: each number is compared with bounds inside which nothing can be wrong
(the range of training, what a 64-bit float holds exactly, what a 32-bit float can hold at all), each category with the set of those seen.
Only the cells that stand out are examined one by one.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from sekisho.predict.cells import LARGEST_INTEGER, SMALLEST_INTEGER, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from sekisho.artifact.signature import Feature, Signature
    from sekisho.errors import InvalidInput
    from sekisho.predict.cells import Cell
    from sekisho.predict.rows import Row

LARGEST_EXACT: Final = float(2**53 - 1)
"""Up to here a 64-bit float holds every whole number, and no other one is rounded to it."""
LARGEST_NARROW: Final = float(np.finfo(np.float32).max)

_DTYPES: Final[dict[str, Any]] = {
    "number": np.float64,
    "integer": np.int64,
    "boolean": np.bool_,
    "datetime": "datetime64[us]",
    "string": object,
}
"""The arrays that features of a kind are put in; numbers that may be null are floats."""

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Flag:
    """What is unusual about one cell, where the policy of its feature is to answer all the same.

    Attributes:
        code: ``out_of_range`` or ``unseen_category``.
        feature: The name of the feature.

    """

    code: str
    feature: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What stood out in a batch, by the index of the row.

    Attributes:
        flags: Rows that are answered, with what is unusual about them.
        refusals: Rows that are not answered: the first reason of each.

    """

    flags: dict[int, list[Flag]] = field(default_factory=dict)
    refusals: dict[int, InvalidInput] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Group:
    """The features that share one array, and the bounds inside which a value needs no further look."""

    dtype: type | str
    places: tuple[int, ...]
    names: tuple[str, ...]
    pick: Callable[[Row], Any]
    lowest: NDArray[Any] | None
    highest: NDArray[Any] | None


class ColumnBuilder:
    """Turns rows into arrays by the rules of ``signature``.

    Args:
        signature: The features, in order.
        narrow: Whether the runtime computes in 32-bit floats, so that larger numbers would become infinite.

    """

    def __init__(self, signature: Signature, *, narrow: bool) -> None:
        self._features = signature.features
        self._narrow = narrow
        self._groups = tuple(self._group(kind) for kind in _DTYPES)
        self._groups = tuple(group for group in self._groups if group.places)
        self._categories = tuple(
            (place, _known(feature), itemgetter(place))
            for place, feature in enumerate(self._features)
            if feature.unseen_category != "accept" and feature.categories is not None and not _complete(feature)
        )

    def build(self, rows: Sequence[Row]) -> tuple[dict[str, NDArray[Any]], Findings | None]:
        """Return one array a feature, shape ``(n,)``, as a runtime takes them, and what stood out (``None``: nothing).

        Args:
            rows: At least one row, its cells validated.

        """
        columns: dict[str, NDArray[Any]] = {}
        suspects: list[tuple[int, int]] = []
        for group in self._groups:
            cells: Any = rows if len(group.places) == len(self._features) else list(map(group.pick, rows))
            if group.dtype == "datetime64[us]":
                cells = [tuple(map(_microseconds, row)) for row in cells]
            array = np.array(cells, dtype=group.dtype)
            if group.lowest is not None:
                outside = (array < group.lowest) | (array > group.highest)
                if np.count_nonzero(outside):
                    suspects += [(int(row), group.places[index]) for row, index in zip(*outside.nonzero(), strict=True)]
            columns |= dict(zip(group.names, array.T, strict=True))
        for place, known, pick in self._categories:
            if not known.issuperset(map(pick, rows)):
                suspects += [(row, place) for row, cells in enumerate(rows) if cells[place] not in known]
        return columns, self._examine(rows, suspects) if suspects else None

    def _examine(self, rows: Sequence[Row], suspects: list[tuple[int, int]]) -> Findings | None:
        findings = Findings()
        for row, place in sorted(suspects):
            feature = self._features[place]
            code = self._fault(feature, rows[row][place])
            if code is None or row in findings.refusals:
                continue
            if self._policy(feature, code) == "reject":
                findings.refusals[row] = refusal(code, feature, row)
                findings.flags.pop(row, None)
            else:
                findings.flags.setdefault(row, []).append(Flag(code, feature.name))
        return findings if findings.flags or findings.refusals else None

    @staticmethod
    def _policy(feature: Feature, code: str) -> str:
        if code == "unseen_category":
            return feature.unseen_category
        return feature.out_of_range if code == "out_of_range" else "reject"

    def _fault(self, feature: Feature, value: Cell) -> str | None:
        """Return the code of what is wrong with a cell that stood out."""
        if value is None:
            return None
        if feature.kind in {"category", "boolean"}:
            return None if feature.unseen_category == "accept" else "unseen_category"
        if isinstance(value, dt.datetime):
            low, high = _moment(feature.minimum), _moment(feature.maximum)
            inside = (low is None or low <= value) and (high is None or value <= high)
        elif isinstance(value, str):
            return None
        else:
            if isinstance(value, int) and _in_floats(feature) and int(float(value)) != value:
                return "not_exact"
            if self._narrow and feature.kind == "float" and abs(value) > LARGEST_NARROW:
                return "not_finite"
            lowest: Any = feature.minimum
            highest: Any = feature.maximum
            inside = (lowest is None or lowest <= value) and (highest is None or value <= highest)
        return None if inside or feature.out_of_range == "accept" else "out_of_range"

    def _group(self, kind: str) -> _Group:
        chosen = [(place, feature) for place, feature in enumerate(self._features) if _storage(feature) == kind]
        places = tuple(place for place, _ in chosen)
        dtype = _DTYPES[kind]
        bounds = [self._bounds(feature) for _, feature in chosen] if kind in {"number", "integer", "datetime"} else []
        return _Group(
            dtype=dtype,
            places=places,
            names=tuple(feature.name for _, feature in chosen),
            pick=_single(places[0]) if len(places) == 1 else itemgetter(*places or (0,)),
            lowest=np.array([low for low, _ in bounds], dtype=dtype) if bounds else None,
            highest=np.array([high for _, high in bounds], dtype=dtype) if bounds else None,
        )

    def _bounds(self, feature: Feature) -> tuple[Any, Any]:
        """Return the bounds inside which a value of ``feature`` needs no further look."""
        judged = feature.out_of_range != "accept"
        low: Any = feature.minimum if judged else None
        high: Any = feature.maximum if judged else None
        if feature.kind == "datetime":
            return _microseconds(_moment(low)), _microseconds(_moment(high))
        smallest: Any = -LARGEST_EXACT
        largest: Any = LARGEST_EXACT
        if _storage(feature) == "integer":
            smallest, largest = SMALLEST_INTEGER, LARGEST_INTEGER
        return (smallest if low is None else max(low, smallest)), (largest if high is None else min(high, largest))


def _single(place: int) -> Callable[[Row], Any]:
    # With one place itemgetter gives the bare cell; a row of one cell is wanted.
    return lambda row: (row[place],)


def _storage(feature: Feature) -> str:
    if feature.kind == "float" or (feature.kind in {"integer", "boolean"} and feature.nullable):
        return "number"
    return {"integer": "integer", "boolean": "boolean", "datetime": "datetime"}.get(feature.kind, "string")


def _in_floats(feature: Feature) -> bool:
    return _storage(feature) == "number"


def _known(feature: Feature) -> frozenset[Cell]:
    return frozenset((*(feature.categories or ()), None))


def _complete(feature: Feature) -> bool:
    return feature.kind == "boolean" and len(feature.categories or ()) == len((True, False))


def _microseconds(moment: dt.datetime | None) -> Any:
    return np.datetime64("NaT") if moment is None else np.datetime64((moment - _EPOCH) // _MICROSECOND, "us")


def _moment(words: object) -> dt.datetime | None:
    return None if words is None else msgspec.convert(words, dt.datetime)
