"""Whether the probabilities that the model states come true."""

from __future__ import annotations

from dataclasses import dataclass

from sekisho.contract.sections import Quality
from sekisho.errors import NotMeasured
from sekisho.gate.probe import probe
from sekisho.probes.resources.scored import Scored
from sekisho.probes.statistics.estimates import Resampling, estimate
from sekisho.probes.statistics.intervals import Interval, wilson
from sekisho.probes.statistics.metrics import METRICS
from sekisho.probes.statistics.reliability import calibration_interval, reliability
from sekisho.text import Text


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """The rows whose stated probability lies in one tenth of the range.

    Attributes:
        stated: The mean of the stated probabilities.
        happened: How often what was stated came true.
        rows: How many rows.

    """

    stated: float
    happened: Interval
    rows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """Stated probabilities beside what happened.

    Attributes:
        of: The class that the probabilities are of; ``None``: the one that each row is held to be most probably.
        error: The expected calibration error.
        brier: The Brier score.
        claims: By tenths of the range, rising.
        rows: How many rows.
        confidence: Of the two-sided intervals.

    """

    of: str | None
    error: Interval
    brier: Interval
    claims: tuple[Claim, ...]
    rows: int
    confidence: float


@probe("quality/calibration", title=Text(en="Check the stated probabilities", ja="予測確率の較正を測定"), seconds=1)
def calibration(quality: Quality, scored: Scored) -> Calibration:
    """Measure how far stated probabilities lie from what happens.

    Raises:
        NotMeasured: The model states none.

    """
    answers = scored.answers
    if answers.probabilities is None:
        raise NotMeasured(
            Text(en="the model states no probabilities", ja="モデルが確率を返しません"),
            Text(
                en="pack a model that states them, or take quality.largest_calibration_error out",
                ja="確率を返すモデルにするか、quality.largest_calibration_error を外してください",
            ),
        )
    how = Resampling(confidence=quality.confidence, resamples=quality.resamples, seed=quality.seed)
    positive = None if answers.positive is None else str(scored.labels.classes[answers.positive])
    return Calibration(
        of=positive,
        error=calibration_interval(answers, quality.confidence),
        brier=estimate(METRICS["brier"], answers, (), how).interval,
        claims=tuple(
            Claim(stated=each.stated, happened=wilson(each.happened, quality.confidence), rows=each.happened.trials)
            for each in reliability(answers)
        ),
        rows=len(answers),
        confidence=quality.confidence,
    )
