"""The native runtime: columns come back in the dtypes of training, and failures say nothing of the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from sekisho.artifact.native import EstimatorRuntime, column_of_scalars
from sekisho.artifact.signature import Output, Signature, learn_signature
from sekisho.artifact.table import Table
from sekisho.errors import ModelFailed


class Spy:
    """An estimator that keeps what it is given."""

    def __init__(self, names: bool, answers: Any = None, raises: Exception | None = None) -> None:
        if names:
            self.feature_names_in_ = np.array(["x"])
        self.answers = answers
        self.raises = raises
        self.given: Any = None

    def predict(self, given: Any) -> Any:
        self.given = given
        if self.raises is not None:
            raise self.raises
        return np.zeros(len(given)) if self.answers is None else self.answers

    def predict_proba(self, given: Any) -> Any:
        return np.full((len(given), 3), 1 / 3)


def signature(frame: pd.DataFrame, output: Output | None = None) -> Signature:
    return learn_signature(Table.of(frame), output or Output(task="regression"))


FRAMES = [
    pd.Series([1.5, None]),
    pd.Series([0.1, 0.2], dtype="float32"),
    pd.Series([1, 2], dtype="int8"),
    pd.Series([1, None], dtype="Int64"),
    pd.Series([True, False]),
    pd.Series([True, None], dtype="boolean"),
    pd.Series(["a", None], dtype="str"),
    pd.Series(["a", None], dtype=object),
    pd.Series(["a", np.nan], dtype=object),
    pd.Series(pd.Categorical([2, 1])),
    pd.Series(pd.date_range("2024-01-01", periods=2, tz="Asia/Tokyo")),
]


@pytest.mark.parametrize("series", FRAMES, ids=lambda series: str(series.dtype))
def test_the_estimator_is_given_what_it_was_trained_on(series: pd.Series[Any]) -> None:
    frame = pd.DataFrame({"x": series})
    spy = Spy(names=True)
    EstimatorRuntime(spy, signature(frame)).run(Table.of(frame).arrays())
    pd.testing.assert_frame_equal(spy.given, frame)
    assert [type(cell) for cell in spy.given["x"][series.isna()]] == [type(cell) for cell in series[series.isna()]]


@pytest.mark.parametrize("series", FRAMES, ids=lambda series: str(series.dtype))
def test_and_the_same_from_json(series: pd.Series[Any]) -> None:
    frame = pd.DataFrame({"x": series})
    learned = signature(frame)
    spy = Spy(names=True)
    cells = [record["x"] for record in Table.of(frame).records()]
    column = column_of_scalars(learned.features[0], cells)
    EstimatorRuntime(spy, learned).run({"x": column.array()})
    pd.testing.assert_frame_equal(spy.given, frame)


def test_numbers_too_large_for_their_dtype_are_not_wrapped_around() -> None:
    frame = pd.DataFrame({"x": pd.Series([1, 2], dtype="int8")})
    spy = Spy(names=True)
    EstimatorRuntime(spy, signature(frame)).run({"x": np.array([300, -1])})
    assert spy.given["x"].tolist() == [300, -1]


def test_without_names_it_is_given_an_array_never_in_float32_unless_trained_on_it() -> None:
    frame = pd.DataFrame({"x": [0.1, 0.2], "y": [1.0, 2.0]})
    spy = Spy(names=False)
    EstimatorRuntime(spy, signature(frame)).run(Table.of(frame).arrays())
    assert isinstance(spy.given, np.ndarray)
    assert spy.given.dtype == np.float64
    assert spy.given.tolist() == frame.to_numpy().tolist()
    EstimatorRuntime(spy, signature(frame.astype("float32"))).run(Table.of(frame).arrays())
    assert spy.given.dtype == np.float32
    words = pd.DataFrame({"x": pd.Series(["a", None], dtype=object), "y": pd.Series([1.0, 2.0], dtype=object)})
    EstimatorRuntime(spy, signature(words)).run(Table.of(words).arrays())
    assert spy.given.tolist() == [["a", 1.0], [None, 2.0]]


def test_failures_do_not_pass_on_the_words_of_the_model() -> None:
    frame = pd.DataFrame({"x": [1.0]})
    runtime = EstimatorRuntime(Spy(names=True, raises=ValueError("password=hunter2 in /srv/model")), signature(frame))
    with pytest.raises(ModelFailed) as caught:
        runtime.run({"x": np.array([1.0])})
    assert caught.value.code == "model_error"
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("answers", [np.zeros(1), np.zeros(3), np.zeros((2, 2)), np.float64(1.0)])
def test_answers_of_another_shape(answers: Any) -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0]})
    with pytest.raises(ModelFailed) as caught:
        EstimatorRuntime(Spy(names=True, answers=answers), signature(frame)).run({"x": np.zeros(2)})
    assert caught.value.code == "invalid_output"


def test_probabilities_of_another_shape() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0]})
    output = Output(task="binary", classes=(0, 1), probabilities=True)
    with pytest.raises(ModelFailed):
        EstimatorRuntime(Spy(names=True), signature(frame, output)).run({"x": np.zeros(2)})


def test_a_column_of_answers_is_flattened() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0]})
    outputs = EstimatorRuntime(Spy(names=True, answers=np.array([[1], [2]])), signature(frame)).run({"x": np.zeros(2)})
    assert outputs.values.tolist() == [1.0, 2.0]
