"""The table of formats: the pages say what was measured, and enough was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks.formats import page
from benchmarks.formats.families.interface import Family
from benchmarks.formats.measure import measure

from sekisho import shelf

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results" / "formats.json"
TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    measured: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return measured


@pytest.mark.parametrize("name", page.PAGES)
def test_the_pages_are_what_the_results_say(name: str, whole: dict[str, Any]) -> None:
    assert (page.DOCS / name).read_text(encoding="utf-8") == page.render(whole, page.PAGES[name]), (
        "run python -m benchmarks.formats"
    )


def test_enough_kinds_load_without_a_flag(whole: dict[str, Any]) -> None:
    loading = {row["estimator"].partition(",")[0] for row in whole["rows"] if row["loads"]}
    assert len(loading) >= 60
    assert sum(row["onnx"] is not None for row in whole["rows"]) >= 60


def test_every_answer_is_the_models_own(whole: dict[str, Any]) -> None:
    """What the graph answers is within the tolerance of the proof; what the library answers is its own to the last digits."""
    for row in whole["rows"]:
        if row["loads"]:
            assert row["rows"] > 0
            assert row["largest_difference"] <= (TOLERANCE if row["onnx"] else 1e-9), row
        if row["onnx"] is None:
            assert row["reason_en"]
            assert row["reason_ja"]


def test_every_example_has_its_row(whole: dict[str, Any]) -> None:
    families = shelf.units("benchmarks.formats.families", Family)
    measured = {row["family"] for row in whole["rows"]}
    assert set(whole["families"]) == measured <= set(families)
    for name in measured:
        examples = [example.name for example in families[name].examples]
        assert [row["estimator"] for row in whole["rows"] if row["family"] == name] == examples


def test_a_row_is_measured_the_whole_way(tmp_path: Path) -> None:
    family = shelf.units("benchmarks.formats.families", Family)["10-linear"]
    example = next(each for each in family.examples if each.name == "Ridge")
    row = measure(family, example, tmp_path / "artifact")
    assert row.loads
    assert row.saved_as == ("model.onnx", "model.skops")
    assert row.rows > 1_000
    assert row.largest_difference is not None
    assert 0 < row.largest_difference <= TOLERANCE
    assert row.own_seconds
    assert row.seconds
    assert row.seconds < row.own_seconds


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_example_goes_the_whole_way_again(whole: dict[str, Any], tmp_path: Path) -> None:
    """What could be packed, and what reached ONNX, still can."""
    families = shelf.units("benchmarks.formats.families", Family)
    before = {(row["family"], row["estimator"], row["data"]): row for row in whole["rows"]}
    for family in families.values():
        for example in family.examples:
            row = measure(family, example, tmp_path / "artifact")
            old = before.get((row.family, row.estimator, row.data))
            if old is not None:
                assert (row.loads, row.onnx is not None) == (old["loads"], old["onnx"] is not None), row
