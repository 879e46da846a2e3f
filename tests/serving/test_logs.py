"""Lines of the log that are held back."""

from __future__ import annotations

from sekisho.serving.logs import Trickle


def test_so_many_lines_a_second_pass_and_the_others_are_counted() -> None:
    trickle = Trickle(3)
    assert [trickle.passes(10.0 + step / 10) for step in range(8)] == [True] * 3 + [False] * 5
    assert trickle.skipped(10.9) == 0
    assert trickle.skipped(11.0) == 5
    assert trickle.skipped(11.0) == 0
    assert trickle.passes(11.5)
    assert trickle.skipped(20.0) == 0
