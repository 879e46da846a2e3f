"""``sekisho drift``: exit codes, tables and JSON, pages, and what wrong use looks like."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sekisho.cli.main import run
from sekisho.text import set_language

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SEKISHO_LANG", "en")
    yield
    set_language(None)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    def drift(*arguments: object) -> tuple[int, str, str]:
        try:
            code = run(["drift", *map(str, arguments)])
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return drift


def people(rows: int, seed: int, **changed: Any) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    columns = {
        "age": random.normal(40, 10, rows).round(1),
        "visits": random.poisson(3, rows),
        "member": random.random(rows) < 0.4,
        "city": random.choice(["東京", "大阪", "Nagoya"], rows),
        "joined": pd.Timestamp("2026-01-01") + pd.to_timedelta(random.integers(0, 10**6, rows), unit="s"),
    }
    return pd.DataFrame(columns).assign(**changed)


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    people(3_000, 1).to_csv(tmp_path / "training.csv", index=False)
    return tmp_path / "training.csv"


def written(frame: pd.DataFrame, path: Path) -> Path:
    (frame.to_parquet if path.suffix == ".parquet" else frame.to_csv)(path, index=False)
    return path


@pytest.mark.parametrize("name", ["now.csv", "now.parquet"])
def test_no_drift(call: Call, reference: Path, tmp_path: Path, name: str) -> None:
    if name.endswith("parquet"):
        reference = written(people(3_000, 1), tmp_path / "training.parquet")
    code, out, err = call(reference, written(people(800, 2), tmp_path / name))
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split("\t") == ["column", "finding", "effect", "p (corrected)", "what changed"]
    assert {line.split("\t")[0] for line in lines[1:6]} == {"age", "visits", "member", "city", "joined"}
    assert lines[-1] == "No drift in 5 columns (800 rows against 3,000)"


def test_drift_comes_first_and_says_what_changed(call: Call, reference: Path, tmp_path: Path) -> None:
    older = people(800, 3).assign(age=lambda frame: frame["age"] + 10)
    code, out, _ = call(reference, written(older, tmp_path / "now.csv"))
    assert code == 1
    name, finding, effect, p_value, reason = out.splitlines()[1].split("\t")
    assert (name, finding, p_value) == ("age", "drift", "<0.0001")
    assert float(effect.split()[-1]) == pytest.approx(0.38, abs=0.05)
    assert "of the reference" in reason
    assert out.splitlines()[-1].startswith("Drift in 1 of 5 columns")


def test_json_is_for_programs(call: Call, reference: Path, tmp_path: Path) -> None:
    now = people(800, 4).drop(columns="visits").assign(member=True)
    code, out, _ = call(reference, written(now, tmp_path / "now.csv"), "--json")
    report = json.loads(out)
    assert code == 1
    assert report["drift_detected"] is True
    assert {column["name"]: column["state"] for column in report["columns"] if column["drift_detected"]} == {
        "visits": "missing",
        "member": "drift",
    }
    assert report["alpha"] == pytest.approx(1 / 720)


def test_the_budget_and_the_smallest_effect_can_be_set(call: Call, reference: Path, tmp_path: Path) -> None:
    now = written(people(800, 5).assign(age=lambda frame: frame["age"] + 3), tmp_path / "now.csv")
    options = ["--json", "--alarms-per-30-days", "3", "--windows-per-day", "10"]
    assert call(reference, now, *options, "--smallest-effect", "0.5")[0] == 0
    code, out, _ = call(reference, now, *options, "--smallest-effect", "0.05")
    assert code == 1
    assert json.loads(out)["alpha"] == pytest.approx(0.01)


def test_columns_can_be_ignored(call: Call, reference: Path, tmp_path: Path) -> None:
    now = written(people(800, 6).assign(age=99, visits="many"), tmp_path / "now.csv")
    assert call(reference, now, "--ignore", "age", "--ignore", "visits")[0] == 0


def test_japanese(call: Call, reference: Path, tmp_path: Path) -> None:
    now = written(people(800, 7).assign(city="札幌"), tmp_path / "now.csv")
    code, out, _ = call(reference, now, "--lang", "ja")
    assert code == 1
    assert out.splitlines()[1].split("\t")[:2] == ["city", "ドリフト"]
    assert "5 列中 1 列でドリフトを検知 (基準 3,000 行に対して 800 行)" in out


def test_few_rows_are_not_enough(call: Call, reference: Path, tmp_path: Path) -> None:
    code, out, _ = call(reference, written(people(10, 8).assign(age=0), tmp_path / "now.csv"))
    assert code == 0
    assert "Not enough data: 10 rows, at least 50 are needed" in out


def test_the_page_is_written_whole(call: Call, reference: Path, tmp_path: Path) -> None:
    page = tmp_path / "pages" / "drift.html"
    now = written(people(800, 9).assign(city="<script>alert(1)</script>"), tmp_path / "now.csv")
    code, out, _ = call(reference, now, "--html", page)
    assert code == 1
    assert f"Page: {page}" in out
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
    assert "training.csv" in text
    assert [file.name for file in page.parent.iterdir()] == ["drift.html"]


def test_wrong_use_is_one_line_and_leaves_nothing(call: Call, reference: Path, tmp_path: Path) -> None:
    now = written(people(100, 10), tmp_path / "now.csv")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 nothing")
    (tmp_path / "folder").mkdir()
    page = tmp_path / "drift.html"
    for arguments, code in (
        ((reference, tmp_path / "nothing.csv"), 2),
        ((tmp_path / "nothing.csv", now), 2),
        ((reference, tmp_path / "broken.parquet"), 2),
        ((tmp_path / "folder", now), 2),
        ((reference, now, "--smallest-effect", "2"), 2),
        ((reference, now, "--alarms-per-30-days", "0"), 2),
        ((reference,), 2),
    ):
        found, out, err = call(*arguments, *([] if len(arguments) == 1 else ["--html", page]))
        assert found == code or (found == 3 and arguments[0] == tmp_path / "folder"), (arguments, err)
        assert out == ""
        assert len(err.splitlines()) == 1
        assert " → " in err
    assert not page.exists()


def test_help_in_both_languages(call: Call) -> None:
    assert "sekisho drift data/training.csv" in call("--help")[1]
