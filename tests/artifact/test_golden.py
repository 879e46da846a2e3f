"""Golden rows: chosen to hold the corners, compared as strictly as they must be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sekisho.artifact.golden import ROWS, Golden, choose, golden_of, same_answers
from sekisho.artifact.runtime import Outputs
from sekisho.artifact.signature import Note, Output, learn_signature
from sekisho.artifact.table import Table

BINARY = Output(task="binary", classes=("no", "yes"), probabilities=True)


def outputs(values: list[Any], probabilities: list[list[float]] | None = None) -> Outputs:
    dtype: Any = object if isinstance(values[0], str) else None
    return Outputs(
        values=np.array(values, dtype=dtype), probabilities=None if probabilities is None else np.array(probabilities)
    )


def test_rare_rows_are_chosen() -> None:
    rows = 5_000
    random = np.random.default_rng(0)
    data: dict[str, Any] = {
        "a": random.normal(size=rows),
        "b": np.where(np.arange(rows) == 4_321, np.nan, 1.0),
        "c": ["x"] * rows,
    }
    data["a"][1_234] = 99.0
    labels = np.full(rows, "no", dtype=object)
    labels[2_345] = "yes"
    table = Table.of(data)
    chosen = choose(table, labels, learn_signature(table, BINARY))
    assert chosen.rows == ROWS
    assert 99.0 in chosen.column("a").values
    assert chosen.column("b").null.any()
    assert data["a"][2_345] in chosen.column("a").values


def test_small_tables_and_unknown_answers() -> None:
    table = Table.of({"a": [1.0, 2.0]})
    assert choose(table, None, learn_signature(table, BINARY)).records() == table.records()


def test_personal_columns_move_apart() -> None:
    table = Table.of({"name": [f"p{i}" for i in range(40)], "age": list(range(40)), "x": list(range(40))})
    notes = {"name": Note(personal=True), "age": Note(personal=True)}
    chosen = choose(table, None, learn_signature(table, BINARY, notes))
    rows = chosen.records()
    assert sorted(row["x"] for row in rows) == list(range(40))  # type: ignore[type-var]
    assert not any(
        row["name"] == f"p{row['x']}" or row["age"] == row["x"] or row["name"] == f"p{row['age']}" for row in rows
    )


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        (outputs(["no", "yes"], [[0.8, 0.2], [0.3, 0.7]]), ()),
        (outputs(["no", "yes"], [[0.8, 0.2], [0.3 + 9e-7, 0.7]]), ()),
        (outputs(["no", "yes"], [[0.8, 0.2], [0.3 + 2e-6, 0.7]]), (1,)),
        (outputs(["yes", "yes"], [[0.8, 0.2], [0.3, 0.7]]), (0,)),
        (outputs(["no", "yes"], [[np.nan, 0.2], [0.3, 0.7]]), (0,)),
        (outputs(["no", "yes"]), (0, 1)),
        (outputs(["no"], [[0.8, 0.2]]), (0, 1)),
    ],
)
def test_answers_of_a_classifier(given: Outputs, wrong: tuple[int, ...]) -> None:
    golden = Golden(rows=({}, {}), values=("no", "yes"), probabilities=((0.8, 0.2), (0.3, 0.7)))
    assert same_answers(golden, given) == wrong


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ([100.0, 0.0], ()),
        ([100.00009, 0.00009], ()),
        ([100.0002, 0.0], (0,)),
        ([100.0, np.nan], (1,)),
        ([np.inf, 0.0], (0,)),
    ],
)
def test_answers_of_a_regressor(values: list[float], wrong: tuple[int, ...]) -> None:
    golden = golden_of(Table.of({"a": [1.0, 2.0]}), outputs([100.0, 0.0]), tolerance=1e-6)
    assert same_answers(golden, outputs(values)) == wrong


def test_no_rows_no_difference() -> None:
    assert same_answers(Golden(), outputs([1.0])) == ()
