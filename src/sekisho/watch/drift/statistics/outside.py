"""Whether values lie outside the range of the reference."""

from __future__ import annotations

from sekisho.text import Text
from sekisho.watch.drift.pairs import NumberPair
from sekisho.watch.drift.statistics.interface import Measurement, change_of_share, statistic
from sekisho.watch.drift.tails import all_current
from sekisho.watch.drift.words import percent, value


@statistic("outside", title=Text(en="Share outside the reference's range", ja="基準の範囲外の割合"))
def outside(pair: NumberPair) -> Measurement:
    """Measure the share of current values below the smallest or above the largest value of the reference.

    Value: that share. Effect: :func:`~sekisho.watch.drift.statistics.interface.change_of_share` from 0. The p-value is exact for each way in
    which ``j`` values can divide over the two ends, where the outermost ``j`` of all values are current ones, times the ``j + 1`` ways.

    Moments that go on from where the reference ended lie outside by nature: a model that takes the time itself as a feature is asked about
    times that it has never seen, and the reason says so.
    """
    rows = pair.below + pair.above
    share = rows / pair.m
    low, high, now = value(pair.kind, pair.minimum), value(pair.kind, pair.maximum), percent(share)
    later = pair.kind == "datetime" and pair.above > pair.below
    return Measurement(
        value=share,
        effect=change_of_share(0.0, share),
        p_value=min(1.0, (rows + 1) * all_current(rows, pair.n, pair.m)),
        reason=Text(
            en=f"{now} later than the reference ends ({high}), as time itself goes on"
            if later
            else f"{now} outside the reference's range, {low} to {high}",
            ja=f"{now} が基準の終わり ({high}) より後の日時 (時の経過そのもの)"
            if later
            else f"{now} が基準の範囲 {low}～{high} の外",
        ),
    )
