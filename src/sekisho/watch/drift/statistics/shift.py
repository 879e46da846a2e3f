"""Whether the values have moved up or down."""

from __future__ import annotations

from sekisho.text import Text
from sekisho.watch.drift.pairs import NumberPair
from sekisho.watch.drift.statistics.interface import Measurement, statistic
from sekisho.watch.drift.tails import smirnov
from sekisho.watch.drift.words import percent, value


@statistic("shift", title=Text(en="Kolmogorov-Smirnov distance", ja="コルモゴロフ–スミルノフ距離"))
def shift(pair: NumberPair) -> Measurement:
    """Measure the two-sample Kolmogorov-Smirnov distance: the largest difference in the share of values up to any point.

    Value and effect are that distance. The p-value is bounded by :func:`~sekisho.watch.drift.tails.smirnov`.
    """
    gap = max(pair.gaps.lower, pair.gaps.upper, key=lambda each: each.size)
    at, before, now = value(pair.kind, gap.at), percent(gap.reference), percent(gap.current)
    return Measurement(
        value=gap.size,
        effect=gap.size,
        p_value=smirnov(gap.size, pair.n, pair.m),
        reason=Text(
            en=f"values up to {at}: {before} of the reference, {now} now",
            ja=f"{at} 以下の値の割合: 基準 {before} → 現在 {now}",
        ),
    )
