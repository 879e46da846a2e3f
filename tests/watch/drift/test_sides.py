from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from sekisho.artifact.column import listed, plain
from sekisho.artifact.reference import DriftReference
from sekisho.artifact.table import Table
from sekisho.watch.drift.pairs import LabelPair, NullPair, NumberPair, pairs_of
from sekisho.watch.drift.sides import Labels, Numbers, side_of, side_of_reference


def test_nulls_are_counted_and_left_out() -> None:
    side = side_of(plain("x", np.array([1.0, np.nan, np.inf, 2.0])), "float")
    assert isinstance(side, Numbers)
    assert side.values.tolist() == [1.0, np.inf, 2.0]
    assert (side.rows, side.nulls) == (4, 1)


def test_labels_are_counted() -> None:
    side = side_of(listed("x", ["a", None, "b", "a"]), "category")
    assert isinstance(side, Labels)
    assert side.counts == {"a": 2, "b": 1}
    assert (side.rows, side.nulls) == (4, 1)


@pytest.mark.parametrize("values", [[True, False, None, True], [1, 0, None, 1], [1.0, 0.0, None, 1.0]])
def test_booleans_may_come_as_numbers(values: list[object]) -> None:
    side = side_of(listed("x", values), "boolean")
    assert isinstance(side, Labels)
    assert side.counts == {True: 2, False: 1}


def test_moments_may_come_as_strings_of_any_zone() -> None:
    moment = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC).timestamp()
    words = ["2026-03-01T12:00:00Z", "2026-03-01T21:00:00+09:00", "2026-03-01T12:00:00", None]
    side = side_of(listed("x", words), "datetime")
    assert isinstance(side, Numbers)
    assert side.values.tolist() == [moment] * 3


@pytest.mark.parametrize(
    ("values", "kind"), [(["x"], "float"), (["x"], "datetime"), ([0.5], "category"), ([0.5], "boolean")]
)
def test_another_type_is_no_side(values: list[object], kind: str) -> None:
    assert side_of(listed("x", values), kind) is None  # type: ignore[arg-type]


def test_a_drift_reference_gives_the_sides_of_its_table() -> None:
    random = np.random.default_rng(1)
    table = Table.of(
        {
            "number": np.where(random.random(300) < 0.1, np.nan, random.normal(size=300)),
            "whole": random.integers(0, 9, 300),
            "flag": random.random(300) < 0.5,
            "name": random.choice(np.array(["a", "b"], dtype=object), 300),
            "moment": np.datetime64("2026-01-01", "us") + random.integers(0, 999, 300).astype("timedelta64[s]"),
        }
    )
    for column, kept in zip(table.columns, DriftReference.of(table).columns, strict=True):
        own, held = side_of(column, column.kind), side_of_reference(kept)
        assert own is not None
        assert (own.rows, own.nulls) == (held.rows, held.nulls)
        if isinstance(own, Numbers):
            assert isinstance(held, Numbers)
            assert own.sorted().values.tolist() == held.values.tolist()
            assert own.whole == held.whole
        else:
            assert isinstance(held, Labels)
            assert own.counts == held.counts
            assert held.others == 0


def test_rare_labels_that_a_reference_does_not_keep_are_one_label() -> None:
    reference = Labels(counts={"a": 60, "b": 30}, shown=True, rows=110, nulls=10, others=10)
    current = Labels(counts={"a": 50, "c": 6, "d": 4}, shown=True, rows=60, nulls=0)
    _, pair = pairs_of("category", reference, current)
    assert isinstance(pair, LabelPair)
    assert pair.labels == ("a", "b", None)
    assert pair.reference.tolist() == [60, 30, 10]
    assert pair.current.tolist() == [50, 0, 10]
    assert (pair.n, pair.m) == (100, 60)


def test_text_of_a_reference_is_judged_by_its_nulls_alone() -> None:
    reference = Labels(counts={}, shown=False, rows=100, nulls=0, others=100)
    current = Labels(counts={"a": 60}, shown=False, rows=60, nulls=0)
    assert [type(pair) for pair in pairs_of("text", reference, current)] == [NullPair]


def test_a_side_that_is_too_small_is_left_out() -> None:
    def numbers(rows: int, present: int) -> Numbers:
        return Numbers(values=np.arange(float(present)), ordered=True, whole=True, rows=rows, nulls=rows - present)

    assert pairs_of("float", numbers(100, 100), numbers(49, 49)) == ()
    assert [type(pair) for pair in pairs_of("float", numbers(100, 100), numbers(100, 49))] == [NullPair]
    assert [type(pair) for pair in pairs_of("float", numbers(50, 50), numbers(50, 50))] == [NullPair, NumberPair]
