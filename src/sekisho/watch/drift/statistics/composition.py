"""Whether the labels are mixed in other shares."""

from __future__ import annotations

import numpy as np

from sekisho.text import Text
from sekisho.watch.drift.pairs import LabelPair
from sekisho.watch.drift.statistics.interface import Measurement, statistic
from sekisho.watch.drift.tails import beyond_noise, smirnov, total_variation_noise
from sekisho.watch.drift.words import label, percent


@statistic("composition", title=Text(en="Total variation over labels", ja="ラベル構成の全変動距離"))
def composition(pair: LabelPair) -> Measurement:
    """Measure the total variation distance of the shares of all labels: half the sum of their differences.

    Value: the distance. Effect: that of :func:`~sekisho.watch.drift.tails.beyond_noise`; what chance gives grows with the number of labels, so
    that a hundred thousand rare ones are no drift by themselves. The p-value is twice the smaller of two: that of the distance, which looks
    at every set of labels, and that of the largest difference among the sets "all labels that are at least so frequent", which are so few
    that noise hides less. A change that makes rare labels more frequent is soonest seen there.
    """
    before, now = pair.reference / pair.n, pair.current / pair.m
    distance = float(np.abs(before - now).sum() / 2)
    noise = total_variation_noise(pair.reference + pair.current, pair.n, pair.m)
    beyond = beyond_noise(distance, noise, pair.n, pair.m)
    most = int(np.argmax(np.abs(before - now)))
    was, is_now = percent(before[most]), percent(now[most])
    name = label(pair.labels[most])
    return Measurement(
        value=distance,
        effect=beyond.effect,
        p_value=min(1.0, 2.0 * min(beyond.p_value, smirnov(_over_frequency(pair), pair.n, pair.m))),
        reason=Text(
            en=f"{name!r}: {was} of the reference, {is_now} now", ja=f"「{name}」の割合: 基準 {was} → 現在 {is_now}"
        )
        if pair.shown
        else Text(en=f"one text: {was} of the reference, {is_now} now", ja=f"ある文の割合: 基準 {was} → 現在 {is_now}"),
    )


def _over_frequency(pair: LabelPair) -> float:
    """Return the Kolmogorov-Smirnov distance of the frequencies that the labels of the rows have in both samples together."""
    _, frequency = np.unique(pair.reference + pair.current, return_inverse=True)
    before, now = (np.bincount(frequency, weights=rows) for rows in (pair.reference, pair.current))
    return float(np.abs(np.cumsum(before / pair.n - now / pair.m)).max())
