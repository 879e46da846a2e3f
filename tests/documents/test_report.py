"""The forms of a report that programs and people read beside the page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from sekisho import shelf
from sekisho.contract.boxes import BOXES
from sekisho.documents.forms.interface import Form
from sekisho.documents.forms.junit import junit
from sekisho.documents.forms.markdown import markdown, plain
from sekisho.documents.forms.sarif import sarif
from sekisho.documents.forms.statement import PREDICATE_TYPE, STATEMENT_TYPE, statement
from sekisho.documents.report import write_all, write_html
from sekisho.gate.report import Report
from sekisho.gate.verdict import Status
from sekisho.text import Text, use_language, verbatim

MakeReport = Callable[..., Report]
HOSTILE = "<script>alert(1)</script> {{7*7}} ${7*7} $(id) `id` | ]]> \" ' \n# x\n[a](http://evil) www.evil.example"


def written(form: Form, report: Report) -> str:
    text = form.render(report)
    assert text is not None
    return text


# -- All of them ------------------------------------------------------------------------------------------------------


def test_every_form_is_written_under_its_own_name(make_report: MakeReport, tmp_path: Path) -> None:
    paths = write_all(make_report(), tmp_path / "out")
    assert sorted(path.name for path in paths.values()) == [
        "index.html",
        "junit.xml",
        "report.json",
        "report.md",
        "report.sarif",
        "statement.intoto.json",
    ]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {path.name for path in paths.values()}


def test_the_page_alone_goes_where_it_is_asked_to(make_report: MakeReport, tmp_path: Path) -> None:
    page = write_html(make_report(), tmp_path / "deep" / "page.html")
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("form", shelf.units("sekisho.documents.forms", Form).values(), ids=lambda form: form.id)
@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_form_takes_hostile_words_and_both_languages(
    make_report: MakeReport, form: Form, language: str, tmp_path: Path
) -> None:
    with use_language("ja" if language == "ja" else "en"):
        text = written(form, make_report(words=Text(en=HOSTILE, ja=f"日本語 {HOSTILE}"), warnings=(verbatim(HOSTILE),)))
    assert "<script>alert" not in text or form.id in {"json", "sarif"}
    if form.id in {"json", "sarif", "in-toto"}:
        json.loads(text)
    if form.id == "junit":
        ET.fromstring(text)  # our own output


# -- JSON -------------------------------------------------------------------------------------------------------------


def test_the_json_form_is_that_of_the_design(make_report: MakeReport) -> None:
    report = make_report()
    data = report.as_json("en")
    assert set(data) >= {"verdict", "artifact", "contract", "items", "generated_at", "sekisho", "machine"}
    assert data["verdict"] == "fail"
    assert [item["id"] for item in data["items"]] == list(BOXES)
    assert all({"id", "status", "summary", "figures", "evidence", "remedy"} <= set(item) for item in data["items"])
    assert data["counts"] == {"fail": 8, "unknown": 8, "waived": 8, "not-applicable": 8, "pass": 8}
    assert data["items"][0]["summary"].startswith("480 of 500")
    assert report.as_json("ja")["items"][0]["summary"].startswith("500件")


def test_the_sentence_counts_and_names_a_choice(make_report: MakeReport) -> None:
    said = make_report().sentence
    assert said.en == "24 of 40 boxes let this model through; 8 failed, 8 could not be judged."
    assert said.ja == "40 項目中 24 項目が通過。不合格 8 項目、未測定 8 項目。"
    passed = make_report(statuses=(Status.PASS,))
    assert passed.sentence.en == "All 40 judged boxes let this model through."
    one = replace(passed, items=passed.items[:1], complete=False)
    assert one.sentence.en == "The one judged box lets this model through (a choice of the boxes)."


def test_a_section_is_as_ready_as_its_least_ready_box(make_report: MakeReport) -> None:
    through = (Status.PASS, Status.WAIVED, Status.NOT_APPLICABLE)
    assert {section.status for section in make_report(statuses=through).sections} == {Status.WAIVED}
    assert {section.status for section in make_report(statuses=(*through, Status.UNKNOWN)).sections} == {Status.UNKNOWN}
    assert make_report(statuses=through).verdict == "pass"
    assert make_report(statuses=(*through, Status.UNKNOWN)).verdict == "fail"


def test_figures_that_json_has_no_word_for_become_null(make_report: MakeReport) -> None:
    report = make_report()
    report.items[0].verdict.figures["odd"] = float("nan")  # type: ignore[index]
    assert report.as_json()["items"][0]["figures"]["odd"] is None


# -- Markdown ---------------------------------------------------------------------------------------------------------


def test_the_markdown_says_what_holds_back_and_lists_every_box(make_report: MakeReport) -> None:
    text = written(markdown, make_report())
    assert text.splitlines()[0] == "# example: ✗ fail"
    rows = [line for line in text.splitlines() if re.match(r"\| [✓✗?!–] \|", line)]
    assert [row.split("|")[2].strip() for row in rows] == list(BOXES)
    assert text.count("→ Set a limit.") == 16


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("a | b", r"a \| b"),
        ("# not a heading\n- nor a list", "# not a heading - nor a list"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("[a](b) *c* _d_ `e` ~f~", r"\[a\](b) \*c\* \_d\_ \`e\` \~f\~"),
        ("http://evil www.evil", r"http:\//evil www\.evil"),
        ("年齢 が欠損", "年齢 が欠損"),
    ],
)
def test_words_are_data_in_markdown(words: str, expected: str) -> None:
    assert plain(words) == expected


# -- JUnit ------------------------------------------------------------------------------------------------------------


def test_junit_has_a_suite_a_section_and_a_case_a_box(make_report: MakeReport) -> None:
    root = ET.fromstring(written(junit, make_report()))
    assert root.tag == "testsuites"
    assert {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "40",
        "failures": "8",
        "errors": "8",
        "skipped": "16",
    }
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites] == [*dict.fromkeys(box.partition("/")[0] for box in BOXES)]
    for suite in suites:
        cases = suite.findall("testcase")
        assert len(cases) == int(suite.get("tests", ""))
        assert next(child.tag for child in suite) == "properties"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp", ""))
        for tag, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert len(suite.findall(f"testcase/{tag}")) == int(suite.get(count, ""))
    assert [f"{case.get('classname')}/{case.get('name')}" for case in root.iter("testcase")] == list(BOXES)


def test_only_a_pass_is_a_passed_case(make_report: MakeReport) -> None:
    report = make_report()
    cases = {
        f"{case.get('classname')}/{case.get('name')}": case
        for case in ET.fromstring(written(junit, report)).iter("testcase")
    }
    tags = {item.id: [child.tag for child in cases[item.id]] for item in report.items}
    expected = {Status.PASS: [], Status.FAIL: ["failure"], Status.UNKNOWN: ["error"]}
    assert all(tags[item.id] == expected.get(item.status, ["skipped"]) for item in report.items)


def test_a_failure_carries_its_findings_and_remedy(make_report: MakeReport) -> None:
    failure = next(ET.fromstring(written(junit, make_report())).iter("failure"))
    assert failure.get("message", "").startswith("480 of 500")
    assert failure.text is not None
    assert "pass: also seen" in failure.text
    assert "→ Set a limit." in failure.text


# -- SARIF ------------------------------------------------------------------------------------------------------------


def test_sarif_is_version_2_1_0_with_a_rule_a_box(make_report: MakeReport) -> None:
    log = json.loads(written(sarif, make_report()))
    assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
    run = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(BOXES)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        # SARIF 2.1.0, 3.27.10: a result of any kind but "fail" has the level "none".
        assert (result["kind"] == "fail") == (result["level"] == "error")
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "sekisho.toml"


def test_sarif_tells_failures_open_questions_and_suppressed_ones_apart(make_report: MakeReport) -> None:
    def kinds(status: Status) -> set[tuple[str, bool]]:
        results = json.loads(written(sarif, make_report(statuses=(status,))))["runs"][0]["results"]
        return {(result["kind"], "suppressions" in result) for result in results}

    assert kinds(Status.PASS) == {("pass", False)}
    assert kinds(Status.FAIL) == {("fail", False)}
    assert kinds(Status.UNKNOWN) == {("open", False)}
    assert kinds(Status.NOT_APPLICABLE) == {("notApplicable", False)}


def test_the_same_finding_has_the_same_fingerprint_in_every_language(make_report: MakeReport) -> None:
    def fingerprints(language: str) -> list[object]:
        with use_language("ja" if language == "ja" else "en"):
            results = json.loads(written(sarif, make_report()))["runs"][0]["results"]
        return [result["partialFingerprints"] for result in results]

    assert fingerprints("en") == fingerprints("ja")


# -- in-toto ----------------------------------------------------------------------------------------------------------


def test_the_statement_speaks_of_the_artifact_and_the_contract(make_report: MakeReport) -> None:
    report = make_report()
    said = json.loads(written(statement, report))
    assert (said["_type"], said["predicateType"]) == (STATEMENT_TYPE, PREDICATE_TYPE)
    assert said["subject"] == [{"name": "example", "digest": {"sha256": report.artifact}}]
    predicate = said["predicate"]
    assert predicate["result"] == "FAILED"
    assert predicate["configuration"][0]["digest"] == {"sha256": report.contract}
    named = [*predicate["passedTests"], *predicate["warnedTests"], *predicate["failedTests"]]
    assert sorted(named) == sorted(BOXES)
    unknown = next(item.id for item in report.items if item.status is Status.UNKNOWN)
    assert unknown in predicate["failedTests"]


def test_a_statement_says_passed_only_when_the_report_does(make_report: MakeReport) -> None:
    said = json.loads(written(statement, make_report(statuses=(Status.PASS, Status.WAIVED))))
    assert said["predicate"]["result"] == "PASSED"
    assert len(said["predicate"]["warnedTests"]) == 20


def test_without_an_artifact_there_is_nothing_to_speak_of(make_report: MakeReport, tmp_path: Path) -> None:
    report = make_report(artifact=None)
    assert statement.render(report) is None
    assert "in-toto" not in write_all(report, tmp_path)
