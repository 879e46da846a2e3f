"""What quality/requirements asks of a model beside its score: other models, parts of the test set, stated probabilities."""

from __future__ import annotations

from typing import Final

from sekisho.contract.sections import Quality
from sekisho.gate.verdict import Finding, holds
from sekisho.probes.quality.calibration import Calibration
from sekisho.probes.quality.champion import AgainstChampion
from sekisho.probes.quality.performance import Baseline, Performance
from sekisho.probes.quality.slices import Slice, Slices
from sekisho.text import Text

OUTDONE: Final = 0.05
"""A plain model that is surely better by this fraction of its score makes the real one hard to justify."""
SHOWN: Final = 3
"""How many weak parts are named in one sentence."""


# Plain models


def plain_models(performance: Performance) -> tuple[tuple[Text, Baseline | None], ...]:
    """Return the plain models that were measured, each with its name."""
    return (
        (Text(en="a linear model", ja="線形モデル"), performance.linear),
        (Text(en="a tree of eight leaves", ja="葉が8枚の決定木"), performance.tree),
    )


def outdone(name: Text, plain: Baseline, *, lower_is_better: bool) -> Finding:
    """Judge whether a plain model on the same features is surely and much better.

    Of classes it must be so by balanced accuracy too: a mere other cut moves one score up and another down.
    """
    gap, room = plain.difference, OUTDONE * abs(plain.score)
    behind = gap.low > room if lower_is_better else gap.high < -room
    if behind and plain.balanced_accuracy is not None:
        behind = plain.balanced_accuracy.high < 0
    if behind:
        words = Text(
            en=f"{name.en} on the same features is surely better: {plain.score:.3g}, difference {gap}",
            ja=f"同じ特徴量を使った{name.ja}のほうが明らかに優れています（{plain.score:.3g}、差 {gap}）",
        )
    else:
        words = Text(
            en=f"{name.en} on the same features reaches {plain.score:.3g}; the difference is {gap}",
            ja=f"同じ特徴量を使った{name.ja}は {plain.score:.3g}、差は {gap}",
        )
    return holds(not behind, words)


# The model that is live


def against(asked: Quality, champion: AgainstChampion | None) -> list[Finding]:
    """Judge the model not worse than the champion: the bound of the difference stays within a fraction of its score."""
    if asked.champion is None:
        return []
    if champion is None:
        return [
            holds(
                None,
                Text(
                    en=f"the champion {asked.champion} could not be compared on these rows",
                    ja=f"稼働中のモデル {asked.champion} を同じ行で比較できませんでした",
                ),
            )
        ]
    gap, room = champion.difference, asked.largest_loss_to_champion * abs(champion.score)
    holds_up = gap.high <= room if champion.lower_is_better else gap.low >= -room
    within = f"{asked.largest_loss_to_champion:.1%}"
    if holds_up:
        words = Text(
            en=f"it is not worse than the champion ({champion.score:.3g}) by more than {within}: difference {gap}",
            ja=f"稼働中のモデル（{champion.score:.3g}）からの低下は {within} 以内です（差 {gap}）",
        )
    else:
        words = Text(
            en=f"it may be worse than the champion ({champion.score:.3g}) by more than {within}: difference {gap}",
            ja=f"稼働中のモデル（{champion.score:.3g}）より {within} を超えて劣る可能性があります（差 {gap}）",
        )
    return [holds(holds_up, words)]


# Parts of the test set


def weak_parts(asked: Quality, performance: Performance, slices: Slices | None) -> list[Finding]:
    """Judge declared parts by the bound that must hold, and found ones by what is surely wrong with them."""
    named = bool(asked.slices) or asked.slice_minimum is not None or asked.largest_slice_loss is not None
    if slices is None:
        if not named:
            return []
        words = Text(en="the slices could not be measured", ja="部分集合を測定できませんでした")
        return [holds(None, words)]
    findings = [
        holds(
            None,
            Text(
                en=f"the slice {each.name} has too few rows to be judged ({each.rows})",
                ja=f"部分集合 {each.name} は行数が足りず判定できません（{each.rows} 行）",
            ),
        )
        for each in slices.slices
        if each.declared and each.score is None and named
    ]
    weak = [each for each in slices.slices if _is_weak(each, asked, performance)]
    if weak:
        shown = "; ".join(f"{each.name}: {each.score} (n={each.rows:,})" for each in weak[:SHOWN])
        words = Text(
            en=f"{slices.metric} is surely too weak where {shown}; on all rows it is {performance.score.point:.3g}",
            ja=f"{slices.metric} が弱すぎる部分集合があります（{shown}、全体は {performance.score.point:.3g}）",
        )
        return [*findings, holds(not weak, words)]
    return [*findings, holds(not weak, _weakest(slices))]


def _is_weak(each: Slice, asked: Quality, performance: Performance) -> bool:
    if each.uninformed:
        return True
    if each.score is None:
        return False
    lower, score, whole = performance.lower_is_better, each.score, performance.score
    least, loss = asked.slice_minimum, asked.largest_slice_loss
    if least is not None:
        # A declared part must surely meet the floor; a found one must not surely miss it.
        bound = (score.high if lower else score.low) if each.declared else (score.low if lower else score.high)
        if bound > least if lower else bound < least:
            return True
    if loss is None:
        return False
    return score.low > whole.high + loss * abs(whole.high) if lower else score.high < whole.low - loss * abs(whole.low)


def _weakest(slices: Slices) -> Text:
    scored = [each for each in slices.slices if each.score is not None]
    if not scored:
        return Text(
            en=f"no weak slice was found among {slices.looked_at:,}",
            ja=f"{slices.looked_at:,} 個の部分集合から弱いものは見つかりませんでした",
        )
    worst = scored[0]
    return Text(
        en=f"of {slices.looked_at:,} slices the weakest is {worst.name}: {worst.score} (n={worst.rows:,})",
        ja=f"{slices.looked_at:,} 個の部分集合のうち最も弱いのは {worst.name} で {worst.score}（{worst.rows:,} 行）",
    )


# Stated probabilities


def calibrated(asked: Quality, calibration: Calibration | None) -> list[Finding]:
    """Judge how far stated probabilities are off, where the contract says how far they may be."""
    limit = asked.largest_calibration_error
    if limit is None:
        return []
    if calibration is None:
        words = Text(en="the calibration could not be measured", ja="較正を測定できませんでした")
        return [holds(None, words)]
    error = calibration.error
    return [
        holds(
            error.high <= limit,
            Text(
                en=f"stated probabilities are off by {error} on average, at most {limit:g} is allowed",
                ja=f"予測確率の平均的なずれは {error}（上限 {limit:g}）",
            ),
        )
    ]
