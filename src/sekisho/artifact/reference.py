"""The drift reference: what the columns of the reference set look like, small enough to travel with the model."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from sekisho.artifact import strict_json
from sekisho.artifact.archive import read_arrays, write_arrays
from sekisho.artifact.column import Column, Kind, Scalar, epoch_seconds
from sekisho.errors import IntegrityError
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.artifact.table import Table

NAME: Final = "reference.npz"
SAMPLE_ROWS: Final = 10_000
"""A numeric column is kept as at most this many of its values."""
MOST_LABELS: Final = 1_000
"""A column of strings is kept as the counts of at most this many labels, the most frequent."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class ColumnReference:
    """One column.

    Attributes:
        name: Its name.
        kind: Its kind.
        rows: How many rows the whole set has.
        null_fraction: Which share of them is null, 0 to 1.
        sample: Of a float, integer or datetime column: shape ``(m,)``, float64, ascending, without nulls; a datetime in seconds since 1970,
            UTC. All values when there are no more than :data:`SAMPLE_ROWS`, else as many, drawn at random with a fixed seed.
        labels, counts: Of a boolean or category column: each label and its rows, most frequent first. Free text keeps neither.

    """

    name: str
    kind: Kind
    rows: int
    null_fraction: float
    sample: NDArray[np.float64] | None = None
    labels: tuple[Scalar, ...] | None = None
    counts: tuple[int, ...] | None = None


class _Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A column in the file, without its sample."""

    name: str
    kind: Kind
    rows: int
    null_fraction: float
    labels: tuple[Scalar, ...] | None = None
    counts: tuple[int, ...] | None = None


class _Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: int
    columns: tuple[_Row, ...]


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class DriftReference:
    """All columns of the reference set."""

    columns: tuple[ColumnReference, ...]

    @classmethod
    def of(cls, table: Table) -> DriftReference:
        """Return the reference of every column of ``table``."""
        return cls(columns=tuple(_reference(column) for column in table.columns))

    @property
    def digest(self) -> str:
        """SHA-256 of the content, in hexadecimal, whichever library compressed the file."""
        digest = hashlib.sha256(self._head())
        for column in self.columns:
            if column.sample is not None:
                digest.update(column.sample.astype("<f8").tobytes())
        return digest.hexdigest()

    def encoded(self) -> bytes:
        """Return the bytes of ``reference.npz``."""
        arrays: dict[str, NDArray[Any]] = {"head": np.frombuffer(self._head(), dtype=np.uint8)}
        for index, column in enumerate(self.columns):
            if column.sample is not None:
                arrays[f"sample_{index}"] = column.sample
        return write_arrays(arrays)

    @classmethod
    def decoded(cls, data: bytes, *, where: str = NAME) -> DriftReference:
        """Return the reference in the bytes of ``reference.npz``.

        Raises:
            IntegrityError: They are damaged.

        """
        arrays = read_arrays(data, where=where)
        head = arrays.get("head")
        if head is None or head.dtype != np.uint8:
            raise _damaged(where)
        rows = strict_json.decode(head.tobytes(), _Head, where=where).columns
        columns = []
        for index, row in enumerate(rows):
            sample = arrays.get(f"sample_{index}")
            numeric = row.kind in {"float", "integer", "datetime"}
            if numeric != (sample is not None) or (sample is not None and not _is_sample(sample)):
                raise _damaged(where)
            columns.append(
                ColumnReference(
                    name=row.name,
                    kind=row.kind,
                    rows=row.rows,
                    null_fraction=row.null_fraction,
                    sample=sample,
                    labels=row.labels,
                    counts=row.counts,
                )
            )
        return cls(columns=tuple(columns))

    def _head(self) -> bytes:
        rows = tuple(
            _Row(
                name=column.name,
                kind=column.kind,
                rows=column.rows,
                null_fraction=column.null_fraction,
                labels=column.labels,
                counts=column.counts,
            )
            for column in self.columns
        )
        return strict_json.encode(_Head(format=1, columns=rows))


def _reference(column: Column) -> ColumnReference:
    rows = len(column)
    null_fraction = float(column.null.mean()) if rows else 0.0
    present = column.present()
    if column.kind in {"float", "integer", "datetime"}:
        numbers = epoch_seconds(present) if column.kind == "datetime" else present.astype(np.float64)
        if len(numbers) > SAMPLE_ROWS:
            numbers = np.random.default_rng(0).choice(numbers, SAMPLE_ROWS, replace=False)
        return ColumnReference(
            name=column.name, kind=column.kind, rows=rows, null_fraction=null_fraction, sample=np.sort(numbers)
        )
    if column.kind == "text":
        return ColumnReference(name=column.name, kind=column.kind, rows=rows, null_fraction=null_fraction)
    counted = Counter(present.tolist()).most_common(MOST_LABELS)
    counted.sort(key=lambda pair: (-pair[1], str(pair[0])))
    return ColumnReference(
        name=column.name,
        kind=column.kind,
        rows=rows,
        null_fraction=null_fraction,
        labels=tuple(label for label, _ in counted),
        counts=tuple(count for _, count in counted),
    )


def _is_sample(sample: NDArray[Any]) -> bool:
    return sample.dtype == np.float64 and sample.ndim == 1 and bool(np.all(sample[1:] >= sample[:-1]))


def _damaged(where: str) -> IntegrityError:
    return IntegrityError(
        Text(en="this is not a drift reference", ja="ドリフト基準として読めません"),
        Text(en="pack the artifact again", ja="成果物をパックし直してください"),
        where=where,
    )
