"""The signature: what goes into a model and what comes out, learned from the whole reference set."""

from __future__ import annotations

from typing import Literal

import msgspec

from sekisho.artifact.table import Kind, Scalar

Task = Literal["binary", "multiclass", "regression"]
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
    example: Scalar = None


class Output(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The answer.

    Attributes:
        task: What kind of answer.
        name: The name of the target column.
        classes: Every class label, in the order of the probabilities; ``None`` for a regressor.
        dtype: The dtype of the labels or values.
        probabilities: Whether the model gives them.
        minimum, maximum: The range of a regressor's answers on the reference set.

    """

    task: Task
    name: str = "prediction"
    classes: tuple[Scalar, ...] | None = None
    dtype: str = "float64"
    probabilities: bool = False
    minimum: float | None = None
    maximum: float | None = None


class Signature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All inputs in the order that the model was trained on, and the output."""

    features: tuple[Feature, ...]
    output: Output

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the features, in order."""
        return tuple(feature.name for feature in self.features)
