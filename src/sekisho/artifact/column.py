"""One column of a table: its kind, its values, and where they are missing."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from sekisho.errors import WrongUse
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Kind = Literal["float", "integer", "boolean", "category", "text", "datetime"]
Scalar = float | int | bool | str | None
"""A JSON value of one cell; a datetime is RFC 3339 in UTC, a null is ``None``."""

MOST_CATEGORIES: Final = 1_000
"""A column of strings with more different values than this is text, not a category."""
FEW_CATEGORIES: Final = 100
"""So is one with more than this many, when over half of its values differ: names, comments, identifiers."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Column:
    """One column.

    Attributes:
        name: Its name.
        kind: What its values mean.
        dtype: The dtype that its own library gave it, in the words of pandas, such as ``int64`` or ``category``; the native runtime
            restores it. Two are finer than pandas': ``object[nan]`` is an object column whose nulls are NaN (in ``object`` they
            are ``None``), ``category[ordered]`` is an ordered categorical.
        values: Shape ``(n,)``. float: float64, null is NaN. integer: int64. boolean: bool. category, text: object, of
            ``str``, ``int`` or ``bool``; null is ``None``. datetime: datetime64[us] in UTC, null is NaT. Never written to: they may be
            the memory of the table that they came from.
        null: Shape ``(n,)``, bool: where a value is missing. Integer and boolean cells hold 0 and False there.
        categories: The categories that a categorical dtype declares, in its order, seen or not; ``None`` for any other dtype.
        codes: Shape ``(n,)``, integers: the place of each cell in ``categories``, -1 for null, where the source keeps them; millions of
            labels are counted by them at once.

    """

    name: str
    kind: Kind
    dtype: str
    values: NDArray[np.generic]
    null: NDArray[np.bool_]
    categories: tuple[Scalar, ...] | None = None
    codes: NDArray[np.integer[Any]] | None = None

    def __len__(self) -> int:
        return len(self.null)

    def take(self, indexes: NDArray[np.generic] | Sequence[int] | slice) -> Column:
        """Return the rows at ``indexes`` (integers or a mask of bool), in that order."""
        chosen = indexes if isinstance(indexes, slice) else np.asarray(indexes)
        codes = None if self.codes is None else self.codes[chosen]
        return replace(self, values=self.values[chosen], null=self.null[chosen], codes=codes)

    def present(self) -> NDArray[np.generic]:
        """Return the values that are not null, shape ``(m,)``."""
        return self.values[~self.null]

    def scalars(self) -> list[Scalar]:
        """Return every cell as a JSON value."""
        cells: list[Scalar] = timestamps(self.values) if self.kind == "datetime" else self.values.tolist()
        for index in np.flatnonzero(self.null):
            cells[index] = None
        return cells

    def array(self) -> NDArray[np.generic]:
        """Return the values as a runtime takes them: integers and booleans with a null come as float64 with NaN."""
        if self.kind in {"integer", "boolean"} and self.null.any():
            numbers = self.values.astype(np.float64)
            numbers[self.null] = np.nan
            return numbers
        return self.values

    def distinct(self) -> tuple[Scalar, ...]:
        """Return the different values as JSON values, without null: in the order of the dtype's categories, else sorted."""
        seen = set(self.scalars()) - {None}
        declared = [value for value in self.categories or () if value in seen]
        return (*declared, *sorted(seen - set(declared), key=lambda value: (isinstance(value, str), value)))

    def feed(self, digest: hashlib._Hash) -> None:
        """Add name, kind and content to ``digest``: equal for equal cells, whatever library or dtype they came from."""
        if self.kind == "float":
            numbers = self.values.astype("<f8") + 0.0
            numbers[self.null] = np.nan
            content = numbers.tobytes()
        elif self.kind in {"integer", "boolean"}:
            content = self.values.astype("<i8").tobytes()
        elif self.kind == "datetime":
            content = self.values.astype("<M8[us]").tobytes()
        else:
            content = msgspec.json.encode(self.values.tolist())
        head = msgspec.json.encode([self.name, self.kind, len(self), len(content)])
        digest.update(head + content + np.packbits(self.null).tobytes())


def timestamps(values: NDArray[np.generic]) -> list[Scalar]:
    """Return datetime64 values in UTC as RFC 3339, with microseconds only where they are not zero."""
    words: list[str] = np.datetime_as_string(values.astype("datetime64[us]"), unit="us").tolist()
    return [word.removesuffix(".000000") + "Z" for word in words]


def epoch_seconds(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return datetime64 values as seconds since 1970 in UTC, NaT as NaN."""
    seconds: NDArray[np.float64] = values.astype("datetime64[us]").astype(np.int64).astype(np.float64) / 1e6
    seconds[np.isnat(values)] = np.nan
    return seconds


def moments_of(words: Sequence[str | None]) -> NDArray[np.generic] | None:
    """Return ISO 8601 strings as datetime64[us] in UTC, those without a zone as UTC; ``None`` when one is no moment."""
    moments = np.full(len(words), np.datetime64("NaT", "us"), dtype="datetime64[us]")
    for index, word in enumerate(words):
        if word is None:
            continue
        try:
            moments[index] = _moment(dt.datetime.fromisoformat(word))
        except ValueError:
            return None
    return moments


def string_kind(values: NDArray[np.generic], null: NDArray[np.bool_]) -> Kind:
    """Return whether strings are categories or text, by how many of them differ."""
    different = len(set(values[~null].tolist()))
    rows = len(null) - int(null.sum())
    is_text = different > MOST_CATEGORIES or (different > FEW_CATEGORIES and different > rows / 2)
    return "text" if is_text else "category"


def strings(
    name: str, dtype: str, values: NDArray[np.generic], null: NDArray[np.bool_], *, kind: Kind | None = None
) -> Column:
    """Return the column of an object array of strings (or of whole numbers or booleans that name categories)."""
    cells = values.astype(object)
    cells[null] = None
    return Column(name=name, kind=kind or string_kind(cells, null), dtype=dtype, values=cells, null=null)


def floats(name: str, dtype: str, values: NDArray[np.generic], null: NDArray[np.bool_] | None = None) -> Column:
    """Return the column of real numbers; NaN is null."""
    numbers = values.astype(np.float64, order="C", copy=null is not None)
    if null is not None:
        numbers[null] = np.nan
    return Column(name=name, kind="float", dtype=dtype, values=numbers, null=np.isnan(numbers))


def integers(name: str, dtype: str, values: NDArray[np.generic], null: NDArray[np.bool_]) -> Column:
    """Return the column of whole numbers.

    Raises:
        WrongUse: A number does not fit 64 bits.

    """
    if values.dtype == np.uint64 and values.size and values.max() > np.iinfo(np.int64).max:
        raise _too_large(name)
    gaps = bool(null.any())
    numbers = values.astype(np.int64, order="C", copy=gaps)
    if gaps:
        numbers[null] = 0
    return Column(name=name, kind="integer", dtype=dtype, values=numbers, null=null)


def booleans(name: str, dtype: str, values: NDArray[np.generic], null: NDArray[np.bool_]) -> Column:
    """Return the column of truth values."""
    truths = values.astype(np.bool_)
    truths[null] = False
    return Column(name=name, kind="boolean", dtype=dtype, values=truths, null=null)


def datetimes(name: str, dtype: str, values: NDArray[np.generic]) -> Column:
    """Return the column of moments, given as datetime64 in UTC; finer than a microsecond is cut off."""
    moments = values.astype("datetime64[us]")
    return Column(name=name, kind="datetime", dtype=dtype, values=moments, null=np.isnat(moments))


def objects(name: str, dtype: str, values: Sequence[object], null: NDArray[np.bool_]) -> Column:
    """Return the column of Python objects, its kind told by the types of those that are not null.

    Args:
        name: Its name.
        dtype: The dtype of the library it came from; an empty string takes the plainest that holds the values.
        values: ``n`` objects.
        null: Shape ``(n,)``, bool.

    Raises:
        WrongUse: The objects are of different kinds, or of one that JSON cannot carry.

    """
    present = [value for value, missing in zip(values, null.tolist(), strict=True) if not missing]
    types = set(map(type, present))
    if not types:
        return strings(name, dtype or "object", np.full(len(null), None, dtype=object), null, kind="category")
    if all(issubclass(kind, str) for kind in types):
        return strings(name, dtype or "object", _spread([str(value) for value in present], null, object), null)
    if all(issubclass(kind, bool | np.bool_) for kind in types):
        truths = _spread(present, null, np.bool_)
        return booleans(name, dtype or ("boolean" if null.any() else "bool"), truths, null)
    if all(issubclass(kind, int | np.integer) and not issubclass(kind, bool) for kind in types):
        return integers(name, dtype or ("Int64" if null.any() else "int64"), _whole(name, present, null), null)
    if all(issubclass(kind, int | float | np.integer | np.floating | Decimal) and kind is not bool for kind in types):
        return floats(name, dtype or "float64", _spread([float(value) for value in present], null, np.float64), null)  # type: ignore[arg-type]
    if all(issubclass(kind, dt.date | np.datetime64) for kind in types):
        moments = np.full(len(null), np.datetime64("NaT", "us"), dtype="datetime64[us]")
        moments[~null] = [_moment(value) for value in present]
        return datetimes(name, dtype or "datetime64[us]", moments)
    raise unsupported(name, ", ".join(sorted(kind.__name__ for kind in types)))


def plain(name: str, values: NDArray[np.generic]) -> Column:
    """Return the column of a NumPy array of shape ``(n,)``.

    Raises:
        WrongUse: It has a dtype that JSON cannot carry.

    """
    none = np.zeros(len(values), dtype=np.bool_)
    match values.dtype.kind:
        case "f":
            return floats(name, str(values.dtype), values)
        case "i" | "u":
            return integers(name, str(values.dtype), values, none)
        case "b":
            return booleans(name, "bool", values, none)
        case "M":
            return datetimes(name, str(values.dtype), values)
        case "U" | "T":
            return strings(name, "object", values.astype(object), none)
        case "O":
            return listed(name, values.tolist(), dtype="object")
        case _:
            raise unsupported(name, str(values.dtype))


def listed(name: str, values: Iterable[object], *, dtype: str = "") -> Column:
    """Return the column of a list of Python values; ``None`` and NaN are null."""
    cells = list(values)
    null = np.fromiter((is_null(value) for value in cells), dtype=np.bool_, count=len(cells))
    marker = dtype
    if dtype == "object" and any(isinstance(cells[index], float) for index in np.flatnonzero(null)):
        marker = "object[nan]"
    return objects(name, marker, cells, null)


def is_null(value: object) -> bool:
    """Return whether one Python value stands for a missing one: ``None``, NaN, NaT or pandas' ``NA``."""
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return True
    return isinstance(value, float | np.floating | np.datetime64) and bool(value != value)


def unsupported(name: str, found: str) -> WrongUse:
    """Return the error for a column whose values no request could carry."""
    return WrongUse(
        Text(
            en=f"column {name!r} holds {found}: neither numbers, nor strings, booleans or datetimes alone",
            ja=f"列 {name!r} に {found} が含まれています。数値・文字列・真偽値・日時のどれか1種類ではありません",
        ),
        Text(
            en="convert the column to one of these before training and packing",
            ja="学習とパックの前に、列をいずれか1種類に変換してください",
        ),
    )


def _too_large(name: str) -> WrongUse:
    return WrongUse(
        Text(
            en=f"column {name!r} holds a whole number beyond 64 bits",
            ja=f"列 {name!r} に64ビットを超える整数があります",
        ),
        Text(en="keep such numbers as strings", ja="そのような数は文字列にしてください"),
    )


def _whole(name: str, present: list[object], null: NDArray[np.bool_]) -> NDArray[np.generic]:
    try:
        return _spread(present, null, np.int64)
    except OverflowError:
        raise _too_large(name) from None


def _spread(
    present: list[object] | list[str] | list[float], null: NDArray[np.bool_], dtype: type
) -> NDArray[np.generic]:
    cells: NDArray[np.generic] = np.zeros(len(null), dtype=dtype)
    cells[~null] = np.array(present, dtype=dtype)
    return cells


def _moment(value: Any) -> np.datetime64:
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        value = value.astimezone(dt.UTC).replace(tzinfo=None)
    moment: np.datetime64 = np.datetime64(value).astype("datetime64[us]")
    return moment
