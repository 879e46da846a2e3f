"""Whether more or fewer values are missing."""

from __future__ import annotations

from sekisho.text import Text
from sekisho.watch.drift.pairs import NullPair
from sekisho.watch.drift.statistics.interface import Measurement, change_of_share, statistic
from sekisho.watch.drift.tails import hypergeometric
from sekisho.watch.drift.words import percent


@statistic("nulls", title=Text(en="Change of the share of nulls", ja="欠損の割合の変化"))
def nulls(pair: NullPair) -> Measurement:
    """Measure the change in the share of missing values.

    Value: the share now less that of the reference. Effect: :func:`~sekisho.watch.drift.statistics.interface.change_of_share`. p-value: Fisher's
    exact test, both sides, with the sum of its tail bounded by :func:`~sekisho.watch.drift.tails.hypergeometric`.
    """
    before, now = pair.reference / pair.n, pair.current / pair.m
    missing = pair.reference + pair.current
    present = pair.n + pair.m - missing
    more = hypergeometric(pair.current, missing, pair.n, pair.m)
    fewer = hypergeometric(pair.m - pair.current, present, pair.n, pair.m)
    was, is_now = percent(before), percent(now)
    return Measurement(
        value=now - before,
        effect=change_of_share(before, now),
        p_value=min(1.0, 2.0 * min(more, fewer)),
        reason=Text(en=f"nulls: {was} of the reference, {is_now} now", ja=f"欠損の割合: 基準 {was} → 現在 {is_now}"),
    )
