"""The signature is learned from every row."""

from __future__ import annotations

import msgspec
import pandas as pd
import pytest

from sekisho.artifact.signature import Feature, Note, Output, Signature, learn_signature
from sekisho.artifact.table import Table
from sekisho.errors import CannotPack, NotFound

OUTPUT = Output(task="regression")


def learn(data: object, **notes: Note) -> Signature:
    return learn_signature(Table.of(data), OUTPUT, notes)


def test_the_last_row_counts() -> None:
    rows = [{"f": 1.0, "c": "a", "i": 5}] * 999 + [{"f": None, "c": "z", "i": -5}]
    f, c, i = learn(rows).features
    assert (f.nullable, f.minimum, f.maximum) == (True, 1.0, 1.0)
    assert c.categories == ("a", "z")
    assert (i.minimum, i.maximum, i.nullable) == (-5, 5, False)


def test_kinds() -> None:
    frame = pd.DataFrame(
        {
            "code": [1, 2],
            "cat": pd.Categorical([1, 2]),
            "flag": [True, False],
            "when": pd.to_datetime(["2024-01-01", "2024-02-01"]),
            "words": ["a", "b"],
        }
    )
    code, cat, flag, when, words = learn(frame).features
    assert (code.kind, code.categories, code.minimum, code.dtype) == ("integer", None, 1, "int64")
    assert (cat.kind, cat.categories, cat.dtype) == ("category", (1, 2), "category")
    assert (flag.kind, flag.categories) == ("boolean", (False, True))
    assert (when.kind, when.minimum, when.maximum) == ("datetime", "2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z")
    assert (words.kind, words.categories) == ("category", ("a", "b"))


def test_text_has_no_categories() -> None:
    (feature,) = learn({"x": [f"comment {index}" for index in range(200)]}).features
    assert (feature.kind, feature.categories) == ("text", None)


def test_an_example_is_a_value_that_is_there() -> None:
    features = learn({"f": [1.0, 2.0, 100.0], "c": ["b", "a", "b"], "n": [None, None, None]}).features
    assert [feature.example for feature in features] == [2.0, "b", None]


def test_what_is_done_with_a_null_is_learned_or_said() -> None:
    table = {"whole": [1.0, 2.0], "some": [1.0, None]}
    assert [(each.nullable, each.null) for each in learn(table).features] == [(False, "reject"), (True, "accept")]
    stated = learn(table, whole=Note(null="flag"), some=Note(null="reject")).features
    assert [(each.nullable, each.null) for each in stated] == [(True, "flag"), (False, "reject")]


def test_a_signature_that_was_written_before_nulls_had_a_policy_is_read() -> None:
    old = b'{"name":"f","kind":"float","dtype":"float64","nullable":true}'
    assert msgspec.json.decode(old, type=Feature).null == "accept"


def test_notes_say_what_no_table_shows() -> None:
    note = Note(unit="years", personal=True, nullable=True, maximum=120.0, out_of_range="reject")
    (feature,) = learn({"age": [30.0, 40.0]}, age=note).features
    assert (
        feature.unit,
        feature.personal,
        feature.nullable,
        feature.minimum,
        feature.maximum,
        feature.out_of_range,
    ) == (
        "years",
        True,
        True,
        30.0,
        120.0,
        "reject",
    )


def test_refusals() -> None:
    with pytest.raises(CannotPack, match="empty"):
        learn({"a": []})
    with pytest.raises(CannotPack, match="infinite"):
        learn({"a": [1.0, float("inf")]})
    with pytest.raises(NotFound, match="no feature 'b'"):
        learn({"a": [1.0]}, b=Note())


def test_features_by_name() -> None:
    signature = learn({"a": [1.0], "b": [2.0]})
    assert signature.names == ("a", "b")
    assert signature.feature("b").example == 2.0
    with pytest.raises(NotFound):
        signature.feature("c")
