"""The signature: what goes into a model and what comes out, learned from the whole reference set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from sekisho.artifact.column import Column, Kind, Scalar, timestamps
from sekisho.errors import CannotPack, NotFound
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.artifact.table import Table

Task = Literal["binary", "multiclass", "regression", "multi-output"]
Policy = Literal["reject", "flag", "accept"]


class Feature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One input.

    Attributes:
        name: Its name.
        kind: What its values mean.
        dtype: The dtype that the training table gave it.
        nullable: Whether the reference set holds nulls here (or the caller said so).
        minimum, maximum: The range seen (float, integer; datetime as RFC 3339).
        categories: The categories seen, in order (category, boolean); ``None`` otherwise.
        unit, description: For people.
        personal: Whether it can identify a person: never logged as it is.
        sensitive: Whether groups of it must be treated alike.
        out_of_range, unseen_category: What is done with a value outside the range, or a category never seen.
        null: What is done with a null, where nulls are allowed; else they are refused.
        example: A value that is in range.

    """

    name: str
    kind: Kind
    dtype: str
    nullable: bool
    minimum: float | int | str | None = None
    maximum: float | int | str | None = None
    categories: tuple[Scalar, ...] | None = None
    unit: str | None = None
    description: str | None = None
    personal: bool = False
    sensitive: bool = False
    out_of_range: Policy = "flag"
    unseen_category: Policy = "flag"
    null: Policy = "accept"
    example: Scalar = None

    @property
    def takes_null(self) -> bool:
        """Whether a row with a null here is answered: the model can, and nobody forbids it."""
        return self.nullable and self.null != "reject"


class Output(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The answer.

    Attributes:
        task: What kind of answer; ``multi-output`` for several answers a row, each told in ``outputs``.
        name: The name of the target column.
        classes: Every class label, in the order of the probabilities; ``None`` for a regressor.
        dtype: The dtype of the labels or values.
        probabilities: Whether the model gives them.
        minimum, maximum: The range of a regressor's answers on the reference set.
        outputs: Where the model gives several answers a row: what each of them is, in order; none of them is several in turn.

    """

    task: Task
    name: str = "prediction"
    classes: tuple[Scalar, ...] | None = None
    dtype: str = "float64"
    probabilities: bool = False
    minimum: float | None = None
    maximum: float | None = None
    outputs: tuple[Output, ...] = ()

    @property
    def each(self) -> tuple[Output, ...]:
        """The answers apart: those of :attr:`outputs`, else this one."""
        return self.outputs or (self,)

    @property
    def width(self) -> int:
        """How many probabilities there are to a row: those of several answers stand side by side."""
        return sum(len(one.classes or ()) for one in self.each)

    @property
    def numeric(self) -> bool:
        """Whether every answer is a number rather than a label."""
        return all(one.task == "regression" for one in self.each)


class Signature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All inputs in the order that the model was trained on, and the output."""

    features: tuple[Feature, ...]
    output: Output

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the features, in order."""
        return tuple(feature.name for feature in self.features)

    @property
    def texts(self) -> tuple[str, ...]:
        """The features whose values are strings, whatever they look like in a file without types."""
        return tuple(
            feature.name
            for feature in self.features
            if feature.kind == "text"
            or (feature.kind == "category" and any(isinstance(each, str) for each in feature.categories or ()))
        )

    def feature(self, name: str) -> Feature:
        """Return the feature ``name``.

        Raises:
            NotFound: There is none.

        """
        for feature in self.features:
            if feature.name == name:
                return feature
        raise _no_feature(name)


class Note(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What people know of a feature and no table shows; ``None`` leaves what was learned.

    Attributes:
        unit, description, personal, sensitive, out_of_range, unseen_category: As in :class:`Feature`.
        null: What is done with a null: refuse it, or answer with or without a flag; ``None`` goes by ``nullable``.
        nullable: Allow nulls although the reference set holds none, or refuse them although it does.
        categories: The categories that are known, where the reference set does not hold all of them.
        minimum, maximum: The range that is known, where the reference set does not reach it.

    """

    unit: str | None = None
    description: str | None = None
    personal: bool = False
    sensitive: bool = False
    nullable: bool | None = None
    categories: tuple[Scalar, ...] | None = None
    minimum: float | int | str | None = None
    maximum: float | int | str | None = None
    out_of_range: Policy = "flag"
    unseen_category: Policy = "flag"
    null: Policy | None = None


def learn_signature(reference: Table, output: Output, notes: Mapping[str, Note] | None = None) -> Signature:
    """Return the signature of a model whose inputs look like ``reference``: every row counts.

    Args:
        reference: The features alone, in the order that the model was trained on.
        output: The answer.
        notes: What people know of features, by name.

    Raises:
        CannotPack: There are no rows or no columns, or a column holds infinite numbers, which JSON cannot carry.
        NotFound: A note names a feature that does not exist.

    """
    if not reference.rows:
        raise CannotPack(
            Text(en="the reference set is empty", ja="参照データが空です"),
            Text(en="give the rows that the model was trained on", ja="モデルの学習に使った行を渡してください"),
        )
    known = dict(notes or {})
    features = tuple(_learn(column, known.pop(column.name, _NOTHING)) for column in reference.columns)
    for name in known:
        raise _no_feature(name)
    return Signature(features=features, output=output)


_NOTHING: Final = Note()


def _learn(column: Column, note: Note) -> Feature:
    lowest, highest = _range(column)
    categories = column.distinct() if column.kind in {"category", "boolean"} else None
    nullable = bool(column.null.any()) if note.nullable is None else note.nullable
    if note.null is not None:
        nullable = note.null != "reject"
    return Feature(
        name=column.name,
        kind=column.kind,
        dtype=column.dtype,
        nullable=nullable,
        minimum=lowest if note.minimum is None else note.minimum,
        maximum=highest if note.maximum is None else note.maximum,
        categories=categories if note.categories is None else note.categories,
        unit=note.unit,
        description=note.description,
        personal=note.personal,
        sensitive=note.sensitive,
        out_of_range=note.out_of_range,
        unseen_category=note.unseen_category,
        null=note.null or ("accept" if nullable else "reject"),
        example=_example(column),
    )


def _range(column: Column) -> tuple[float | int | str | None, float | int | str | None]:
    present = column.present()
    if column.kind not in {"float", "integer", "datetime"} or not len(present):
        return None, None
    ends = np.array([present.min(), present.max()])
    if column.kind == "datetime":
        lowest, highest = timestamps(ends)
        return lowest, highest
    if not np.isfinite(ends).all():
        raise CannotPack(
            Text(en=f"column {column.name!r} holds infinite numbers", ja=f"列 {column.name!r} に無限大があります"),
            Text(en="replace them: no request can carry them", ja="JSON では送れないため、別の値に置き換えてください"),
        )
    lowest, highest = ends.tolist()
    return lowest, highest


def _example(column: Column) -> Scalar:
    """Return a value that is really there: the middle one, or the most frequent."""
    present = column.take(~column.null)
    if not len(present):
        return None
    if column.kind in {"float", "integer", "datetime"}:
        middle = np.argsort(present.values, kind="stable")[(len(present) - 1) // 2]
    else:
        cells = present.values.tolist()
        counts = dict.fromkeys(cells, 0)
        for cell in cells:
            counts[cell] += 1
        middle = cells.index(max(counts, key=counts.__getitem__))
    return present.take([int(middle)]).scalars()[0]


def _no_feature(name: str) -> NotFound:
    return NotFound(
        Text(en=f"the model has no feature {name!r}", ja=f"モデルに特徴量 {name!r} はありません"),
        Text(en="use the names of the reference set", ja="参照データの列名を使ってください"),
    )
