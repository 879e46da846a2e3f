"""The reference exam: the checkpoint fails a tutorial's service for the right reasons, and passes its repaired twin."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sekisho.contract.project import Project
from sekisho.gate.report import Item, Report
from sekisho.gate.runner import run_gate
from sekisho.gate.verdict import Status

REASONS = {
    "artifact/format": (("model.joblib (pickle) runs code",), ("model.joblib（pickle）",)),
    "artifact/metadata": (
        ("lacks the training date", "accuracy is written as 0.95, but the test set gives"),
        ("学習日時", "accuracy は 0.95 と書かれていますが"),
    ),
    "artifact/versioning": (
        ("versions disagree: answer of batch 1.0.0", "info 1.1.0", "metadata.json: version 1.1.0"),
        ("バージョンが食い違っています: answer of batch 1.0.0",),
    ),
    "artifact/dependencies": (
        ("requirements.txt:1 fastapi (no exact version)",),
        ("requirements.txt:1 fastapi（バージョンが固定されていない）",),
    ),
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
    "security/rate-limiting": (("requests passed in 3 s, 60 were allowed",), ("件が通過、許容は 60 件",)),
    "monitoring/drift": (("unchanged windows alarm", "a surge of nulls"), ("変化のない窓", "欠損の急増")),
    "monitoring/system": (
        ("Prometheus cannot read /metrics (200, application/json)", "./monitoring/prometheus.yml"),
        ("Prometheus が /metrics", "マウントするファイルがありません"),
    ),
}
"""Each box that the tutorial's service must fail, and words of its reason in English and Japanese."""


LONGER = ("artifact/metadata", "artifact/dependencies", "security/rate-limiting")
"""Boxes that need a new environment, the whole test set answered, or seconds however fast the machine is."""

BOXES = [pytest.param(box, marks=[pytest.mark.slow] if box in LONGER else []) for box in REASONS]

Judged = Callable[[str], Item]


def judged(project: Project) -> Judged:
    """Judge the quick boxes together when the first of them is asked for, and the longer ones likewise."""
    reports: dict[bool, Report] = {}

    def item(box: str) -> Item:
        longer = box in LONGER
        if longer not in reports:
            reports[longer] = run_gate(project, ids=[each for each in REASONS if (each in LONGER) is longer])
        return next(item for item in reports[longer].items if item.id == box)

    return item


@pytest.fixture(scope="module")
def failing(tutorial: Project) -> Judged:
    return judged(tutorial)


@pytest.fixture(scope="module")
def passing(repaired: Project) -> Judged:
    return judged(repaired)


@pytest.mark.parametrize("box", BOXES)
def test_the_tutorial_fails_with_its_reason(failing: Judged, box: str) -> None:
    found = failing(box).verdict
    assert found.status is Status.FAIL, found.summary.en
    english, japanese = REASONS[box]
    assert [words for words in english if words not in found.summary.en] == []
    assert [words for words in japanese if words not in found.summary.ja] == []


@pytest.mark.parametrize("box", BOXES)
def test_the_twin_passes(passing: Judged, box: str) -> None:
    found = passing(box).verdict
    assert found.status is Status.PASS, found.summary.en


@pytest.mark.slow
def test_the_whole_checkpoint_tells_them_apart(tutorial: Project, repaired: Project) -> None:
    """All forty boxes: the tutorial fails these and more; the twin passes what the tutorial fails, but for what nobody has stated."""
    bad, good = ({item.id: item.verdict.status for item in run_gate(each).items} for each in (tutorial, repaired))
    failed = {box for box, status in bad.items() if status is Status.FAIL}
    assert failed >= {*REASONS, "quality/edge-cases"}
    assert {box for box in failed if good[box] is not Status.PASS} <= {
        "security/encryption",
        "security/vulnerabilities",
    }
    assert [box for box, status in good.items() if status is Status.FAIL] == []


def test_the_service_has_ended_with_the_checkpoint(failing: Judged, tutorial: Project) -> None:
    failing("inference/api")
    assert "Finished server process" in (tutorial.state / "service.log").read_text()
