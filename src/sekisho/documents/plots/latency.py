"""How long answers took, and where the percentiles stand against what is promised."""

from __future__ import annotations

from sekisho.contract.sections import Contract
from sekisho.documents.canvas import Limit
from sekisho.documents.drawing import Mark, histogram
from sekisho.documents.plots.interface import plot
from sekisho.probes.inference.latency import Latency
from sekisho.text import Text


@plot("latency", Latency, title=Text(en="Response time in milliseconds", ja="応答時間（ミリ秒）"))
def latency(fact: Latency, contract: Contract) -> str | None:
    """Draw the histogram with the percentiles and their intervals against the promised 99th percentile."""
    promised = contract.serving.latency_p99_ms
    if not fact.counts or not fact.edges_ms or fact.edges_ms[0] <= 0:
        return None
    marks = [
        Mark(
            label=name,
            value=found.point,
            low=found.low,
            high=found.high,
            holds=found.high <= promised if name == "p99" and promised is not None else None,
        )
        for name, found in fact.percentiles.items()
    ]
    limits = (
        []
        if promised is None
        else [Limit(value=promised, label=f"{Text(en='p99 at most', ja='p99 上限')} {promised:g}")]
    )
    return histogram(fact.edges_ms, fact.counts, marks=marks, limits=limits)
