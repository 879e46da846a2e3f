"""quality/requirements: the model is as good as was required, surely, and not by answering the majority."""

from __future__ import annotations

from typing import Final

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Finding, Status, Verdict, holds, verdict
from sekisho.probes.quality.performance import ClassRecall, Comparison, Performance
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
def requirements(contract: Contract, performance: Performance) -> Verdict:
    """Ask that the bound of the interval meets the threshold, and that the model knows more than a constant answer."""
    asked = contract.quality
    findings = [_meets(asked.threshold, asked.metric, performance), _stated(contract)]
    if performance.hides_small_classes and _is_one_sided(performance):
        # A constant answer is hard to beat by such a metric, and worth nothing: each class is looked at instead.
        findings += [_recognised(each, len(performance.recalls)) for each in performance.recalls]
    else:
        findings.append(_beats_constant(performance))
    if performance.balanced_accuracy is not None and performance.by_classes:
        findings.append(_informed(performance.balanced_accuracy, len(performance.recalls)))
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
        balanced_accuracy=None if performance.balanced_accuracy is None else performance.balanced_accuracy.point,
    )


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


def _recognised(each: ClassRecall, classes: int) -> Finding:
    recognised = each.recall.high >= 1 / classes
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


def _asked(metric: str, threshold: float | None) -> Contract:
    return example_contract(
        quality={"metric": metric, "threshold": threshold, "reason": "a missed case costs 40 times a false alarm"}
    )


requirements.passes(_asked("balanced_accuracy", 0.75), _SURE)
requirements.fails(_asked("accuracy", 0.90), _LUCKY)
requirements.fails(_asked("accuracy", 0.94), _MAJORITY)
requirements.is_unknown(_asked("balanced_accuracy", None), _SURE)
requirements.is_unknown(example_contract(quality={"metric": "balanced_accuracy", "threshold": 0.75}), _SURE)
