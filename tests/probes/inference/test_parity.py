"""Comparing answers: what differs is counted, whichever way a service states its probability."""

from __future__ import annotations

import pytest

from sekisho.probes.adapters.interface import Answer, Scalar
from sekisho.probes.inference.parity import Form, _compare, _Expected


def right(label: Scalar, first: float) -> _Expected:
    """Return what a model of the classes 0 and 1 answers, of which the first has the probability ``first``."""
    of_class = {"0": first, "1": 1 - first}
    return _Expected(labels={"": label}, classes=of_class, scores=(of_class[str(label)], 1 - first))


EXPECTED = [right(0, 0.9), right(1, 0.2), right(0, 0.6)]


def compare(answers: list[Answer | None], expected: list[_Expected] | None = None, *, regression: bool = False) -> Form:
    return _compare("single", "offline", answers, expected or EXPECTED, regression=regression)


@pytest.mark.parametrize("stated", [(0.9, 0.8, 0.6), (0.1, 0.8, 0.4)])
def test_the_probability_may_be_that_of_the_label_or_of_the_positive_class(stated: tuple[float, ...]) -> None:
    answers: list[Answer | None] = [
        Answer(label=one.labels[""], probability=score) for one, score in zip(EXPECTED, stated, strict=True)
    ]
    form = compare(answers)
    assert (form.unanswered, form.other_labels) == (0, 0)
    assert form.largest_gap == pytest.approx(0.0, abs=1e-12)


def test_it_may_not_be_now_the_one_and_now_the_other() -> None:
    answers: list[Answer | None] = [
        Answer(label=one.labels[""], probability=score) for one, score in zip(EXPECTED, (0.9, 0.8, 0.4), strict=True)
    ]
    assert compare(answers).largest_gap == pytest.approx(0.2)


def test_all_probabilities_are_compared_by_class() -> None:
    answers: list[Answer | None] = [Answer(label=one.labels[""], probabilities=dict(one.classes)) for one in EXPECTED]
    assert compare(answers).largest_gap == 0.0
    answers[1] = Answer(label=1, probabilities={"0": 0.8, "1": 0.2})  # swapped
    assert compare(answers).largest_gap == pytest.approx(0.6)
    answers[1] = Answer(label=1, probabilities={"1": 0.8})
    assert compare(answers).largest_gap == pytest.approx(0.2)


def test_labels_are_compared_strictly() -> None:
    answers: list[Answer | None] = [Answer(label="0"), Answer(label=1.0), Answer(label=False)]
    assert compare(answers).other_labels == 2  # "0" and False are not 0; 1.0 is 1
    assert compare(answers).largest_gap is None


def test_rows_without_an_answer_are_counted_apart() -> None:
    form = compare([None, Answer(label=0), None])
    assert (form.rows, form.unanswered, form.other_labels) == (3, 2, 1)


@pytest.mark.parametrize(("value", "other"), [(1_000_000.5, 0), (1_000_003.0, 1), ("1000000", 1)])
def test_values_are_compared_relative_to_their_size(value: Scalar, other: int) -> None:
    expected = [_Expected(labels={"": 1_000_000.0}, classes={}, scores=())]
    assert compare([Answer(label=value)], expected, regression=True).other_labels == other
