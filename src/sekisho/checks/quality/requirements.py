"""quality/requirements: the model is as good as was required, surely, and not by answering the majority."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sekisho.checks.quality.comparisons import against, calibrated, outdone, plain_models, weak_parts
from sekisho.contract.sections import Contract, Quality, Requirement
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Finding, Status, Verdict, holds, verdict
from sekisho.probes.quality.calibration import Calibration, Claim
from sekisho.probes.quality.champion import AgainstChampion
from sekisho.probes.quality.performance import Baseline, ClassRecall, Comparison, Further, Performance
from sekisho.probes.quality.slices import Slice, Slices
from sekisho.probes.statistics.intervals import Interval
from sekisho.text import Text

ONE_SIDED: Final = 0.6
"""How far the share of the largest class may lie from an equal share to one, before accuracy alone proves nothing."""


# The box


@check(
    "quality/requirements",
    title=Text(en="Performance meets the requirement", ja="性能が要件を満たしている"),
    why=Text(
        en="A score on a few rows can be luck, and a high accuracy can come from answering the majority every time. Who decides "
        "that a model goes live needs to know what it will at least reach, and that it beats answering blindly.",
        ja="少ない行数での高スコアは偶然かもしれず、高い正解率は多数派を答え続けただけでも得られます。"
        "本番投入の判断には「少なくともどこまで出るか」と「何も見ずに答えるより良いこと」の裏付けが必要です。",
    ),
    remedy=Text(
        en="improve the model or test it on more rows; state quality.metric, quality.threshold and quality.reason in sekisho.toml",
        ja="モデルを改善するか、テストデータを増やしてください。指標・基準値・その理由は sekisho.toml の "
        "quality.metric、quality.threshold、quality.reason に書きます",
    ),
)
def requirements(
    contract: Contract,
    performance: Performance,
    slices: Slices | None,
    calibration: Calibration | None,
    champion: AgainstChampion | None,
) -> Verdict:
    """Ask that the bound of each interval meets its threshold, and that the model knows more than plain answers.

    All that is required must hold at once, so that no correction is due: a model that fails one requirement passes the box no more often
    than it passes that one (R. L. Berger, Technometrics 24, 1982). What the search for weak parts finds is corrected for the
    search.
    """
    asked = contract.quality
    findings = [_meets(asked.threshold, asked.metric, performance), _stated(contract)]
    findings += [_further(each.threshold, found) for each, found in _further_asked(asked, performance)]
    findings += _classes(asked, performance)
    lower = performance.lower_is_better
    plain = plain_models(performance)
    findings += [outdone(name, one, lower_is_better=lower) for name, one in plain if one is not None]
    findings += against(asked, champion)
    findings += weak_parts(asked, performance, slices)
    findings += calibrated(asked, calibration)
    weakest = None if slices is None else next((each for each in slices.slices if each.score is not None), None)
    return verdict(
        *findings,
        remedy=_remedy(asked.threshold, performance),
        metric=performance.metric,
        score=performance.score.point,
        low=performance.score.low,
        high=performance.score.high,
        threshold=asked.threshold,
        rows=performance.rows,
        constant=performance.dummy.score,
        linear=None if performance.linear is None else performance.linear.score,
        tree=None if performance.tree is None else performance.tree.score,
        champion=None if champion is None else champion.score,
        balanced_accuracy=None if performance.balanced_accuracy is None else performance.balanced_accuracy.point,
        weakest_slice=None if weakest is None else weakest.name,
        weakest_slice_score=None if weakest is None or weakest.score is None else weakest.score.point,
        calibration_error=None if calibration is None else calibration.error.point,
    )


def _further_asked(asked: Quality, performance: Performance) -> list[tuple[Requirement, Further]]:
    return list(zip(asked.requirements, performance.further, strict=True))


def _further(threshold: float, found: Further) -> Finding:
    met = found.score.high <= threshold if found.lower_is_better else found.score.low >= threshold
    side = Text(en="at most", ja="以下") if found.lower_is_better else Text(en="at least", ja="以上")
    return holds(
        met,
        Text(
            en=f"{found.metric} is {found.score}; the whole interval must be {side.en} {threshold:g}",
            ja=f"{found.metric} は {found.score}。要件は区間全体が {threshold:g} {side.ja}",
        ),
    )


# What each class has to say


def _classes(asked: Quality, performance: Performance) -> list[Finding]:
    """Judge what a constant answer reaches, and each class where the metric can hide one."""
    several, least = len(performance.recalls), asked.class_minimum
    findings = []
    if performance.hides_small_classes and _is_one_sided(performance):
        # A constant answer is hard to beat by such a metric, and worth nothing: each class is looked at instead.
        findings += [_recognised(each, 1 / several) for each in performance.recalls]
    else:
        findings += [] if _is_idle(performance) else [_beats_constant(performance)]
        if performance.hides_small_classes:
            lost = [_recognised(each, 0.5 / several) for each in performance.recalls]
            findings += [finding for finding in lost if finding.status is Status.FAIL]
    if least is not None:
        findings += [_reaches(each, least) for each in performance.recalls]
    if performance.balanced_accuracy is not None and performance.by_classes:
        findings.append(_informed(performance.balanced_accuracy, several))
    return findings


def _is_idle(performance: Performance) -> bool:
    """Return whether a constant answer is perfect by the metric, as by the recall of the larger class: nothing can beat it there."""
    return performance.by_classes and performance.dummy.score == (0.0 if performance.lower_is_better else 1.0)


def _reaches(each: ClassRecall, least: float) -> Finding:
    return holds(
        each.recall.low >= least,
        Text(
            en=f"of class {each.label} it recognises {each.recall}; every class must surely reach {least:g}",
            ja=f"クラス {each.label} の再現率は {each.recall}。どのクラスも区間全体が {least:g} 以上である必要があります",
        ),
    )


# What is required


def _stated(contract: Contract) -> Finding:
    asked = contract.quality
    stated = {"metric": asked.metric, "threshold": asked.threshold, "reason": asked.reason}
    missing = ", ".join(f"quality.{name}" for name, value in stated.items() if value is None)
    if missing:
        return holds(None, Text(en=f"nobody has stated {missing}", ja=f"{missing} が指定されていません"))
    return holds(not missing, Text(en=f"required because: {asked.reason}", ja=f"要件の理由: {asked.reason}"))


def _meets(threshold: float | None, metric: str | None, performance: Performance) -> Finding:
    name, score, percent = performance.metric, performance.score, performance.confidence * 100
    seen = Text(
        en=f"{name} is {score} at {percent:g} % on {performance.rows:,} rows",
        ja=f"{name} は {score}（信頼度 {percent:g} %、{performance.rows:,} 行）",
    )
    if threshold is None or metric is None:
        return holds(None, seen)
    met = score.high <= threshold if performance.lower_is_better else score.low >= threshold
    side = Text(en="at most", ja="以下") if performance.lower_is_better else Text(en="at least", ja="以上")
    luck = Text(en="", ja="")
    if not met and _point_meets(threshold, performance):
        luck = Text(
            en="; the figure itself meets it, which on so few rows can be luck",
            ja="。点推定は基準を満たしますが、この行数では偶然の可能性があります",
        )
    return holds(
        met,
        Text(
            en=f"{seen.en}; the whole interval must be {side.en} {threshold:g}{luck.en}",
            ja=f"{seen.ja}。要件は区間全体が {threshold:g} {side.ja}{luck.ja}",
        ),
    )


def _point_meets(threshold: float, performance: Performance) -> bool:
    point = performance.score.point
    return point <= threshold if performance.lower_is_better else point >= threshold


def _beats_constant(performance: Performance) -> Finding:
    name, score, gap = performance.metric, performance.dummy.score, performance.dummy.difference
    better = gap.high < 0 if performance.lower_is_better else gap.low > 0
    if better:
        words = Text(
            en=f"a constant answer reaches {score:.3g}; the difference is {gap}",
            ja=f"定数予測の {name} は {score:.3g}、差は {gap}",
        )
    else:
        words = Text(
            en=f"it is not surely better than a constant answer: {name} {score:.3g}, difference {gap}",
            ja=f"定数予測（{name} {score:.3g}）より良いとは言えません（差 {gap}）",
        )
    return holds(better, words)


def _informed(balanced: Interval, classes: int) -> Finding:
    """Judge the mean recall, which a constant answer cannot raise above chance however rare a class is."""
    chance = 1 / classes
    informed = balanced.low > chance
    if informed:
        words = Text(
            en=f"its balanced accuracy is {balanced}, by chance it would be {chance:.3g}",
            ja=f"バランス正解率は {balanced}（偶然なら {chance:.3g}）",
        )
    else:
        words = Text(
            en=f"it tells the classes no better apart than a constant answer: balanced accuracy {balanced}, by chance {chance:.3g}",
            ja=f"クラスを見分ける力が定数予測と変わりません（バランス正解率 {balanced}、偶然なら {chance:.3g}）",
        )
    return holds(informed, words)


def _is_one_sided(performance: Performance) -> bool:
    if not performance.recalls:
        return False
    largest = max(each.rows for each in performance.recalls) / sum(each.rows for each in performance.recalls)
    equal = 1 / len(performance.recalls)
    return largest >= equal + ONE_SIDED * (1 - equal)


def _recognised(each: ClassRecall, least: float) -> Finding:
    recognised = each.recall.high >= least
    if recognised:
        words = Text(
            en=f"of class {each.label} it recognises {each.recall}",
            ja=f"クラス {each.label} の再現率は {each.recall}",
        )
    else:
        words = Text(
            en=f"the score is carried by the majority: of class {each.label} ({each.rows:,} rows) only {each.recall} are recognised",
            ja=f"スコアは多数派だけで稼いだものです。クラス {each.label}（{each.rows:,} 行）の再現率は {each.recall} しかありません",
        )
    return holds(recognised, words)


def _remedy(threshold: float | None, performance: Performance) -> Text | None:
    if threshold is not None and _meets(threshold, performance.metric, performance).status is Status.FAIL:
        room = abs(performance.score.point - threshold)
        half = (performance.score.high - performance.score.low) / 2
        if _point_meets(threshold, performance) and room > 0:
            needed = round(performance.rows * (half / room) ** 2 * 1.1, -1)
            return Text(
                en=f"test on more rows: about {needed:,.0f} would show it, if the score stays",
                ja=f"テストデータを増やしてください。スコアが変わらなければ約 {needed:,.0f} 行で示せます",
            )
    if performance.hides_small_classes and _is_one_sided(performance):
        return Text(
            en="judge rare classes by balanced_accuracy, average_precision or recall, and train for them (class weights, threshold)",
            ja="少数クラスを balanced_accuracy、average_precision、recall などで評価し、クラスの重みや判定閾値を見直してください",
        )
    return None


# How it looks


def _performance(
    metric: str, score: Interval, *, rows: int, recalls: tuple[ClassRecall, ...], dummy: float
) -> Performance:
    halves = [(each.recall.low, each.recall.point, each.recall.high) for each in recalls]
    low, point, high = (sum(column) / len(recalls) for column in zip(*halves, strict=True))
    gap = Interval(point=score.point - dummy, low=score.low - dummy, high=score.high - dummy)
    return Performance(
        metric=metric,
        lower_is_better=False,
        hides_small_classes=metric == "accuracy",
        score=score,
        method="score interval",
        confidence=0.95,
        resamples=2_000,
        seed=1,
        rows=rows,
        source="artifact",
        by_classes=True,
        recalls=recalls,
        balanced_accuracy=Interval(point=point, low=low, high=high),
        dummy=Comparison(score=dummy, difference=gap),
        linear=None,
        tree=None,
        further=(),
        quantiles=(score.low, score.point, score.high),
    )


def _recall(label: str, rows: int, low: float, point: float, high: float) -> ClassRecall:
    return ClassRecall(label=label, rows=rows, recall=Interval(point=point, low=low, high=high))


_SURE = _performance(
    "balanced_accuracy",
    Interval(point=0.80, low=0.77, high=0.83),
    rows=4_000,
    recalls=(_recall("no", 3_800, 0.79, 0.80, 0.81), _recall("yes", 200, 0.74, 0.80, 0.85)),
    dummy=0.5,
)
_LUCKY = _performance(
    "accuracy",
    Interval(point=0.90, low=0.77, high=0.96),
    rows=40,
    recalls=(_recall("no", 20, 0.70, 0.90, 0.97), _recall("yes", 20, 0.70, 0.90, 0.97)),
    dummy=0.5,
)
_MAJORITY = _performance(
    "accuracy",
    Interval(point=0.951, low=0.944, high=0.957),
    rows=4_000,
    recalls=(_recall("no", 3_800, 0.997, 0.999, 1.0), _recall("yes", 200, 0.02, 0.04, 0.08)),
    dummy=0.95,
)


_BEATEN = replace(
    _SURE,
    linear=Baseline(
        score=0.90,
        difference=Interval(point=-0.10, low=-0.12, high=-0.08),
        balanced_accuracy=Interval(point=-0.10, low=-0.12, high=-0.08),
    ),
)


def _weak(name: str, score: Interval, *, rows: int = 400, uninformed: bool = False) -> Slices:
    return Slices(
        metric="balanced_accuracy",
        lower_is_better=False,
        confidence=0.99375,
        looked_at=310,
        searched_rows=2_000,
        shown_rows=2_000,
        slices=(Slice(name=name, declared=False, rows=rows, score=score, uninformed=uninformed),),
    )


_MILD = _weak("region = north", Interval(point=0.74, low=0.66, high=0.81))
_BLIND = _weak("region = north, age 18–25", Interval(point=0.31, low=0.22, high=0.42), uninformed=True)


def _beside(low: float, high: float) -> AgainstChampion:
    return AgainstChampion(
        place="artifacts/champion",
        digest="0" * 64,
        metric="balanced_accuracy",
        lower_is_better=False,
        score=0.80,
        difference=Interval(point=(low + high) / 2, low=low, high=high),
        rows=4_000,
    )


def _claims(point: float, high: float) -> Calibration:
    return Calibration(
        of="yes",
        error=Interval(point=point, low=0.0, high=high),
        brier=Interval(point=0.12, low=0.11, high=0.13),
        claims=(
            Claim(stated=0.12, happened=Interval(point=0.11, low=0.09, high=0.13), rows=2_100),
            Claim(stated=0.86, happened=Interval(point=0.86 - point, low=0.82 - point, high=0.89 - point), rows=1_900),
        ),
        rows=4_000,
        confidence=0.95,
    )


def _asked(metric: str, threshold: float | None, **more: object) -> Contract:
    stated = {"metric": metric, "threshold": threshold, "reason": "a missed case costs 40 times a false alarm"}
    return example_contract(quality=stated | more)


_LIVE = _asked("balanced_accuracy", 0.75, champion="artifacts/champion")
_CALIBRATED = _asked("balanced_accuracy", 0.75, largest_calibration_error=0.05)

requirements.passes(_asked("balanced_accuracy", 0.75), _SURE, _MILD, _claims(0.02, 0.03), None)
requirements.passes(_LIVE, _SURE, _MILD, None, _beside(-0.004, 0.02))
requirements.passes(_CALIBRATED, _SURE, _MILD, _claims(0.02, 0.03), None)
requirements.fails(_asked("accuracy", 0.90), _LUCKY, None, None, None)
requirements.fails(_asked("accuracy", 0.94), _MAJORITY, None, None, None)
requirements.fails(_asked("balanced_accuracy", 0.75), _BEATEN, _MILD, None, None)
requirements.fails(_LIVE, _SURE, _MILD, None, _beside(-0.03, 0.01))
requirements.fails(_asked("balanced_accuracy", 0.75), _SURE, _BLIND, None, None)
requirements.fails(_asked("balanced_accuracy", 0.75, slice_minimum=0.85), _SURE, _MILD, None, None)
requirements.fails(_CALIBRATED, _SURE, _MILD, _claims(0.08, 0.10), None)
requirements.is_unknown(_LIVE, _SURE, _MILD, None, None)
requirements.is_unknown(_asked("balanced_accuracy", None), _SURE, None, None, None)
requirements.is_unknown(
    example_contract(quality={"metric": "balanced_accuracy", "threshold": 0.75}), _SURE, None, None, None
)
