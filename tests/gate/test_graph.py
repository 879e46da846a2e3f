from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from sekisho.gate.check import check
from sekisho.gate.graph import GraphError, Units, plan
from sekisho.gate.probe import Probe, Resource, probe, resource
from sekisho.gate.verdict import Verdict, passed
from sekisho.text import verbatim

WORDS = verbatim("words")


@dataclass(frozen=True, kw_only=True)
class First:
    n: int


@dataclass(frozen=True, kw_only=True)
class Second:
    n: int


@dataclass(frozen=True, kw_only=True)
class Third:
    n: int


class Tool:
    """A resource."""


@resource(title=WORDS)
def tool() -> Iterator[Tool]:
    yield Tool()


@probe("quality/first", title=WORDS)
def first(tool: Tool) -> First:
    return First(n=1)


@probe("quality/second", title=WORDS)
def second(first: First) -> Second:
    return Second(n=first.n + 1)


@probe("quality/third", title=WORDS)
def third() -> Third:
    return Third(n=3)


@check("quality/requirements", title=WORDS, why=WORDS, remedy=WORDS)
def requirements(second: Second) -> Verdict:
    return passed(WORDS)


@check("quality/fairness", title=WORDS, why=WORDS, remedy=WORDS)
def fairness(first: First, third: Third | None) -> Verdict:
    return passed(WORDS)


UNITS = Units.of((requirements, fairness), (third, second, tool, first))


def test_what_a_maker_needs_comes_before_it() -> None:
    made = plan(UNITS, ["quality/requirements"], ())
    assert list(made.makers) == [Tool, First, Second]
    assert set(made.boxes) == {Tool, First, Second}


def test_only_what_the_chosen_boxes_need_is_made() -> None:
    assert set(plan(UNITS, ["quality/fairness"], ()).makers) == {Tool, First, Third}
    assert plan(UNITS, [], ()).makers == {}


def test_each_maker_knows_the_boxes_that_stand_on_it() -> None:
    made = plan(UNITS, ["quality/requirements", "quality/fairness"], ())
    assert made.boxes[Tool] == ("quality/requirements", "quality/fairness")
    assert made.boxes[Third] == ("quality/fairness",)


def test_what_is_given_is_not_made_nor_what_only_it_needs() -> None:
    assert set(plan(UNITS, ["quality/requirements"], {First}).makers) == {Second}


def test_a_type_that_nobody_gives_is_left_out() -> None:
    units = Units.of((requirements,), ())
    assert plan(units, ["quality/requirements"], ()).makers == {}


def test_two_makers_of_one_type_are_an_error_that_names_both() -> None:
    @probe("quality/other", title=WORDS)
    def other() -> First:
        return First(n=2)

    with pytest.raises(GraphError, match=r"quality/other and quality/first both give First"):
        Units.of((), (first, other))


def test_a_circle_is_an_error_that_shows_it() -> None:
    @probe("quality/loop", title=WORDS)
    def loop(second: Second) -> Third:
        return Third(n=1)

    @probe("quality/back", title=WORDS)
    def back(third: Third) -> First:
        return First(n=1)

    with pytest.raises(GraphError, match="circle") as caught:
        Units.of((), (loop, back, second))
    assert all(name in str(caught.value) for name in ("First", "Second", "Third"))


def test_the_installed_units_fit_together() -> None:
    units = Units.installed()
    assert all(isinstance(maker, Probe | Resource) for maker in units.makers.values())
