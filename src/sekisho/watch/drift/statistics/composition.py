"""Whether the labels are mixed in other shares."""

from __future__ import annotations

import numpy as np

from sekisho.text import Text
from sekisho.watch.drift.pairs import LabelPair
from sekisho.watch.drift.statistics.interface import Measurement, statistic
from sekisho.watch.drift.tails import beyond_noise, total_variation_noise
from sekisho.watch.drift.words import label, percent


@statistic("composition", title=Text(en="Total variation over labels", ja="ラベル構成の全変動距離"))
def composition(pair: LabelPair) -> Measurement:
    """Measure the total variation distance of the shares of all labels: half the sum of their differences.

    Value: the distance. Effect and p-value: :func:`~sekisho.watch.drift.tails.beyond_noise`. What chance gives grows with the number of
    labels, so that a hundred thousand rare ones are no drift by themselves.
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
        p_value=beyond.p_value,
        reason=Text(
            en=f"{name!r}: {was} of the reference, {is_now} now", ja=f"「{name}」の割合: 基準 {was} → 現在 {is_now}"
        )
        if pair.shown
        else Text(en=f"one text: {was} of the reference, {is_now} now", ja=f"ある文の割合: 基準 {was} → 現在 {is_now}"),
    )
