from __future__ import annotations

import pytest

from sekisho.contract.boxes import BOXES
from sekisho.errors import NotFound
from sekisho.gate.check import SECTIONS
from sekisho.gate.selection import in_order, select


def test_the_forty_boxes_come_in_the_order_of_the_checklist() -> None:
    assert in_order(()) == BOXES
    assert len(BOXES) == 40
    assert [*dict.fromkeys(box.partition("/")[0] for box in BOXES)] == list(SECTIONS)


def test_what_is_added_stands_at_the_end_of_its_section() -> None:
    order = in_order(("security/zeal", "security/aim", "quality/fairness"))
    assert order.index("security/aim") == order.index("security/vulnerabilities") + 1
    assert order.index("security/zeal") + 1 == order.index("monitoring/performance")
    assert len(order) == 42


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (None, 40),
        ([], 40),
        (["security"], 5),
        (["security/*"], 5),
        (["*/api"], 2),
        (["inference/api"], 1),
        (["security", "security/encryption", "quality/fairness"], 6),
    ],
)
def test_boxes_are_asked_for_by_id_section_or_pattern(wanted: list[str] | None, count: int) -> None:
    chosen = select(wanted, BOXES)
    assert len(chosen) == count
    assert list(chosen) == [box for box in BOXES if box in chosen]


@pytest.mark.parametrize(
    ("word", "nearest"),
    [
        ("security/rate-limit", "security/rate-limiting"),
        ("rate-limiting", "security/rate-limiting"),
        ("securty", "security"),
        ("Security/Encryption", "security/encryption"),
    ],
)
def test_a_word_that_names_no_box_is_answered_with_the_nearest(word: str, nearest: str) -> None:
    with pytest.raises(NotFound) as caught:
        select([word], BOXES)
    assert nearest in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("word", ["", "zzzzzzzz", "line\nbreak", "*/nothing", "x" * 5_000])
def test_odd_words_are_one_short_line(word: str) -> None:
    with pytest.raises(NotFound) as caught:
        select([word], BOXES)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
