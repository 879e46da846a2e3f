"""A table is brought to the kinds of a signature, or refused by the name of its column."""

from __future__ import annotations

from typing import Any

import pytest

from sekisho.artifact.fitting import fit_table
from sekisho.artifact.signature import Feature, Output, Signature
from sekisho.artifact.table import Table
from sekisho.errors import InvalidInput


def fitted(feature: Feature, cells: list[Any]) -> list[Any]:
    signature = Signature(features=(feature,), output=Output(task="regression"))
    column = fit_table(Table.of({"other": [0] * len(cells), "x": cells}), signature).column("x")
    assert (column.kind, column.dtype) == (feature.kind, feature.dtype)
    return column.scalars()


def feature(kind: Any, categories: tuple[Any, ...] | None = None, dtype: str = "") -> Feature:
    return Feature(name="x", kind=kind, dtype=dtype, nullable=True, categories=categories)


FITS: list[tuple[Feature, list[Any], list[Any]]] = [
    (feature("float"), [1, None], [1.0, None]),
    (feature("float"), [True, False], [1.0, 0.0]),
    (feature("integer"), [1.0, None], [1, None]),
    (feature("integer"), [True, None], [1, None]),
    (feature("boolean"), [0, 1], [False, True]),
    (feature("boolean"), [1.0, None], [True, None]),
    (feature("datetime"), ["2024-01-01", None], ["2024-01-01T00:00:00Z", None]),
    (feature("datetime"), ["2024-01-01T09:00:00+09:00"], ["2024-01-01T00:00:00Z"]),
    (feature("category", ("a",)), ["a", "b", None], ["a", "b", None]),
    (feature("text"), ["a", None], ["a", None]),
    (feature("category", (1, 2), "category"), [2, None], [2, None]),
    (feature("category", (1, 2), "category"), [2.0, None], [2, None]),
    (feature("category", (False, True)), [True, None], [True, None]),
    (feature("category", (False, True)), [1, 0], [True, False]),
    *(
        (feature(kind), [None, None], [None, None])
        for kind in ("float", "integer", "boolean", "datetime", "category", "text")
    ),
]


@pytest.mark.parametrize(("described", "cells", "expected"), FITS)
def test_what_fits(described: Feature, cells: list[Any], expected: list[Any]) -> None:
    given = fitted(described, cells)
    assert given == expected
    assert [type(cell) for cell in given] == [type(cell) for cell in expected]


@pytest.mark.parametrize(
    ("described", "cells"),
    [
        (feature("float"), ["1"]),
        (feature("integer"), [1.5]),
        (feature("integer"), ["1"]),
        (feature("boolean"), [2]),
        (feature("boolean"), ["true"]),
        (feature("datetime"), ["soon"]),
        (feature("datetime"), [1]),
        (feature("category", ("a",)), [1]),
        (feature("category", (1, 2)), ["a"]),
        (feature("category", (1, 2)), [1.5]),
        (feature("category", (False, True)), [3]),
        (feature("text"), [1.0]),
    ],
)
def test_what_does_not(described: Feature, cells: list[Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        fitted(described, cells)
    assert (caught.value.code, caught.value.field) == ("wrong_type", "x")


def test_a_missing_column() -> None:
    signature = Signature(features=(feature("float"),), output=Output(task="regression"))
    with pytest.raises(InvalidInput) as caught:
        fit_table(Table.of({"y": [1]}), signature)
    assert (caught.value.code, caught.value.field) == ("missing_feature", "x")
