"""Drills: what is counted as lost, and the drills themselves on a real service."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sekisho.contract.writing import write_contract
from sekisho.drills.interface import Drill
from sekisho.drills.judging import judged
from sekisho.drills.parts.traffic import Shot
from sekisho.drills.runner import drills
from sekisho.text import LANGUAGES, Language


def shot(status: int = 200, *, sent: float = 0.0, fault: str | None = None, again: str | None = None) -> Shot:
    return Shot(sent=sent, ended=sent + 0.01, status=status, fault=fault, retry_after=again)


def test_what_is_answered_with_success_is_not_lost() -> None:
    result = judged([shot(), shot(201)], recovered=0.1)
    assert (result.passed, result.sent, result.succeeded, result.lost) == (True, 2, 2, 0)


@pytest.mark.parametrize(
    "one", [shot(500), shot(0, fault="closed"), shot(0, fault="timeout"), shot(503, again="1"), shot(404)]
)
def test_whatever_else_comes_is_lost_where_the_rule_excuses_nothing(one: Shot) -> None:
    result = judged([shot(), one], recovered=0.1)
    assert (result.passed, result.lost) == (False, 1)


def test_what_is_turned_away_in_order_is_refused_where_that_is_allowed() -> None:
    shots = [
        shot(503, sent=1.0, again="2"),
        shot(503, sent=1.0),
        shot(0, sent=1.0, fault="refused"),
        shot(503, sent=0.0, again="2"),
    ]
    result = judged(shots, recovered=0.0, may_refuse=lambda one: one.sent > 0.5)
    assert (result.refused, result.lost) == (2, 2)  # without Retry-After, and too early


def test_more_than_were_under_way_are_not_excused() -> None:
    shots = [shot(0, fault="closed")] * 3
    assert judged(shots, excuses=lambda one: True, most_excused=3, recovered=0.0).passed
    assert not judged(shots, excuses=lambda one: True, most_excused=2, recovered=0.0).passed


def test_a_service_that_does_not_come_back_has_not_passed() -> None:
    assert not judged([shot()], recovered=None).passed
    assert judged([shot()], recovered=None, must_recover=False).passed
    assert not judged([shot()], recovered=0.0, rule_kept=False).passed


def test_every_drill_is_told_in_both_languages() -> None:
    known = drills()
    assert {"kill", "drain", "restart", "hang", "corrupt", "disk-full", "overload"} <= set(known)
    for drill in known.values():
        for language in LANGUAGES:
            assert drill.title.of(language)
            assert drill.rule.of(language)
        assert drill.title.ja != drill.title.en


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_say_what_the_data_says(language: Language) -> None:
    from benchmarks.drills import RESULTS, ROOT, document

    from sekisho.documents.reference.markdown import page_name

    data = json.loads(RESULTS.read_text())
    assert {each["id"] for each in data["drills"]} == set(drills())
    assert (data["passed"], data["lost"]) == (True, 0)
    assert (ROOT / "docs" / page_name("drills", language)).read_text() == document(data, language)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.serving.conftest import pack_people

    root = tmp_path_factory.mktemp("drilled")
    pack_people(root / "artifact")
    write_contract(root, {"model": {"name": "churn", "artifact": "artifact"}}, "en", replace=True)
    return root


def drill(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sekisho", "--lang", "en", "drill", "-C", str(project), *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_drain_loses_nothing_and_leaves_nothing(project: Path, tmp_path: Path) -> None:
    before = sorted(Path("/tmp").glob("sekisho-drill-*"))
    ran = drill(project, "drain", "--json", "--report", str(tmp_path / "report"))
    assert ran.returncode == 0, ran.stderr
    (result,) = json.loads(ran.stdout)["drills"]
    assert (result["id"], result["passed"], result["lost"]) == ("drain", True, 0)
    assert result["figures"]["sent_before"] > 100
    assert json.loads((tmp_path / "report" / "drills.json").read_text())["lost"] == 0
    assert "# Drills" in (tmp_path / "report" / "drills.md").read_text()
    assert sorted(Path("/tmp").glob("sekisho-drill-*")) == before
    assert not (project / ".sekisho").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(drills()) - {"drain"}))
def test_our_service_keeps_every_rule(project: Path, name: str) -> None:
    ran = drill(project, name, "--json")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_what_is_asked_wrongly_is_one_line(project: Path, tmp_path: Path) -> None:
    wrong = drill(project, "kil")
    assert wrong.returncode == 2
    assert "kill" in wrong.stderr
    assert "\n" not in wrong.stderr.strip().splitlines()[-1]
    write_contract(tmp_path, {"model": {"name": "none", "artifact": "artifact"}}, "en", replace=True)
    assert drill(tmp_path, "kill").returncode == 2


def test_the_list_names_the_rules(project: Path) -> None:
    listed = json.loads(drill(project, "--list", "--json").stdout)
    assert {each["id"] for each in listed} == set(drills())
    assert all(each["rule"] for each in listed)
    assert isinstance(next(iter(drills().values())), Drill)
