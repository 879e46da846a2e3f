from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.artifact.reference import DriftReference
from sekisho.artifact.table import Table
from sekisho.errors import NotFound, WrongUse
from sekisho.watch.drift.correction import alpha_per_look
from sekisho.watch.drift.detector import DriftDetector
from sekisho.watch.drift.report import State

ALPHA = alpha_per_look(1.0, 24.0)


@pytest.fixture(scope="module")
def reference(make_table: Any) -> Any:
    return make_table(10_000, seed=1)


@pytest.fixture(scope="module")
def detector(reference: dict[str, np.ndarray]) -> DriftDetector:
    return DriftDetector(reference)


def test_a_window_of_the_same_population_is_no_drift(detector: DriftDetector, make_table: Any) -> None:
    report = detector.detect_drift(make_table(1_000, seed=2))
    assert not report.detected
    assert report.enough
    assert {column.state for column in report.columns} <= {State.STABLE, State.SMALL}
    assert (report.rows_reference, report.rows_current) == (10_000, 1_000)
    assert [column.name for column in report.columns] == list(detector.kinds)


CHANGES: dict[str, Any] = {
    "age": lambda v, r: v + 6,
    "income": lambda v, r: np.where(r.random(len(v)) < 0.5, np.nan, v),
    "children": lambda v, r: r.poisson(2.6, len(v)),
    "member": lambda v, r: r.random(len(v)) < 0.5,
    "work": lambda v, r: np.where(r.random(len(v)) < 0.03, "abroad", v).astype(object),
    "town": lambda v, r: np.where(r.random(len(v)) < 0.3, "town 7", v).astype(object),
    "joined": lambda v, r: v + np.timedelta64(10, "D"),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("kept", ["table", "artifact's reference"])
def test_one_changed_column_is_found_and_no_other(name: str, kept: str, reference: Any, make_table: Any) -> None:
    detector = DriftDetector(reference if kept == "table" else DriftReference.of(Table.of(reference)))
    window = make_table(1_000, seed=3)
    window[name] = CHANGES[name](window[name], np.random.default_rng(4))
    report = detector.detect_drift(window, ALPHA)
    assert [column.name for column in report.drifted] == [name]
    found = report.column(name)
    assert found.state is State.DRIFT
    assert found.adjusted_p_value is not None
    assert found.adjusted_p_value <= ALPHA
    assert found.effect >= 0.1
    assert found.reason.en != found.reason.ja


@pytest.mark.parametrize("change", ["wider", "two peaks", "heavy tail", "beyond the range"])
def test_changes_that_leave_the_centre_alone_are_found(change: str, detector: DriftDetector, make_table: Any) -> None:
    random = np.random.default_rng(5)
    window = make_table(1_000, seed=6)
    age = window["age"]
    window["age"] = {
        "wider": 40 + 1.6 * (age - 40),
        "two peaks": np.where(random.random(1_000) < 0.5, 28.0, 52.0) + random.normal(0, 3, 1_000),
        "heavy tail": np.where(random.random(1_000) < 0.2, 40 + 5 * (age - 40), age),
        "beyond the range": np.where(random.random(1_000) < 0.02, age * 100, age),
    }[change]
    assert [column.name for column in detector.detect_drift(window, ALPHA).drifted] == ["age"]


def test_a_certain_but_small_change_is_named_and_is_no_drift() -> None:
    random = np.random.default_rng(7)
    before = {"x": random.normal(size=1_000_000), "y": random.random(1_000_000) < 0.5}
    now = {"x": random.normal(0.01, 1, 1_000_000), "y": random.random(1_000_000) < 0.505}
    report = DriftDetector(before).detect_drift(now, ALPHA)
    assert not report.detected
    assert report.column("x").state is State.SMALL
    assert report.column("x").reason.en.startswith("small: ")
    assert DriftDetector(before, smallest_effect=0.001).detect_drift(now, ALPHA).column("x").detected


def test_any_table_will_do(reference: Any, make_table: Any) -> None:
    window = make_table(1_000, seed=8)
    window["age"] = window["age"] + 12
    tables = {
        "pandas": pd.DataFrame,
        "polars": pl.DataFrame,
        "arrow": pa.table,
        "mapping": lambda columns: {name: values.tolist() for name, values in columns.items()},
    }
    reports = [DriftDetector(make(reference)).detect_drift(make(window), ALPHA) for make in tables.values()]
    assert len({tuple(column.adjusted_p_value for column in report.columns) for report in reports}) == 1
    assert [column.name for column in reports[0].drifted] == ["age"]


def test_an_array_has_columns_too() -> None:
    random = np.random.default_rng(9)
    report = DriftDetector(random.normal(size=(2_000, 3))).detect_drift(random.normal([0, 0, 2], size=(500, 3)))
    assert [column.name for column in report.drifted] == ["x2"]


def test_an_artifact_brings_its_reference(reference: Any, make_table: Any) -> None:
    class Artifact:
        reference = DriftReference.of(Table.of(make_table(10_000, seed=1)))

    own, held = DriftDetector(reference), DriftDetector(Artifact())
    window = make_table(1_000, seed=10)
    window["age"] = window["age"] + 12
    assert held.kinds == own.kinds
    assert held.detect_drift(window).drifted[0].effect == own.detect_drift(window).drifted[0].effect


def test_columns_can_be_chosen(detector: DriftDetector, make_table: Any) -> None:
    window = make_table(1_000, seed=11)
    window["age"] = window["age"] + 12
    report = detector.detect_drift(window, ALPHA, columns=["children", "work"])
    assert [column.name for column in report.columns] == ["children", "work"]
    assert not report.detected


# What a window may look like on a bad day.


def test_few_rows_are_not_enough_data(detector: DriftDetector, make_table: Any) -> None:
    for rows in (0, 1, 49):
        window = {
            name: values[:rows] + 0 if name == "age" else values[:rows]
            for name, values in make_table(50, seed=12).items()
        }
        window["age"] = np.full(rows, 1e9)
        report = detector.detect_drift(window)
        assert not report.enough
        assert not report.detected
        assert {column.state for column in report.columns} == {State.NOT_ENOUGH_DATA}
        assert "not enough data" in report.columns[0].reason.en
        assert report.verdict.en.startswith("Not enough data")


@pytest.mark.parametrize("empty", [[], {}, pd.DataFrame(), {"age": []}])
def test_no_rows_at_all(detector: DriftDetector, empty: Any) -> None:
    report = detector.detect_drift(empty)
    assert not report.detected
    assert not report.enough


def test_a_missing_column_is_a_finding_of_its_own(detector: DriftDetector, make_table: Any) -> None:
    window = make_table(500, seed=13)
    del window["work"]
    report = detector.detect_drift(window)
    assert report.detected
    assert report.column("work").state is State.MISSING
    assert report.column("work").p_value is None
    assert [column.name for column in report.drifted] == ["work"]


def test_an_extra_column_is_named_and_not_judged(detector: DriftDetector, make_table: Any) -> None:
    window = {**make_table(500, seed=14), "new": np.arange(500)}
    report = detector.detect_drift(window)
    assert not report.detected
    assert report.column("new").state is State.EXTRA
    assert "new" not in list(report)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("age", np.array(["forty"] * 500, dtype=object)),
        ("age", np.full(500, np.datetime64("2026-01-01"))),
        ("joined", np.arange(500.0)),
        ("joined", np.array(["yesterday"] * 500, dtype=object)),
        ("work", np.linspace(0, 1, 500)),
        ("member", np.linspace(0, 1, 500)),
    ],
)
def test_another_type_is_a_finding_of_its_own(
    name: str, values: np.ndarray, detector: DriftDetector, make_table: Any
) -> None:
    report = detector.detect_drift({**make_table(500, seed=15), name: values})
    assert report.column(name).state is State.OTHER_TYPE
    assert [column.name for column in report.drifted] == [name]


def test_the_same_values_in_another_dtype_are_no_drift(detector: DriftDetector, make_table: Any) -> None:
    window = make_table(1_000, seed=16)
    report = detector.detect_drift(
        {
            **window,
            "children": window["children"].astype(np.float32),
            "member": window["member"].astype(np.int64),
            "joined": np.array([f"{moment}Z" for moment in window["joined"].astype("datetime64[s]")], dtype=object),
            "age": window["age"].tolist(),
        }
    )
    assert not report.detected
    tokyo = [f"{moment}+09:00" for moment in (window["joined"] + np.timedelta64(9, "h")).astype("datetime64[s]")]
    assert not detector.detect_drift({**window, "joined": tokyo}).detected


@pytest.mark.parametrize("name", ["age", "children", "member", "work", "joined", "comment"])
def test_a_column_that_is_all_null_is_a_surge_of_nulls(name: str, detector: DriftDetector, make_table: Any) -> None:
    report = detector.detect_drift({**make_table(500, seed=17), name: [None] * 500}, ALPHA)
    assert [column.name for column in report.drifted] == [name]
    assert report.column(name).statistic == "nulls"


def test_infinities_are_values_out_of_range(detector: DriftDetector, make_table: Any) -> None:
    window = make_table(500, seed=18)
    window["age"][:20] = np.inf
    window["age"][20:40] = -np.inf
    report = detector.detect_drift(window, ALPHA)
    assert [column.name for column in report.drifted] == ["age"]
    assert report.column("age").statistic == "outside"
    assert json.loads(report.to_json())["columns"][0]["current"]["maximum"] is None


def test_a_constant_reference_knows_one_value() -> None:
    detector = DriftDetector({"x": np.full(1_000, 3.0), "c": ["a"] * 1_000})
    assert not detector.detect_drift({"x": np.full(500, 3.0), "c": ["a"] * 500}, ALPHA).detected
    changed = detector.detect_drift({"x": np.full(500, 3.5), "c": ["b"] * 500}, ALPHA)
    assert [column.name for column in changed.drifted] == ["x", "c"]


def test_a_hundred_thousand_categories() -> None:
    random = np.random.default_rng(19)

    def names(rows: int, most: int) -> np.ndarray:
        return np.char.add("id ", random.integers(0, most, rows).astype(str)).astype(object)

    before = pd.DataFrame({"id": pd.Categorical(names(200_000, 100_000)), "kind": pd.Categorical(names(200_000, 5))})
    detector = DriftDetector(before)
    same = pd.DataFrame({"id": pd.Categorical(names(5_000, 100_000)), "kind": pd.Categorical(names(5_000, 5))})
    assert not detector.detect_drift(same, ALPHA).detected
    flood = same.assign(kind=names(5_000, 100_000))
    assert [column.name for column in detector.detect_drift(flood, ALPHA).drifted] == ["kind"]
    held = DriftDetector(DriftReference.of(Table.of(before)))
    assert not held.detect_drift(same, ALPHA).detected
    assert [column.name for column in held.detect_drift(flood, ALPHA).drifted] == ["kind"]


def test_free_text_is_new_every_time_and_that_is_no_drift(detector: DriftDetector, make_table: Any) -> None:
    window = make_table(1_000, seed=20)
    assert detector.kinds["comment"] == "text"
    assert detector.detect_drift(window).column("comment").state is State.STABLE
    window["comment"] = np.full(1_000, "secret words", dtype=object)
    report = detector.detect_drift(window, ALPHA)
    assert [column.name for column in report.drifted] == ["comment"]
    assert "secret" not in report.to_json(), "a report never shows free text"


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_window_is_odd_enough_to_crash(data: st.DataObject, detector: DriftDetector) -> None:
    rows = data.draw(st.sampled_from([0, 1, 3, 60]))
    kinds = st.sampled_from(["float", "int", "bool", "text", "time", "null"])
    cells = {
        "float": st.one_of(st.none(), st.floats(width=64)),
        "int": st.one_of(st.none(), st.integers(-(2**62), 2**62)),
        "bool": st.one_of(st.none(), st.booleans()),
        "text": st.one_of(st.none(), st.text(max_size=4)),
        "time": st.one_of(st.none(), st.datetimes()),
        "null": st.none(),
    }
    window = {}
    for name in data.draw(st.lists(st.sampled_from([*detector.kinds, "extra"]), unique=True)):
        few = data.draw(st.lists(cells[data.draw(kinds)], min_size=1, max_size=4))
        window[name] = [few[index % len(few)] for index in range(rows)]
    report = detector.detect_drift(window)
    assert report.enough == (rows >= 50 and bool(window))
    assert report.detected <= report.enough
    decoded = json.loads(report.to_json())
    assert decoded["drift_detected"] == report.detected
    for column in report.columns:
        assert 0.0 <= column.effect <= 1.0
        assert column.p_value is None or 0.0 <= column.p_value <= 1.0


# Wrong use.


@pytest.mark.parametrize("reference", [[], {}, {"x": []}, pd.DataFrame({"x": []})])
def test_a_reference_without_rows_is_wrong_use(reference: Any) -> None:
    with pytest.raises(WrongUse):
        DriftDetector(reference)


@pytest.mark.parametrize("threshold", [0.0, 1.0, -0.1, float("nan")])
def test_a_threshold_is_a_probability(threshold: float, detector: DriftDetector, make_table: Any) -> None:
    with pytest.raises(WrongUse):
        detector.detect_drift(make_table(100, seed=21), threshold)


@pytest.mark.parametrize("effect", [-0.1, 1.1, float("nan")])
def test_a_smallest_effect_is_a_share(effect: float, reference: Any) -> None:
    with pytest.raises(WrongUse):
        DriftDetector(reference, smallest_effect=effect)


def test_what_is_no_table_is_wrong_use(detector: DriftDetector) -> None:
    with pytest.raises(WrongUse):
        detector.detect_drift("no table")


# The report.


def test_the_report_reads_like_the_dictionary_of_tutorials(detector: DriftDetector, make_table: Any) -> None:
    window = make_table(1_000, seed=22)
    window["age"] = window["age"] + 12
    report = detector.detect_drift(window, threshold=0.05)
    assert report["drift_detected"] is True
    assert report["age"]["drift_detected"] is True
    assert report["age"]["p_value"] < 0.05
    assert report["features"]["children"]["drift_detected"] is False
    assert [name for name, result in report.items() if result["drift_detected"]] == ["age"]
    assert dict(report)["age"]["statistic"] == "shift"
    assert "nothing" not in report
    with pytest.raises(NotFound):
        report.column("nothing")


def test_a_column_may_be_named_like_a_key_of_the_report() -> None:
    random = np.random.default_rng(23)
    detector = DriftDetector({"drift_detected": random.normal(size=1_000)})
    report = detector.detect_drift({"drift_detected": random.normal(5, 1, 500)})
    assert report["drift_detected"]["drift_detected"] is True
    assert report.detected is True


def test_pictures_show_shares_of_both_sides(detector: DriftDetector, make_table: Any) -> None:
    report = detector.detect_drift(make_table(1_000, seed=24))
    for column in report.columns:
        if column.kind == "text":
            assert column.picture is None
            continue
        picture = column.picture
        assert picture is not None
        assert sum(picture.reference) == pytest.approx(1.0)
        assert sum(picture.current) == pytest.approx(1.0)
        bins = len(picture.edges) - 1 if picture.edges else len(picture.labels or ())
        assert bins == len(picture.reference) == len(picture.current)


@pytest.mark.parametrize("rows", [1_000, 200_000])
def test_a_reference_stays_what_it_was_when_the_table_is_changed(rows: int) -> None:
    random = np.random.default_rng(27)
    before = {"x": random.normal(size=rows)}
    detector = DriftDetector(before)
    before["x"] += 5
    assert not detector.detect_drift({"x": random.normal(size=1_000)}, ALPHA).detected


def test_large_tables_are_judged_as_small_ones_are(make_table: Any) -> None:
    """Beyond 100,000 values columns are counted instead of sorted, and threads share them."""
    before, now = make_table(400_000, seed=25), make_table(300_000, seed=26)
    now["age"] = now["age"] + 4
    report = DriftDetector(before).detect_drift(now, ALPHA)
    assert [column.name for column in report.drifted] == ["age"]
    distance = report.column("age").effect
    reference, current = np.sort(before["age"]), np.sort(now["age"])
    shares = np.searchsorted(current, reference, side="right") / 300_000
    assert distance == pytest.approx(np.max(np.arange(1, 400_001) / 400_000 - shares), abs=1e-12)
