from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sekisho.artifact.artifact import ModelArtifact
from sekisho.errors import LedgerError
from sekisho.ledger.predictions import PredictionBook
from sekisho.watch.drift.report import State
from sekisho.watch.settings import WatchSettings
from sekisho.watch.watcher import Watcher


@pytest.fixture
def watcher(artifact: ModelArtifact, book: Path) -> Watcher:
    return Watcher(artifact, WatchSettings(ledger=book))


def test_rows_of_the_same_population_are_no_drift(watcher: Watcher, append: Any, make_customers: Any) -> None:
    append(make_customers(1_500, seed=1))
    look = watcher.look()
    assert len(look.window.records) == 1_000
    assert look.report.enough
    assert not look.report.detected
    assert {column.name for column in look.report.columns} == {"age", "visits", "member", "plan"}


def test_drifted_rows_are_seen_and_the_column_is_named(watcher: Watcher, append: Any, make_customers: Any) -> None:
    append(make_customers(1_000, seed=2))
    assert not watcher.look().report.detected
    append(make_customers(1_000, seed=3, older=8), start=100)
    assert [column.name for column in watcher.look().report.drifted] == ["age"]


def test_only_rows_of_the_artifact_are_judged(watcher: Watcher, append: Any, make_customers: Any) -> None:
    append(make_customers(500, seed=4))
    append(make_customers(500, seed=5, older=30), model="0" * 64)
    look = watcher.look()
    assert len(look.window.records) == 500
    assert not look.report.detected


def test_what_is_never_written_down_is_not_judged(
    artifact: ModelArtifact, book: Path, append: Any, make_customers: Any
) -> None:
    append(make_customers(500, seed=6).drop(columns=["plan"]))
    look = Watcher(artifact, WatchSettings(ledger=book, ignored=("visits",))).look()
    assert [column.name for column in look.report.columns] == ["age", "member"]
    assert not look.report.detected


def test_no_book_and_no_rows_are_no_drift(watcher: Watcher, append: Any, make_customers: Any, book: Path) -> None:
    assert watcher.look().report.rows_current == 0
    assert not book.exists()
    assert {column.state for column in watcher.nothing.columns} == {State.NOT_ENOUGH_DATA}
    append(make_customers(20, seed=7, older=90))
    report = watcher.look().report
    assert not report.enough
    assert not report.detected


def test_the_same_rows_are_not_judged_twice(watcher: Watcher, append: Any, make_customers: Any) -> None:
    append(make_customers(500, seed=8))
    first = watcher.look()
    assert watcher.look() is first
    append(make_customers(10, seed=9), start=50)
    assert watcher.look() is not first


def test_a_book_that_is_none_is_said(watcher: Watcher, book: Path) -> None:
    book.write_bytes(b"not a database, not even nearly" * 100)
    with pytest.raises(LedgerError):
        watcher.look()


def test_the_budget_is_divided_among_the_looks_of_thirty_days(book: Path) -> None:
    settings = WatchSettings(ledger=book, interval_seconds=10, false_alarms_per_30_days=2)
    assert settings.alpha * 30 * 8_640 == pytest.approx(2.0)


def test_odd_cells_of_callers_are_no_reason_to_fail(watcher: Watcher, append: Any, make_customers: Any) -> None:
    table = make_customers(200, seed=10).astype(object)
    table["member"] = [1, True, None, 0.0] * 50
    table["visits"] = [3, 3.0, None, 2] * 50
    table["plan"] = ["free", None, "新", ""] * 50
    append_raw = table.to_dict("records")
    from sekisho.ledger.predictions import PredictionRecord

    with PredictionBook(watcher.settings.ledger) as opened:
        opened.append(
            [
                PredictionRecord(
                    request_id=str(index),
                    row=0,
                    at="2026-11-24T10:00:00Z",
                    model=watcher.model,
                    version="1.0.0",
                    features={"age": "forty", **{name: row[name] for name in ("member", "visits", "plan")}},
                    prediction=1,
                    probability=None,
                    flags=(),
                    latency_ms=1.0,
                )
                for index, row in enumerate(append_raw)
            ]
        )
    report = watcher.look().report
    assert report.column("age").statistic == "nulls"
    assert report.column("plan").detected


@pytest.fixture
def in_database(postgres: Any) -> str:
    return str(postgres.url())


def test_a_book_in_a_database_is_watched_by_its_url(
    artifact: ModelArtifact, book: Path, append: Any, make_customers: Any, in_database: str
) -> None:
    append(make_customers(1_500, seed=6, older=8))
    with PredictionBook(book) as read, PredictionBook(in_database) as written:
        written.append([record for chunk in read.chunks() for record in chunk.records()])
    here = Watcher(artifact, WatchSettings(ledger=book)).look()
    there = Watcher(artifact, WatchSettings(ledger=in_database)).look()
    assert there.window.records == here.window.records
    assert [column.name for column in there.report.drifted] == ["age"]


def test_a_database_that_is_gone_is_one_line(artifact: ModelArtifact) -> None:
    watcher = Watcher(artifact, WatchSettings(ledger="postgresql://u:5ecret@127.0.0.1:1/none"))
    with pytest.raises(LedgerError) as raised:
        watcher.look()
    assert "5ecret" not in str(raised.value)
