"""From validated rows to the arrays that a runtime takes.

Features that share an array are a *lane*. An ONNX graph says which features make up each of its inputs, and each input is a lane; any
other runtime takes columns, and a lane is cut into them. One conversion fills a lane, whatever the number of its features.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sekisho.artifact.formats.interface import NULL_TEXT
from sekisho.predict.columnar import ColumnarRows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from sekisho.artifact.formats.onnx import Group
    from sekisho.artifact.signature import Feature, Signature
    from sekisho.predict.rows import Row

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_WIDE: Final[dict[str, Any]] = {
    "number": np.float64,
    "integer": np.int64,
    "boolean": np.bool_,
    "datetime": "datetime64[us]",
    "string": object,
}


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Lane:
    """The features that share one array.

    Attributes:
        name: The name of the input that it feeds; empty if it is cut into columns.
        features: In the order of its columns.
        places: Where each stands in a row.
        wide: The dtype that rows are read into and judged in.
        dtype: The dtype that the runtime takes.
        flat: Whether the runtime takes shape ``(n,)`` rather than ``(n, k)``.
        nullable: Whether one of them may be null.
        pick: Takes the cells of the lane out of a row; ``None`` if they are the whole row.

    """

    name: str
    features: tuple[Feature, ...]
    places: tuple[int, ...]
    wide: Any
    dtype: Any
    flat: bool
    nullable: bool
    pick: Callable[[Row], Any] | None

    @property
    def narrow(self) -> bool:
        """Whether the runtime computes with 32-bit floats here."""
        return bool(self.dtype == np.float32)

    def fill(self, rows: Sequence[Row]) -> NDArray[Any]:
        """Return the cells of ``rows`` as an array of shape ``(n, k)``; a null number is NaN, a null string ``None``."""
        if isinstance(rows, ColumnarRows):
            return rows.stack(self.places, self.wide)
        cells: Any = rows if self.pick is None else list(map(self.pick, rows))
        if self.wide == "datetime64[us]":
            cells = [tuple(map(microseconds, row)) for row in cells]
        return np.array(cells, dtype=self.wide)

    def feed(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return an array of :meth:`fill` as the input of an ONNX graph takes it."""
        if self.wide is object:
            if self.nullable:
                array = np.where(array == None, NULL_TEXT, array)  # noqa: E711 - element by element
        elif self.wide != self.dtype:
            array = array.astype(self.dtype)
        return array[:, 0] if self.flat else array

    def columns(self, array: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return an array of :meth:`fill` as one array a feature."""
        return {feature.name: array[:, place] for place, feature in enumerate(self.features)}


def lanes_of_columns(signature: Signature) -> tuple[Lane, ...]:
    """Return the lanes for a runtime that takes columns: one for each kind of array."""
    lanes = []
    for storage, dtype in _WIDE.items():
        places = tuple(place for place, feature in enumerate(signature.features) if _storage(feature) == storage)
        if places:
            lanes.append(_lane(signature, "", places, dtype, dtype, flat=False))
    return tuple(lanes)


def lanes_of_graph(signature: Signature, groups: Sequence[Group]) -> tuple[Lane, ...] | None:
    """Return the lanes for an ONNX graph, one for each input, and after them those of features that it does not use.

    ``None`` means that the graph takes an input that can only be made from columns.
    """
    by_name = {name: place for place, name in enumerate(signature.names)}
    unused = dict(by_name)
    lanes = []
    for group in groups:
        places = tuple(by_name[name] for name in group.features)
        storages = {_storage(signature.features[place]) for place in places}
        strings = group.dtype == object
        if "datetime" in storages or strings != all(_is_text(signature.features[place]) for place in places):
            return None
        wide = object if strings else np.int64 if storages == {"integer"} else np.float64
        lanes.append(_lane(signature, group.name, places, wide, group.dtype, flat=group.flat))
        for name in group.features:
            unused.pop(name, None)
    for place in unused.values():
        wide = _WIDE[_storage(signature.features[place])]
        lanes.append(_lane(signature, "", (place,), wide, wide, flat=False))
    return tuple(lanes)


def microseconds(moment: dt.datetime | None) -> Any:
    """Return a moment as a ``datetime64[us]`` in UTC, ``None`` as NaT."""
    return np.datetime64("NaT") if moment is None else np.datetime64((moment - _EPOCH) // _MICROSECOND, "us")


def _lane(signature: Signature, name: str, places: tuple[int, ...], wide: Any, dtype: Any, *, flat: bool) -> Lane:
    pick: Callable[[Row], Any] | None = itemgetter(*places)
    if places == tuple(range(len(signature.features))):
        pick = None
    elif len(places) == 1:
        pick = _single(places[0])
    features = tuple(signature.features[place] for place in places)
    return Lane(
        name=name,
        features=features,
        places=places,
        wide=wide,
        dtype=dtype,
        flat=flat,
        nullable=any(feature.nullable for feature in features),
        pick=pick,
    )


def _single(place: int) -> Callable[[Row], Any]:
    # With one place itemgetter gives the bare cell; a row of one cell is wanted.
    return lambda row: (row[place],)


def _storage(feature: Feature) -> str:
    if feature.kind == "float" or (feature.kind in {"integer", "boolean"} and feature.nullable):
        return "number"
    return {"integer": "integer", "boolean": "boolean", "datetime": "datetime"}.get(feature.kind, "string")


def _is_text(feature: Feature) -> bool:
    categories = feature.categories or ("",)
    return feature.kind == "text" or (feature.kind == "category" and all(isinstance(one, str) for one in categories))
