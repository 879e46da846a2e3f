"""The predictor answers as the artifact does, and sees every value that the model does not know."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sekisho.artifact.formats.interface import Columns, Outputs
from sekisho.artifact.signature import Feature, Output, Signature
from sekisho.errors import InvalidInput, ModelFailed
from sekisho.predict.answers import AnswerReader
from sekisho.predict.csv_text import read_rows
from sekisho.predict.predictor import Predictor
from sekisho.predict.scrutiny import Flag


class Recording:
    """A runtime that keeps what it was given."""

    fenced = True

    def __init__(self, values: Any = None) -> None:
        self.given: Columns = {}
        self.values = values

    def run(self, columns: Columns) -> Outputs:
        self.given = columns
        rows = len(next(iter(columns.values())))
        return Outputs(values=np.zeros(rows) if self.values is None else self.values, probabilities=None)


def make(name: str, kind: Any, *, nullable: bool = False, **more: Any) -> Feature:
    return Feature(name=name, kind=kind, dtype="object", nullable=nullable, **more)


SIGNATURE = Signature(
    features=(
        make("size", "float", minimum=0.0, maximum=10.0),
        make("level", "float", nullable=True, minimum=0.0, maximum=1.0, out_of_range="reject"),
        make("count", "integer", minimum=1, maximum=9),
        make("seats", "integer", nullable=True, minimum=1, maximum=9, out_of_range="accept"),
        make("open", "boolean", categories=(True,)),
        make("city", "category", nullable=True, categories=("Nara", "Uji")),
        make("plan", "category", categories=("a", "b"), unseen_category="reject"),
        make("code", "category", categories=(1, 2), unseen_category="accept"),
        make("since", "datetime", nullable=True, minimum="2020-01-01T00:00:00Z", maximum="2026-01-01T00:00:00Z"),
        make("note", "text"),
    ),
    output=Output(task="regression"),
)
GOOD: dict[str, Any] = {
    "size": 5,
    "level": None,
    "count": 2,
    "seats": None,
    "open": True,
    "city": None,
    "plan": "a",
    "code": 9,
    "since": "2021-06-01T09:00:00+09:00",
    "note": "",
}


def findings(**cells: Any) -> Any:
    predictor = Predictor(SIGNATURE, Recording())
    row = predictor.reader.read({**GOOD, **cells}, row=0)
    return predictor.prepare([row]).findings


def test_columns_have_the_dtypes_that_a_runtime_takes() -> None:
    runtime = Recording()
    predictor = Predictor(SIGNATURE, runtime)
    rows = [
        predictor.reader.read({**GOOD, **cells}, row=0) for cells in ({}, {"seats": 4, "city": "Uji", "since": None})
    ]
    predictor.predict(rows)
    given = runtime.given
    assert list(given) != []
    assert set(given) == set(SIGNATURE.names)
    assert {name: given[name].dtype.str for name in given} == {
        "size": "<f8",
        "level": "<f8",
        "seats": "<f8",
        "count": "<i8",
        "open": "|b1",
        "city": "|O",
        "plan": "|O",
        "code": "|O",
        "note": "|O",
        "since": "<M8[us]",
    }
    assert np.isnan(given["level"]).all()
    assert given["seats"].tolist()[1] == 4.0
    assert given["city"].tolist() == [None, "Uji"]
    assert given["since"].astype(str).tolist() == ["2021-06-01T00:00:00.000000", "NaT"]


@pytest.mark.parametrize(
    ("cells", "flag"),
    [
        ({"size": 10.5}, "out_of_range:size"),
        ({"size": -1}, "out_of_range:size"),
        ({"count": 0}, "out_of_range:count"),
        ({"count": -(2**63)}, "out_of_range:count"),
        ({"open": False}, "unseen_category:open"),
        ({"city": "Kyoto"}, "unseen_category:city"),
        ({"since": "2026-01-01T00:00:00.000001Z"}, "out_of_range:since"),
        ({"since": "0001-01-01T00:00:00+14:00"}, "out_of_range:since"),
    ],
)
def test_what_is_unusual_is_flagged(cells: dict[str, Any], flag: str) -> None:
    assert [str(one) for one in findings(**cells).flags[0]] == [flag]


@pytest.mark.parametrize(
    "cells", [{}, {"size": 10}, {"size": 0}, {"seats": 10**6}, {"code": 77}, {"note": "x"}, {"since": None}]
)
def test_what_is_usual_or_accepted_is_not(cells: dict[str, Any]) -> None:
    assert findings(**cells) is None


def test_a_null_is_flagged_where_its_feature_says_so() -> None:
    features = (
        make("size", "float", nullable=True, minimum=0.0, maximum=10.0, null="flag"),
        make("seats", "integer", nullable=True, minimum=1, maximum=9, null="flag"),
        make("city", "category", nullable=True, categories=("Nara", "Uji"), null="flag", unseen_category="accept"),
        make("open", "boolean", nullable=True, categories=(True, False), null="flag"),
        make("since", "datetime", nullable=True, minimum="2020-01-01T00:00:00Z", maximum="2026-01-01T00:00:00Z"),
        make("note", "text", nullable=True, null="flag"),
    )
    predictor = Predictor(Signature(features=features, output=Output(task="regression")), Recording())
    whole = {"size": 1, "seats": 2, "city": "Uji", "open": True, "since": None, "note": ""}
    rows = [predictor.reader.read({**whole, name: None}, row=0) for name in whole]
    found = predictor.prepare(rows).findings
    assert found is not None
    assert not found.refusals
    assert {row: [str(flag) for flag in flags] for row, flags in found.flags.items()} == {
        place: [f"null:{name}"] for place, name in enumerate(whole) if name != "since"
    }
    assert predictor.prepare([predictor.reader.read(whole, row=0)]).findings is None


def test_a_null_is_refused_where_somebody_forbids_what_the_model_can_do() -> None:
    found = Signature(features=(make("size", "float", nullable=True, null="reject"),), output=Output(task="regression"))
    predictor = Predictor(found, Recording())
    findings = predictor.prepare([predictor.reader.read([value], row=0) for value in (1.0, None)]).findings
    assert findings is not None
    assert {row: refusal.code for row, refusal in findings.refusals.items()} == {1: "null_not_allowed"}


@pytest.mark.parametrize(
    ("cells", "code", "field"),
    [
        ({"level": 1.5}, "out_of_range", "level"),
        ({"plan": "c"}, "unseen_category", "plan"),
        ({"size": 2**53 + 1}, "not_exact", "size"),
        ({"seats": 2**53 + 1}, "not_exact", "seats"),
        ({"seats": -(2**62) - 1}, "not_exact", "seats"),
    ],
)
def test_what_must_not_be_answered_is_refused(cells: dict[str, Any], code: str, field: str) -> None:
    refusal = findings(**cells).refusals[0]
    assert (refusal.code, refusal.field) == (code, field)


def test_each_row_of_a_batch_is_looked_at() -> None:
    predictor = Predictor(SIGNATURE, Recording())
    cells: list[dict[str, Any]] = [
        {},
        {"size": 99.0, "city": "Kyoto"},
        {},
        {"count": 0, "plan": "z"},
        {"size": 2**60 + 1},
    ]
    prepared = predictor.prepare([predictor.reader.read({**GOOD, **one}, row=at) for at, one in enumerate(cells)])
    assert prepared.findings is not None
    assert prepared.findings.flags == {1: [Flag("out_of_range", "size"), Flag("unseen_category", "city")]}
    assert {row: error.code for row, error in prepared.findings.refusals.items()} == {
        3: "unseen_category",
        4: "not_exact",
    }
    with pytest.raises(InvalidInput) as raised:
        predictor.predict([predictor.reader.read({**GOOD, **one}, row=0) for one in cells])
    assert raised.value.row == 3


def test_too_few_answers_belong_to_nobody() -> None:
    predictor = Predictor(SIGNATURE, Recording(values=np.zeros(1)))
    row = predictor.reader.read(GOOD, row=0)
    with pytest.raises(ModelFailed) as raised:
        predictor.predict([row, row])
    assert raised.value.code == "invalid_output"


def test_a_number_that_is_none_is_no_answer() -> None:
    predictor = Predictor(SIGNATURE, Recording(values=np.array([np.inf])))
    with pytest.raises(ModelFailed):
        predictor.predict([predictor.reader.read(GOOD, row=0)])


def test_of_an_exception_only_the_name_is_said() -> None:
    class Raising(Recording):
        def run(self, columns: Columns) -> Outputs:
            raise ValueError("a caller's value")

    predictor = Predictor(SIGNATURE, Raising())
    with pytest.raises(ModelFailed) as raised:
        predictor.predict([predictor.reader.read(GOOD, row=0)])
    assert "ValueError" in str(raised.value)
    assert "caller" not in str(raised.value)


@pytest.mark.parametrize(
    ("probabilities", "unsound"),
    [
        ([[0.25, 0.75]], False),
        ([[0.0, 1.0000001]], False),
        ([[-1e-7, 1.0]], False),
        ([[0.5, 0.6]], True),
        ([[1.5, -0.5]], True),
        ([[np.nan, 1.0]], True),
        ([[np.inf, 0.0]], True),
    ],
)
def test_probabilities_must_be_some(probabilities: Any, unsound: bool) -> None:
    reader = AnswerReader(Output(task="binary", classes=("no", "yes"), probabilities=True))
    outputs = Outputs(values=np.array(["yes"], dtype=object), probabilities=np.array(probabilities))
    answers = reader.read(outputs, 1)
    assert answers.unsound == (frozenset((0,)) if unsound else frozenset())
    if not unsound:
        assert answers.probabilities is not None
        assert all(0.0 <= value <= 1.0 for value in answers.probabilities[0])
        assert answers.confidence == [answers.probabilities[0][1]]


def test_many_rows_are_judged_as_one_is() -> None:
    """Among many rows the odd ones are looked for by arrays; what is found must be what a loop finds."""
    random = np.random.default_rng(0)
    table = random.dirichlet(np.ones(3), 500)
    odd = {
        3: [0.2, 0.2, 0.2],
        17: [np.nan, 0.5, 0.5],
        40: [-1e-7, 0.5, 0.5],
        41: [1.5, -0.5, 0.0],
        499: [1 + 1e-7, 0, 0],
    }
    for row, values in odd.items():
        table[row] = values
    labels = np.array(["a", "b", "c"], dtype=object)[table.argmax(axis=1)]
    labels[100] = "d"
    reader = AnswerReader(Output(task="multiclass", classes=("a", "b", "c"), probabilities=True))
    many = reader.read(Outputs(values=labels, probabilities=table), 500)
    assert many.unsound == {3, 17, 41, 100}
    assert many.probabilities is not None
    assert many.confidence is not None
    for row in set(range(500)) - many.unsound:
        one = reader.read(Outputs(values=labels[row : row + 1], probabilities=table[row : row + 1]), 1)
        assert one.probabilities == many.probabilities[row : row + 1]
        assert one.confidence == many.confidence[row : row + 1]


def test_many_numbers_are_judged_as_one_is() -> None:
    values = np.arange(40.0)
    values[[5, 39]] = np.nan, np.inf
    reader = AnswerReader(Output(task="regression"))
    assert reader.read(Outputs(values=values, probabilities=None), 40).unsound == {5, 39}


def test_rows_by_columns_are_the_rows() -> None:
    predictor = Predictor(SIGNATURE, Recording())
    other = {**GOOD, "level": 0.5, "seats": 3, "city": "Uji", "since": None, "code": 1, "open": False}
    rows = [predictor.reader.read(row, row=0) for row in (GOOD, other, GOOD)]
    held = predictor.by_columns(predictor.prepare(rows))
    assert list(held) == rows
    assert [type(cell) for row in held for cell in row[1:]] == [type(cell) for row in rows for cell in row[1:]]
    again = predictor.prepare(held)
    assert again.findings == predictor.prepare(rows).findings


def test_a_label_must_be_one_of_the_classes() -> None:
    reader = AnswerReader(Output(task="binary", classes=("no", "yes")))
    answers = reader.read(Outputs(values=np.array(["no", "perhaps"], dtype=object), probabilities=None), 2)
    assert answers.unsound == {1}


def test_csv_becomes_the_values_that_json_would_be() -> None:
    names = ",".join(reversed(SIGNATURE.names))
    body = f'{names}\n"a, ""b""",2021-06-01T00:00:00Z,1,a,,TRUE,,2,,5\n'.encode()
    assert read_rows(body, SIGNATURE) == [[5, None, 2, None, True, None, "a", 1, "2021-06-01T00:00:00Z", 'a, "b"']]
