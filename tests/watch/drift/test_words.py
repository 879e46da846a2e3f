from __future__ import annotations

import math

import pytest

from sekisho.watch.drift.words import label, percent, value


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, "0%"), (0.00001, "<0.01%"), (0.0042, "0.42%"), (0.042, "4.2%"), (0.42, "42%"), (1.0, "100%")],
)
def test_shares(share: float, words: str) -> None:
    assert percent(share) == words


@pytest.mark.parametrize(
    ("kind", "number", "words"),
    [
        ("float", 0.123456, "0.1235"),
        ("integer", 1234567.0, "1234567"),
        ("datetime", 0.0, "1970-01-01 00:00"),
        ("float", math.inf, "inf"),
        ("integer", -math.inf, "-inf"),
        ("datetime", 1e300, "1e+300"),
    ],
)
def test_values(kind: str, number: float, words: str) -> None:
    assert value(kind, number) == words  # type: ignore[arg-type]


def test_labels_stay_on_their_line() -> None:
    assert label("two\nlines") == "two lines"
    assert len(label("x" * 500)) == 40
    assert label(None) == "…"
    assert label(True) == "True"
