"""Whether the values are spread in another way, wherever their centre is."""

from __future__ import annotations

import numpy as np

from sekisho.text import Text
from sekisho.watch.drift.pairs import NumberPair
from sekisho.watch.drift.statistics.interface import Measurement, statistic
from sekisho.watch.drift.tails import beyond_noise, total_variation_noise
from sekisho.watch.drift.words import percent, value


@statistic("shape", title=Text(en="Total variation over deciles", ja="十分位区間の全変動距離"))
def shape(pair: NumberPair) -> Measurement:
    """Measure the total variation distance over ten parts, cut at the deciles of all values together.

    It sees what the shift does not: a wider or narrower spread, heavier tails, a second peak. Value: the distance. Effect and p-value:
    :func:`~sekisho.watch.drift.tails.beyond_noise`; the cuts treat both samples alike, so the bound holds given the cuts.
    """
    parts = pair.gaps.parts
    before, now = parts.reference / pair.n, parts.current / pair.m
    distance = float(np.abs(before - now).sum() / 2)
    noise = total_variation_noise(parts.reference + parts.current, pair.n, pair.m)
    beyond = beyond_noise(distance, noise, pair.n, pair.m)
    most = int(np.argmax(np.abs(before - now)))
    was, is_now = percent(before[most]), percent(now[most])
    span = _span(pair, most)
    return Measurement(
        value=distance,
        effect=beyond.effect,
        p_value=beyond.p_value,
        reason=Text(
            en=f"values {span.en}: {was} of the reference, {is_now} now",
            ja=f"{span.ja}の値の割合: 基準 {was} → 現在 {is_now}",
        ),
    )


def _span(pair: NumberPair, part: int) -> Text:
    """Return the words for one of the parts; the outer ones are open."""
    edges = pair.gaps.parts.edges
    low, high = value(pair.kind, float(edges[part])), value(pair.kind, float(edges[part + 1]))
    last = len(edges) - 2
    if part == 0 and part < last:
        return Text(en=f"up to {high}", ja=f"{high} 以下")
    if part == last and part > 0:
        return Text(en=f"above {low}", ja=f"{low} 超")
    return Text(en=f"from {low} to {high}", ja=f"{low}～{high} ")
