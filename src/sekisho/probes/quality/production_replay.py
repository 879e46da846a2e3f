"""Production rows sent to the model that is to go live: what fails, what is refused, and how far its scores are from those logged.

Scores are compared by the population stability index (J. Lin, "Divergence measures based on the Shannon entropy", IEEE Transactions on
Information Theory 37, 1991: the symmetric divergence) over tenths of the logged scores, with a bootstrap interval over the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.signature import Output
from sekisho.artifact.table import Scalar
from sekisho.contract.sections import Quality, Serving
from sekisho.errors import NotMeasured
from sekisho.gate.probe import Progress, probe
from sekisho.ledger.predictions import PredictionRecord
from sekisho.probes.resources.asking import Asker, Told, opened
from sekisho.probes.resources.labels import SEVERAL, spelling
from sekisho.probes.resources.logged import Logged
from sekisho.probes.resources.service import Service
from sekisho.probes.resources.tables import ProductionSample
from sekisho.probes.statistics.baselines import sample
from sekisho.probes.statistics.intervals import Interval
from sekisho.text import Text

REPLAYED: Final = 300
REPLAYED_LOG: Final = 1_000
BINS: Final = 10
RESAMPLES: Final = 500
FEWEST_SCORES: Final = 100
"""With fewer rows an index over ten parts says nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductionReplay:
    """What became of production rows.

    Attributes:
        through: Who was asked: ``service`` or ``artifact``.
        source: Where the rows come from: ``file`` or ``ledger``.
        replayed: How many were sent.
        failed, refused, flagged: What became of them.
        first: What came of the first that failed or was refused; empty when none did.
        compared: How many answers were compared with logged ones.
        stability: The population stability index of the scores; ``None`` without enough logged scores.
        changed: The share of logged answers that come out otherwise; ``None`` without any.

    """

    through: str
    source: str
    replayed: int
    failed: int
    refused: int
    flagged: int
    first: str
    compared: int
    stability: Interval | None
    changed: float | None


@probe("quality/production-replay", title=Text(en="Replay production rows", ja="本番データを再送"), seconds=3)
def production_replay(
    quality: Quality,
    serving: Serving,
    production: ProductionSample | None,
    logged: Logged | None,
    artifact: ModelArtifact | None,
    service: Service | None,
    progress: Progress,
) -> ProductionReplay:
    """Send logged rows, or rows of the production sample, and see what comes of them.

    Raises:
        NotMeasured: There are no rows, nobody to ask, or a feature is missing.

    """
    with opened(service, artifact, deadline_ms=serving.deadline_ms) as asker:
        if asker is None:
            raise _no_replay(Text(en="there is nobody to ask", ja="問い合わせ先がありません"))
        if asker.signature.output.outputs:
            raise _no_replay(SEVERAL)
        names = asker.signature.names
        records = () if logged is None else logged.records
        if records and set(names) <= set(records[-1].features):
            records = records[-REPLAYED_LOG:]
            told = asker.ask([{name: record.features[name] for name in names} for record in records])
            progress.advance(0.9)
            return _found(asker, "ledger", told, records, quality)
        if production is None:
            raise _no_replay(Text(en="there are no production rows", ja="本番データの行がありません"))
        missing = [name for name in names if name not in production.full.names]
        if missing:
            listed = ", ".join(missing[:5])
            raise _no_replay(
                Text(en=f"production rows lack {listed}", ja=f"本番データに {listed} がありません"),
            )
        rows = production.full.select(names).take(sample(production.full.rows, REPLAYED, quality.seed))
        told = asker.ask(rows.records())
        return _found(asker, production.source, told, (), quality)


def _found(
    asker: Asker, source: str, told: Sequence[Told], records: Sequence[PredictionRecord], quality: Quality
) -> ProductionReplay:
    outcomes = [each.outcome for each in told]
    output = asker.signature.output
    pairs = [
        (_score(output, record.answer, record.probability), _score(output, each.answer.label, _stated(each)))
        for record, each in zip(records, told, strict=False)
        if each.answer is not None
    ]
    return ProductionReplay(
        through=asker.through,
        source=source,
        replayed=len(told),
        failed=outcomes.count("failed"),
        refused=outcomes.count("refused"),
        flagged=sum(each.flagged for each in told),
        first=next((each.words for each in told if each.outcome != "answered"), ""),
        compared=len(pairs),
        stability=_stability(pairs, quality) if len(pairs) >= FEWEST_SCORES else None,
        changed=_changed(records, told) if pairs else None,
    )


def _changed(records: Sequence[PredictionRecord], told: Sequence[Told]) -> float:
    pairs = [
        (record.answer, each.answer.label)
        for record, each in zip(records, told, strict=False)
        if each.answer is not None
    ]
    return sum(not _same(one, other) for one, other in pairs) / len(pairs)


def _same(one: Scalar, other: Scalar) -> bool:
    if isinstance(one, float) or isinstance(other, float):
        return isinstance(one, int | float) and isinstance(other, int | float) and bool(np.isclose(one, other))
    return spelling(one) == spelling(other)


def _stated(told: Told) -> float | None:
    """Return the probability of the label that was answered."""
    if told.answer is None:
        return None
    return told.answer.probabilities.get(spelling(told.answer.label), told.answer.probability)


def _score(output: Output, label: Scalar, probability: float | None) -> float:
    """Return an answer as one number: the value, the probability of the last of two classes, or the number of the class."""
    if output.classes is None:
        return float(label) if isinstance(label, int | float) else np.nan
    names = [spelling(each) for each in output.classes]
    place = names.index(spelling(label)) if spelling(label) in names else -1
    if len(names) != 2 or probability is None:
        return float(place)
    return probability if place == 1 else 1 - probability


def _stability(pairs: Sequence[tuple[float, float]], quality: Quality) -> Interval | None:
    scores = np.array(pairs, dtype=np.float64)
    scores = scores[np.isfinite(scores).all(axis=1)]
    if len(scores) < FEWEST_SCORES:
        return None
    edges = np.unique(np.quantile(scores[:, 0], np.linspace(0, 1, BINS + 1)[1:-1]))
    # To one part in a million: a score that another runtime rounds otherwise has not moved.
    before, after = (np.searchsorted(edges, np.round(part, 6), side="right") for part in scores.T)
    parts = len(edges) + 1
    joint = np.bincount(before * parts + after, minlength=parts * parts)
    random = np.random.default_rng(quality.seed)
    drawn = random.multinomial(len(scores), joint / len(scores), size=RESAMPLES).reshape(-1, parts, parts)
    indexes = [_index(each) for each in drawn]
    tail = (1 - quality.confidence) / 2
    low, high = np.quantile(indexes, [tail, 1 - tail])
    point = _index(joint.reshape(parts, parts))
    return Interval(point=point, low=min(point, float(low)), high=max(point, float(high)))


def _index(joint: NDArray[np.int64]) -> float:
    before, after = ((joint.sum(axis=axis) + 0.5) / (joint.sum() + 0.5 * len(joint)) for axis in (1, 0))
    return float(((after - before) * np.log(after / before)).sum())


def _no_replay(what: Text) -> NotMeasured:
    return NotMeasured(
        what,
        Text(
            en="pack the model or name its service, and give production rows with all its features",
            ja="モデルを梱包するかサービスを指定し、全特徴量を含む本番データを用意してください",
        ),
    )
