"""Every check, judged by its own examples and by what all checks must keep to."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator

import msgspec
import pytest

from sekisho.contract.boxes import BOXES
from sekisho.contract.project import Project
from sekisho.contract.sections import Contract
from sekisho.gate.attestations import Attestations
from sekisho.gate.check import Check, Example
from sekisho.gate.graph import Units
from sekisho.gate.outcome import Present
from sekisho.gate.probe import Probe, Progress
from sekisho.gate.runner import judge
from sekisho.gate.testing import example_contract, judge_example
from sekisho.gate.verdict import STATUS_WORDS, Status
from sekisho.text import Text

UNITS = Units.installed()
CHECKS = [pytest.param(check, id=id_) for id_, check in UNITS.checks.items()]
EXAMPLES = [
    pytest.param(check, example, id=f"{id_}-{place}-{example.status}")
    for id_, check in UNITS.checks.items()
    for place, example in enumerate(check.examples)
]
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


def is_measured(check: Check) -> bool:
    """Whether a probe measures what the check judges."""
    return any(isinstance(UNITS.makers.get(need.kind), Probe) for need in check.needs.values())


def texts(check: Check) -> Iterator[Text]:
    yield from (check.title, check.why, check.remedy)


def test_there_is_a_check_for_each_of_the_forty_boxes_and_no_other() -> None:
    assert sorted(UNITS.checks) == sorted(BOXES)


@pytest.mark.parametrize("check", CHECKS)
def test_a_check_stands_in_the_file_of_its_name(check: Check) -> None:
    section, name = check.id.split("/")
    assert check.judge.__module__ == f"sekisho.checks.{section}.{name.replace('-', '_')}"


@pytest.mark.parametrize(("check", "example"), EXAMPLES)
def test_a_check_says_of_its_example_what_the_example_says(check: Check, example: Example) -> None:
    said = judge_example(check, example)
    assert said.status is example.status, f"{said.summary.en}"
    for text in (said.summary, *(finding.text for finding in said.findings)):
        assert text.en.strip()
        assert text.ja.strip()
        assert not JAPANESE.search(text.en), "the English sentence is not English"
        assert text.en.isprintable(), "a sentence stands on one line"
        assert text.ja.isprintable()
    assert JAPANESE.search(said.summary.ja), "the Japanese sentence is not Japanese"
    assert said.findings


@pytest.mark.parametrize("check", CHECKS)
def test_a_measured_check_shows_how_it_passes_and_how_it_fails_and_another_that_it_is_unknown(check: Check) -> None:
    shown = Counter(example.status for example in check.examples)
    if is_measured(check):
        assert shown[Status.PASS] >= 1
        assert shown[Status.FAIL] >= 1
    else:
        assert shown[Status.UNKNOWN] >= 1
        assert shown[Status.PASS] == 0, "what is not measured is never passed"


@pytest.mark.parametrize("check", CHECKS)
def test_a_check_that_is_given_nothing_measured_never_passes(check: Check) -> None:
    contract = example_contract()
    stated = Attestations(contract=contract, artifact=None, today=dt.date(2026, 11, 24))
    nothing = judge(check, {Contract: Present(value=contract), Attestations: Present(value=stated)})
    assert nothing.status in {Status.UNKNOWN, Status.FAIL}


@pytest.mark.parametrize("check", CHECKS)
def test_a_check_has_its_words_in_both_languages(check: Check) -> None:
    for text in texts(check):
        assert text.en.strip()
        assert JAPANESE.search(text.ja)
        assert not JAPANESE.search(text.en)
    assert len({text.en for text in texts(check)}) == 3
    assert len(check.title.en) <= 60
    assert len(check.title.ja) <= 40


def test_no_two_boxes_have_the_same_title() -> None:
    for words in ("en", "ja"):
        titles = [getattr(check.title, words) for check in UNITS.checks.values()]
        assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("status", Status)
def test_every_status_has_its_word_in_both_languages(status: Status) -> None:
    assert JAPANESE.search(STATUS_WORDS[status].ja)


PROBES = [pytest.param(maker, id=maker.id) for maker in UNITS.makers.values()]


@pytest.mark.parametrize("maker", PROBES)
def test_what_is_measured_is_said_in_both_languages(maker: Probe) -> None:
    assert maker.title.en.strip()
    assert JAPANESE.search(maker.title.ja)


@pytest.mark.parametrize("unit", [*CHECKS, *PROBES])
def test_whatever_is_asked_for_is_given_by_something(unit: Check | Probe) -> None:
    sections = {type(value) for value in msgspec.structs.asdict(example_contract()).values()}
    always = {Project, Contract, Attestations, Progress, *sections}
    assert {need.kind.__name__ for need in unit.needs.values() if need.kind not in {*always, *UNITS.makers}} == set()


@pytest.mark.parametrize("maker", [each for each in PROBES if isinstance(each.values[0], Probe)])
def test_every_probe_serves_a_check(maker: Probe) -> None:
    needed = {need.kind for unit in (*UNITS.checks.values(), *UNITS.makers.values()) for need in unit.needs.values()}
    assert maker.gives in needed
