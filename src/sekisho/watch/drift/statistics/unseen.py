"""Whether labels appear that the reference does not have."""

from __future__ import annotations

import numpy as np

from sekisho.text import Text
from sekisho.watch.drift.pairs import LabelPair
from sekisho.watch.drift.statistics.interface import Measurement, change_of_share, statistic
from sekisho.watch.drift.tails import never_in_reference
from sekisho.watch.drift.words import label, percent


@statistic("unseen", title=Text(en="Share of unseen labels", ja="未知のラベルの割合"))
def unseen(pair: LabelPair) -> Measurement:
    """Measure the share of current values whose label the reference does not have.

    Value: that share. The p-value, :func:`~sekisho.watch.drift.tails.never_in_reference`, knows that a column with many rare labels brings new
    ones all the time. So does the effect: :func:`~sekisho.watch.drift.statistics.interface.change_of_share` from what is expected.
    """
    new = pair.reference == 0
    rows = int(pair.current[new].sum())
    chance = never_in_reference(rows, pair.reference + pair.current, pair.n, pair.m)
    labels = int(np.count_nonzero(new & (pair.current > 0)))
    most = label(pair.labels[int(np.argmax(np.where(new, pair.current, -1)))]) if labels and pair.shown else None
    return Measurement(
        value=rows / pair.m,
        effect=change_of_share(chance.expected / pair.m, rows / pair.m) if rows > chance.expected else 0.0,
        p_value=chance.p_value,
        reason=_reason(percent(rows / pair.m), labels, most),
    )


def _reason(share: str, labels: int, most: str | None) -> Text:
    if labels == 1:
        name = Text(en=f", {most!r}", ja=f"「{most}」") if most is not None else Text(en="", ja="")
        return Text(
            en=f"{share} of the values have a label that the reference does not have{name.en}",
            ja=f"値の {share} が基準にないラベル{name.ja}",
        )
    often = Text(en=f", most often {most!r}", ja=f"、最多は「{most}」") if most is not None else Text(en="", ja="")
    return Text(
        en=f"{share} of the values have one of {labels:,} labels that the reference does not have{often.en}",
        ja=f"値の {share} が基準にない {labels:,} 種のラベル{often.ja}",
    )
