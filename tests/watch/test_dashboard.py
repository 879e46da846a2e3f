from __future__ import annotations

import datetime as dt
import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sekisho.artifact.artifact import ModelArtifact
from sekisho.text import use_language
from sekisho.watch.dashboard import as_dict, line, screen
from sekisho.watch.settings import WatchSettings
from sekisho.watch.traffic import traffic_of
from sekisho.watch.watcher import Look, Watcher

NOW = dt.datetime(2026, 11, 24, 11, 0, 0, tzinfo=dt.UTC)


@pytest.fixture
def look(artifact: ModelArtifact, book: Path, append: Any, make_customers: Any) -> Look:
    append(make_customers(600, seed=1, older=8))
    return Watcher(artifact, WatchSettings(ledger=book)).look()


def drawn(look: Look, width: int = 110) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(screen(look, title="churn 1.0.0", now=NOW))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_traffic(look: Look) -> None:
    traffic = traffic_of(look.window.records, NOW)
    assert (traffic.rows, traffic.flagged, traffic.flags) == (600, 12, (("out_of_range", 12),))
    assert (traffic.first_at, traffic.last_at) == ("2026-11-24T10:00:00.000Z", "2026-11-24T10:09:50.000Z")
    assert traffic.rows_per_minute == pytest.approx(10.0)
    assert traffic.latency_p50_ms == 1.0, "one latency a request, not a row"


def test_no_traffic() -> None:
    traffic = traffic_of([], NOW)
    assert (traffic.rows, traffic.rows_per_minute, traffic.latency_p99_ms) == (0, None, None)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["churn 1.0.0", "last 600 rows, 10 a minute", "Drift in 1 of 4 columns", "out of range 12"]),
        ("ja", ["直近 600 行、毎分 10 行", "4 列中 1 列でドリフトを検知", "範囲外 12", "変化なし"]),
    ],
)
def test_the_screen_in_both_languages(look: Look, language: Any, words: list[str]) -> None:
    with use_language(language):
        seen = drawn(look)
    for each in words:
        assert each in seen
    assert "█" in seen
    rows = [row for row in seen.splitlines() if "age" in row or "visits" in row]
    assert "age" in rows[0], "what drifts stands first"


def test_a_narrow_terminal_will_do(look: Look) -> None:
    with use_language("en"):
        assert all(len(row) <= 60 for row in drawn(look, width=60).splitlines())


def test_one_line(look: Look) -> None:
    with use_language("en"):
        assert line(look, NOW).startswith(
            "2026-11-24T11:00:00Z  last 600 rows, 10 a minute, the newest 3,010 s ago  Drift in 1 of 4 columns: age "
        )


def test_without_predictions(artifact: ModelArtifact, book: Path) -> None:
    nothing = Watcher(artifact, WatchSettings(ledger=book)).look()
    with use_language("en"):
        assert "no predictions yet" in drawn(nothing)
        assert "no predictions yet" in line(nothing, NOW)
    assert as_dict(nothing, NOW)["traffic"]["rows"] == 0


def test_json_has_no_pictures(look: Look) -> None:
    values = as_dict(look, NOW)
    assert values["drift"]["drift_detected"] is True
    assert all("picture" not in column for column in values["drift"]["columns"])
