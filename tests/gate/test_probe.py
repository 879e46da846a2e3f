from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pytest

from sekisho.gate.check import Need, check, needs_of
from sekisho.gate.probe import Progress, probe, resource
from sekisho.gate.verdict import Verdict, passed
from sekisho.text import verbatim

WORDS = verbatim("words")


@dataclass(frozen=True)
class Frozen:
    n: int


@dataclass
class Loose:
    n: int


class FrozenStruct(msgspec.Struct, frozen=True):
    n: int


class LooseStruct(msgspec.Struct):
    n: int


def test_a_probe_and_a_resource_say_what_they_need_and_give() -> None:
    @probe("a/fact", title=WORDS, seconds=3, exclusive=True)
    def fact(struct: FrozenStruct, progress: Progress, frozen: Frozen | None) -> FrozenStruct:
        return struct

    @resource(title=WORDS)
    def frozen(struct: FrozenStruct) -> Iterator[Frozen]:
        yield Frozen(n=1)

    assert (fact.gives, fact.seconds, fact.exclusive) == (FrozenStruct, 3, True)
    assert fact.needs == {
        "struct": Need(FrozenStruct, optional=False),
        "progress": Need(Progress, optional=False),
        "frozen": Need(Frozen, optional=True),
    }
    assert (frozen.id, frozen.gives) == ("Frozen", Frozen)


@pytest.mark.parametrize("kind", [Loose, LooseStruct, dict, int])
def test_a_fact_that_can_be_changed_is_none(kind: type) -> None:
    def measure() -> object: ...

    measure.__annotations__["return"] = kind
    with pytest.raises(TypeError, match="frozen"):
        probe("a/fact", title=WORDS)(measure)


def test_a_parameter_without_one_class_cannot_be_injected() -> None:
    def bare(x) -> None: ...  # type: ignore[no-untyped-def]
    def either(x: Frozen | Loose) -> None: ...

    for function in (bare, either):
        with pytest.raises(TypeError, match="must be one class"):
            needs_of(function)


def test_a_check_belongs_to_a_section_of_the_checklist() -> None:
    def judge(frozen: Frozen) -> Verdict:
        return passed(WORDS)

    with pytest.raises(ValueError, match="begins with one of"):
        check("luck/dice", title=WORDS, why=WORDS, remedy=WORDS)(judge)
    assert check("quality/dice", title=WORDS, why=WORDS, remedy=WORDS)(judge).section == "quality"
