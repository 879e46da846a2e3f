"""What a service is asked: rows that fit, and what the target says of the task."""

from __future__ import annotations

import pandas as pd
import pytest

from sekisho.artifact.signature import Feature, Output, Signature
from sekisho.artifact.table import Scalar, Table
from sekisho.contract.sections import Data
from sekisho.errors import NotMeasured
from sekisho.probes.resources.questions import is_usual, output_of, questions
from sekisho.probes.resources.tables import TestSet, TrainingSet, told_apart

FRAME = pd.DataFrame({"age": [20, 30, 40], "plan": ["a", "b", "a"], "paid": [True, False, True]})


@pytest.mark.parametrize(
    ("row", "usual"),
    [
        ({"age": 30, "plan": "a", "since": "2020-06-01T00:00:00Z"}, True),
        ({"age": 30, "plan": None, "since": None}, True),
        ({"age": None, "plan": "a", "since": None}, False),
        ({"age": 91, "plan": "a", "since": None}, False),
        ({"age": 30, "plan": "c", "since": None}, False),
        ({"age": 30, "plan": "a", "since": "2031-01-01T00:00:00Z"}, False),
    ],
)
def test_a_row_is_usual_when_all_its_values_are(row: dict[str, Scalar], usual: bool) -> None:
    signature = Signature(
        features=(
            Feature(name="age", kind="integer", dtype="int64", nullable=False, minimum=18, maximum=90),
            Feature(name="plan", kind="category", dtype="object", nullable=True, categories=("a", "b")),
            Feature(
                name="since",
                kind="datetime",
                dtype="datetime64[us]",
                nullable=True,
                minimum="2020-01-01T00:00:00Z",
                maximum="2025-01-01T00:00:00Z",
            ),
        ),
        output=Output(task="binary"),
    )
    assert is_usual(signature, row) is usual


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (["no", "yes", "no"], "binary", ("no", "yes")),
        ([0, 1, 1], "binary", (0, 1)),
        ([True, False, True], "binary", (False, True)),
        ([1, 2, 3], "multiclass", (1, 2, 3)),
        (list(range(30)), "regression", None),
        ([0.5, 1.5, 2.5], "regression", None),
    ],
)
def test_the_target_tells_the_task(values: list[Scalar], task: str, classes: tuple[Scalar, ...] | None) -> None:
    output = output_of(Table.of({"y": values}).column("y"))
    assert (output.task, output.classes) == (task, classes)


def test_rows_come_from_the_test_set_and_the_signature_from_the_training_set() -> None:
    data = Data(training="a", test="b", target="paid")
    training = told_apart(Table.of(FRAME), data, TrainingSet)
    odd = pd.DataFrame({"age": [25, 99, 35], "plan": ["a", "a", "never"], "paid": [True, False, True]})
    asked = questions(None, told_apart(Table.of(odd), data, TestSet), training)
    assert asked.signature.names == ("age", "plan")
    assert asked.signature.output.classes == (False, True)
    assert asked.rows == ({"age": 25, "plan": "a"},)
    assert asked.table.rows == 1


def test_nothing_to_ask_is_not_measured() -> None:
    with pytest.raises(NotMeasured, match="neither an artifact nor a data set"):
        questions(None, None, None)
    data = Data(test="b", target="paid")
    training = told_apart(Table.of(FRAME), data, TrainingSet)
    odd = told_apart(Table.of(FRAME.assign(age=[200, 300, 400])), data, TestSet)
    with pytest.raises(NotMeasured, match="no row of the test set fits"):
        questions(None, odd, training)
