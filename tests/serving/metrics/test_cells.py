"""Counting in shared cells: exact over workers, and over their deaths."""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from sekisho.artifact.signature import Feature, Output, Signature
from sekisho.serving.metrics.catalogue import of_model
from sekisho.serving.metrics.cells import MOST_SETS, Cells, Family, Layout, add_up, clear_gauges, forget
from sekisho.serving.metrics.exposition import Exposition
from sekisho.serving.tally import ModelTally, Tally

LAYOUT = Layout(
    [
        Family(name="asked", kind="counter", help="Asked.", labels=("who",), values=(("a",), ("b",))),
        Family(name="took", kind="histogram", help="Took.", buckets=(0.1, 1.0)),
        Family(name="open", kind="gauge", help="Open."),
        Family(name="version", kind="gauge", help="Version.", merge="max"),
        Family(name="rare", kind="counter", help="Rare.", labels=("x",), values=(("1",), ("2",)), sparse=True),
    ]
)


def samples(folder: Path) -> dict[tuple[str, str], float]:
    text = Exposition(folder).render().decode()
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_workers_are_added_up(tmp_path: Path) -> None:
    for worker in range(3):
        cells = Cells(tmp_path, "set", worker, LAYOUT)
        asked = cells.counter("asked")
        cells.values[asked[("a",)]] += 1.0 + worker
        for value in (0.05, 0.1, 0.5, 7.0):
            cells.histogram("took").observe(value)
        cells.values[cells.counter("open")[()]] = 2.0
        cells.values[cells.counter("version")[()]] = 1.0
    assert samples(tmp_path) == {
        ("asked_total", "a"): 6.0,
        ("asked_total", "b"): 0.0,
        ("took_bucket", "0.1"): 6.0,  # "le": a value on the bound belongs below it
        ("took_bucket", "1.0"): 9.0,
        ("took_bucket", "+Inf"): 12.0,
        ("took_count", ""): 12.0,
        ("took_sum", ""): 3 * 7.65,
        ("open", ""): 6.0,
        ("version", ""): 1.0,
    }


def test_a_worker_goes_on_where_its_predecessor_stopped(tmp_path: Path) -> None:
    for _ in range(2):
        cells = Cells(tmp_path, "set", 0, LAYOUT)
        cells.clear(["open"])
        cells.values[cells.counter("asked")[("a",)]] += 1.0
        cells.values[cells.counter("open")[()]] += 1.0
        del cells
    sums, _ = add_up(tmp_path, "set", LAYOUT)
    assert sums[LAYOUT.places("asked")[("a",)]] == 2.0
    assert sums[LAYOUT.places("open")[()]] == 1.0


def test_a_file_that_is_not_whole_yet_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "set.9.cells").write_bytes(b"\0" * 3)
    assert add_up(tmp_path, "set", LAYOUT)[0].sum() == 0.0


def test_labels_that_would_break_the_text_are_escaped(tmp_path: Path) -> None:
    name = 'a"b\\c\nd é 😀'
    signature = Signature(
        features=(Feature(name=name, kind="float", dtype="float64", nullable=False),),
        output=Output(task="binary", classes=(name, "other"), probabilities=True),
    )
    layout = Layout(of_model(signature, name=name, version=name, info={"version": name}))
    tally = ModelTally(Cells(tmp_path, "model", 0, layout), signature, name, name)
    tally.answers([name], [0.75], [[0.75, 0.25]])
    tally.predictions("success", 1, 0.001)
    requests = Tally(tmp_path, 0)
    requests.know(["/predict"])
    requests.request("/predict", 200, None)
    requests.request("/nowhere", 299, "wrong_type")  # neither the route nor the status is known
    text = Exposition(tmp_path).render().decode()
    found = {family.name: family for family in text_string_to_metric_families(text)}
    assert [one.labels["class"] for one in found["ml_predictions_by_class"].samples if one.value] == [name]
    assert [one.labels["model_version"] for one in found["ml_predictions"].samples if one.value] == [name]
    assert {(one.labels["route"], one.labels["status"]) for one in found["ml_http_requests"].samples} == {
        ("/predict", "200"),
        ("other", "500"),
    }
    assert found["ml_prediction_value"].samples[-1].value == 0.25


def test_versions_of_a_model_are_series_of_one_metric(tmp_path: Path) -> None:
    for version, count in (("1", 2.0), ("2", 3.0)):
        family = Family(
            name="asked", kind="counter", help="Asked.", labels=("model", "model_version"), values=(("m", version),)
        )
        cells = Cells(tmp_path, f"model-{version}", 0, Layout([family]))
        cells.values[cells.counter("asked")[("m", version)]] += count
    text = Exposition(tmp_path).render().decode()
    assert text.count("# TYPE asked_total counter") == 1
    assert samples(tmp_path) == {("asked_total", "m,1"): 2.0, ("asked_total", "m,2"): 3.0}


def test_what_a_dead_worker_left_in_any_set_is_true_no_more(tmp_path: Path) -> None:
    for name in ("model-1", "service"):
        for worker in (0, 1):
            cells = Cells(tmp_path, name, worker, LAYOUT)
            cells.values[cells.counter("open")[()]] = 1.0
            cells.values[cells.counter("asked")[("a",)]] = 1.0
    clear_gauges(tmp_path, 1)
    for name in ("model-1", "service"):
        sums, _ = add_up(tmp_path, name, LAYOUT)
        assert (sums[LAYOUT.places("open")[()]], sums[LAYOUT.places("asked")[("a",)]]) == (1.0, 2.0)


def test_the_number_of_series_does_not_grow_with_the_versions(tmp_path: Path) -> None:
    for version in range(3 * MOST_SETS):
        Cells(tmp_path, f"model-{version}", 0, LAYOUT)
        os.utime(tmp_path / f"model-{version}.layout", ns=(version, version))
        forget(tmp_path, {"model-0"})
    left = {path.name.removesuffix(".layout") for path in tmp_path.glob("*.layout")}
    assert left == {"model-0", *(f"model-{version}" for version in range(2 * MOST_SETS, 3 * MOST_SETS))}
    assert {path.name.partition(".")[0] for path in tmp_path.glob("*.cells")} == left
