"""Every plot draws what the examples of the checks hold, in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import pytest

from sekisho import shelf
from sekisho.contract.sections import Contract
from sekisho.documents.plots.interface import Plot
from sekisho.gate.graph import Units
from sekisho.gate.testing import example_contract
from sekisho.text import LANGUAGES, Language, use_language

PLOTS = shelf.units("sekisho.documents.plots", Plot)
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


def facts() -> Iterator[tuple[str, object, Contract]]:
    """Every fact in the examples of the checks, with the contract that stands beside it."""
    for check in Units.installed().checks.values():
        for example in check.examples:
            contract = next((each for each in example.arguments if isinstance(each, Contract)), example_contract())
            for argument in example.arguments:
                yield f"{check.id}-{example.status}", argument, contract


CASES: list[tuple[str, Plot, object, Contract]] = [
    (f"{plot.id}-{name}-{number}", plot, fact, contract)
    for number, (name, fact, contract) in enumerate(facts())
    for plot in PLOTS.values()
    if type(fact) is plot.kind
]


def words(svg: str) -> str:
    return " ".join("".join(text.itertext()) for text in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("plot", "fact", "contract"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_plot_draws_what_its_check_judges(plot: Plot, fact: object, contract: Contract, language: Language) -> None:
    with use_language(language):
        svg = plot.draw(fact, contract)
    if svg is None:
        return
    assert words(svg)
    if language == "en":
        assert not JAPANESE.search(words(svg))


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_every_plot_draws_at_least_one_example(plot: Plot) -> None:
    assert any(each.draw(fact, contract) is not None for _, each, fact, contract in CASES if each is plot)


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_every_plot_has_its_title_in_both_languages(plot: Plot) -> None:
    assert plot.title.en
    assert JAPANESE.search(plot.title.ja)
    assert not JAPANESE.search(plot.title.en)


@pytest.mark.parametrize("id_", ["performance", "latency", "flood", "drift-replay", "fairness"])
def test_what_fails_looks_other_than_what_passes(id_: str) -> None:
    """Of the examples of one box, those that break a limit are drawn in the colour of breaking, and others are not."""
    drawn = [plot.draw(fact, contract) for _, plot, fact, contract in CASES if plot.id == id_]
    assert {"var(--breaks)" in svg for svg in drawn if svg is not None} == {True, False}
