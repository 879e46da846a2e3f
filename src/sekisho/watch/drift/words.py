"""Figures of drift as people read them."""

from __future__ import annotations

import datetime as dt
import math
from typing import Final

from sekisho.artifact.column import Kind, Scalar

LONGEST_LABEL: Final = 40
BAR: Final = 12
"""Characters of an effect bar on a terminal."""
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_FIRST: Final = dt.datetime.min.replace(tzinfo=dt.UTC).timestamp()
_LAST: Final = dt.datetime.max.replace(tzinfo=dt.UTC).timestamp() - 1


def value(kind: Kind, number: float) -> str:
    """Return a value of a column: four digits, or day and minute for a moment."""
    if kind == "datetime" and _FIRST <= number <= _LAST:
        return (_EPOCH + dt.timedelta(seconds=number)).strftime("%Y-%m-%d %H:%M")
    if kind == "integer" and math.isfinite(number):
        return f"{number:.0f}"
    return f"{number:.4g}"


def percent(share: float) -> str:
    """Return a share of rows in per cent, with more digits for a small one."""
    if 0.0 < share < 0.0001:
        return "<0.01%"
    digits = 2 if share < 0.01 else 1 if share < 0.1 else 0
    return f"{share:.{digits}%}" if share else "0%"


def label(name: Scalar) -> str:
    """Return a label, cut where it is too long for a line; an ellipsis for labels that are not told apart."""
    if name is None:
        return "…"
    words = " ".join(str(name).split())
    return words if len(words) <= LONGEST_LABEL else words[: LONGEST_LABEL - 1] + "…"


def bar(effect: float) -> str:
    """Return an effect as a bar of eighths of a character."""
    eighths = round(min(1.0, max(0.0, effect)) * BAR * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")).ljust(BAR, "·")


def probability(p_value: float | None) -> str:
    """Return a p-value as people read it."""
    if p_value is None:
        return ""
    return "<0.0001" if p_value < 0.0001 else f"{p_value:.4f}" if p_value < 0.1 else f"{p_value:.2f}"
