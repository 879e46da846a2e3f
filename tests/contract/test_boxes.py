"""The stable ids of the checklist, and the checks that stand for them."""

from __future__ import annotations

from collections import Counter

from sekisho.contract.boxes import BOXES
from sekisho.gate.check import SECTIONS, Check
from sekisho.shelf import units


def test_there_are_forty_boxes_in_eight_sections_of_five() -> None:
    assert len(set(BOXES)) == 40
    assert list(dict.fromkeys(box.partition("/")[0] for box in BOXES)) == list(SECTIONS)
    assert set(Counter(box.partition("/")[0] for box in BOXES).values()) == {5}


def test_every_box_has_its_check_on_the_shelf() -> None:
    checks = units("sekisho.checks", Check)
    assert sorted(set(BOXES) - set(checks)) == []
    assert sorted(set(checks) - set(BOXES)) == []
