"""The classes of a model by number, however a table or a service spells them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sekisho.artifact.signature import Output
from sekisho.artifact.table import Column, Scalar
from sekisho.errors import NotMeasured
from sekisho.probes.statistics.answers import Floats
from sekisho.text import Text

MOST_CLASSES = 20
"""Whole numbers with more different values than this are values, not classes."""

SEVERAL = Text(
    en="the model gives several answers a row, and this is judged for one answer alone",
    ja="1行に複数の答えを返すモデルで、この項目は答えが1つの場合にしか判定できません",
)
SEVERAL_REMEDY = Text(
    en="pack a model for each answer to have it judged, or waive the box with a reason",
    ja="判定するには答えごとに1つのモデルをパックするか、理由を添えて免除（waiver）にしてください",
)


@dataclass(frozen=True, slots=True)
class Labels:
    """The classes of a model.

    Attributes:
        classes: The labels, in the order of their numbers; empty when the model answers values.

    """

    classes: tuple[Scalar, ...]

    @classmethod
    def of(cls, output: Output | None, target: Column) -> Labels:
        """Return the labels of the model, then those that only the target knows.

        Args:
            output: What the model gives; ``None`` when only the target can tell.
            target: The right answers.

        Raises:
            NotMeasured: The model gives several answers a row.

        """
        refuse_several(output)
        classes = target.distinct()
        if output is None:
            by_number = target.kind == "float" or (target.kind == "integer" and len(classes) > MOST_CLASSES)
            return cls(() if by_number or target.kind == "datetime" else classes)
        if output.task == "regression":
            return cls(())
        known = {spelling(label): label for label in output.classes or ()}
        for label in classes:
            known.setdefault(spelling(label), label)
        return cls(tuple(known.values()))

    def number(self, label: Scalar) -> int | None:
        """Return the number of one label; ``None`` when it is no class."""
        names = [spelling(known) for known in self.classes]
        return names.index(spelling(label)) if spelling(label) in names else None

    def numbers(self, cells: list[Scalar]) -> Floats:
        """Return labels or values as numbers, shape ``(n,)``: NaN for a null or for what is no class."""
        if self.classes:
            places = {spelling(label): float(number) for number, label in enumerate(self.classes)}
            if (
                len({type(cell) for cell in cells if cell is not None}) > 1
            ):  # 1, 1.0 and True are one key, not one spelling
                return np.array([places.get(spelling(cell), np.nan) for cell in cells], dtype=np.float64)
            known = {cell: places.get(spelling(cell), np.nan) for cell in set(cells)}
            return np.fromiter(map(known.__getitem__, cells), dtype=np.float64, count=len(cells))
        return np.array([cell if isinstance(cell, int | float) else np.nan for cell in cells], dtype=np.float64)

    def positive(self, stated: Scalar) -> int | None:
        """Return the number of the class that counts as positive: the stated one, else the second of two.

        Raises:
            NotMeasured: The stated class does not exist.

        """
        if stated is None or not self.classes:
            return 1 if len(self.classes) == 2 else None
        number = self.number(stated)
        if number is None:
            known = ", ".join(str(label) for label in self.classes[:20])
            raise NotMeasured(
                Text(
                    en="data.positive names a class that the model does not have",
                    ja="data.positive がモデルにないクラスを指しています",
                ),
                Text(en=f"set it to one of: {known}", ja=f"次から指定してください: {known}"),
            )
        return number


def refuse_several(output: Output | None) -> None:
    """Refuse a model that gives several answers a row: what judges one answer says nothing of it.

    Raises:
        NotMeasured: It does.

    """
    if output is not None and output.outputs:
        raise NotMeasured(SEVERAL, SEVERAL_REMEDY)


def spelling(label: Scalar) -> str:
    """Return what all spellings of one label share: a service may send ``1``, ``1.0`` or ``"1"`` for the class 1."""
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    return str(label)
