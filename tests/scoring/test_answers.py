"""Answers told by columns are those told row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.artifact.runtime import Outputs
from sekisho.artifact.signature import Output
from sekisho.errors import ModelFailed
from sekisho.predict.answers import answer_reader
from sekisho.scoring.answers import AnswerColumns

NUMBER = st.floats(width=64) | st.sampled_from([0.0, -0.0, 1.0, -1e-4, 1.0001, float("nan"), float("inf")])
LABELS: list[tuple[Any, ...]] = [("no", "yes"), (0, 1), (False, True), (3, 1, 2), ("a", 1), (0.5, 1.5), ("only",)]


@st.composite
def classified(draw: st.DrawFn, labels: tuple[Any, ...]) -> Outputs:
    rows = draw(st.integers(1, 6))
    known = [*labels, "other"] if any(isinstance(label, str) for label in labels) else [*labels, 7]
    values = draw(st.lists(st.sampled_from(known), min_size=rows, max_size=rows))
    mixed = any(isinstance(label, str) for label in labels)
    array: Any = np.empty(rows, dtype=object)
    array[:] = values
    if draw(st.booleans()):
        width = len(labels)
        table = np.array(draw(st.lists(st.lists(NUMBER, min_size=width, max_size=width), min_size=rows, max_size=rows)))
        if draw(st.booleans()):  # mostly ones that are probabilities
            table = np.abs(np.nan_to_num(table, nan=0.5, posinf=1.0, neginf=1.0)) + 1e-9
            with np.errstate(over="ignore", invalid="ignore"):
                table = table / table.sum(axis=1, keepdims=True)
    else:
        table = np.full((rows, len(labels)), 1.0 / len(labels))
    return Outputs(values=array if mixed else np.array(values), probabilities=table)


def same(columns: AnswerColumns, output: Output, outputs: Outputs, rows: int) -> None:
    told = answer_reader(output).read(outputs, rows)
    found = columns.read(outputs, rows)
    assert set(np.flatnonzero(found.unsound).tolist()) == told.unsound
    sound = [row for row in range(rows) if row not in told.unsound]
    cells = [column.to_pylist() for column in found.columns]
    for row in sound:
        predicted = told.predictions[row]
        kinds = {type(label) for label in output.classes or ()}
        if len(kinds) > 1 and not isinstance(predicted, str):
            predicted = str(predicted)  # labels of several kinds stand in one column of texts
        assert cells[0][row] == predicted
        if told.confidence is not None and told.probabilities is not None:
            assert cells[1][row] == told.confidence[row]
            assert [column[row] for column in cells[2:]] == told.probabilities[row]


@pytest.mark.parametrize("labels", LABELS)
@given(data=st.data())
def test_classes(labels: tuple[Any, ...], data: st.DataObject) -> None:
    output = Output(task="multiclass", classes=labels, probabilities=True)
    outputs = data.draw(classified(labels))
    same(AnswerColumns(output), output, outputs, len(outputs.values))


@given(values=st.lists(NUMBER, min_size=1, max_size=6))
def test_numbers(values: list[float]) -> None:
    output = Output(task="regression")
    outputs = Outputs(values=np.array(values), probabilities=None)
    same(AnswerColumns(output), output, outputs, len(values))


def test_several_answers_by_name() -> None:
    apart = (
        Output(task="binary", name="a", classes=("no", "b"), probabilities=True),
        Output(task="regression", name="n"),
        Output(task="binary", name="a_b", classes=(0, 1), probabilities=True),
    )
    output = Output(task="multi-output", outputs=apart, probabilities=True)
    values = np.empty((2, 3), dtype=object)
    values[0] = ["no", 1.5, 0]
    values[1] = ["b", float("nan"), 1]
    outputs = Outputs(values=values, probabilities=np.array([[0.75, 0.25, 0.5, 0.5], [0.0, 1.0, 0.25, 0.75]]))
    columns = AnswerColumns(output)
    names = [name for name, _ in columns.fields()]
    assert names[:3] == ["prediction_a", "prediction_n", "prediction_a_b"]
    assert len(set(names)) == len(names)
    assert names[-1] == "flags"
    assert len(names) == 10
    assert names.index("probability_a_b_") > names.index("probability_a_b")
    found = columns.read(outputs, 2)
    assert len(found.columns) == len(names) - 1
    assert found.unsound.tolist() == [False, True]
    assert dict(zip(names, (column[0].as_py() for column in found.columns), strict=False))["probability_a"] == 0.75


@pytest.mark.parametrize("rows", [2, 4])
def test_too_few_or_too_many_answers(rows: int) -> None:
    with pytest.raises(ModelFailed):
        AnswerColumns(Output(task="regression")).read(Outputs(values=np.zeros(3), probabilities=None), rows)
