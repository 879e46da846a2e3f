"""The reference exam: the checkpoint fails a tutorial's service for the right reasons, and passes its repaired twin."""

from __future__ import annotations

import pytest

from sekisho.contract.project import Project
from sekisho.gate.report import Report
from sekisho.gate.runner import run_gate
from sekisho.gate.verdict import Status

REASONS = {
    "artifact/format": (("model.joblib (pickle) runs code",), ("model.joblib（pickle）",)),
    "inference/api": (("versions disagree", "info 1.1.0", "predict 1.0.0"), ("バージョンが食い違っています",)),
    "inference/errors": (
        ("5xx", "accepted as if right", "the text of an exception", "the value that was sent"),
        ("5xx", "正しいリクエストとして受理", "例外の文面", "送られた値"),
    ),
    "security/input-validation": (
        ("a number in a string, true", "clipped in silence", "1e300 (500)", "body (", "not turned away"),
        ("文字列の数値", "黙って丸められている", "1e300（500）", "大きすぎるリクエストが拒否されません"),
    ),
    "security/authentication": (
        ("open to anybody", "POST /predict", "GET /metrics", "a default password: docker-compose.yml:18"),
        ("誰でも使えるルート", "既定のパスワード: docker-compose.yml:18"),
    ),
    "security/rate-limiting": (("180 of 180 requests passed",), ("180 件中 180 件が通過",)),
    "monitoring/drift": (("unchanged windows alarm", "a surge of nulls"), ("変化のない窓", "欠損の急増")),
    "monitoring/system": (
        ("Prometheus cannot read /metrics (200, application/json)", "./monitoring/prometheus.yml"),
        ("Prometheus が /metrics", "マウントするファイルがありません"),
    ),
}
"""Each box that the tutorial's service must fail, and words of its reason in English and Japanese."""


@pytest.fixture(scope="module")
def failing(tutorial: Project) -> Report:
    return run_gate(tutorial, ids=list(REASONS))


@pytest.fixture(scope="module")
def passing(repaired: Project) -> Report:
    return run_gate(repaired, ids=list(REASONS))


@pytest.mark.parametrize("box", REASONS)
def test_the_tutorial_fails_with_its_reason(failing: Report, box: str) -> None:
    (item,) = (item for item in failing.items if item.id == box)
    assert item.verdict.status is Status.FAIL, item.verdict.summary.en
    english, japanese = REASONS[box]
    assert [words for words in english if words not in item.verdict.summary.en] == []
    assert [words for words in japanese if words not in item.verdict.summary.ja] == []


@pytest.mark.parametrize("box", REASONS)
def test_the_twin_passes(passing: Report, box: str) -> None:
    (item,) = (item for item in passing.items if item.id == box)
    assert item.verdict.status is Status.PASS, item.verdict.summary.en


def test_no_process_outlives_the_checkpoint(failing: Report, passing: Report, tutorial: Project) -> None:
    log = (tutorial.state / "service.log").read_text()
    assert "Finished server process" in log
