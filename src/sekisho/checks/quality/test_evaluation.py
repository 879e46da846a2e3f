"""quality/test-evaluation: the test set is new to the model, large enough, and holds no feature that knows the answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sekisho.contract.sections import Contract, Quality
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Finding, Verdict, holds, verdict
from sekisho.probes.quality.class_counts import ClassCount, ClassCounts
from sekisho.probes.quality.leakage import Leakage, Solo
from sekisho.probes.quality.overlap import Near, Overlap
from sekisho.probes.statistics.intervals import Interval, Share, wilson
from sekisho.probes.statistics.solo import Marker
from sekisho.text import Text

CERTAIN: Final = 0.995
"""A feature that alone scores this much leaves nothing for the others to say."""
STRONG: Final = 0.95
"""A feature that alone scores this much is a leak when the others without it are far behind."""
FAR_BEHIND: Final = 4.0
"""How many times more the others miss, for that."""
PURE: Final = 0.98
MOST_OF_A_CLASS: Final = 0.5


# The box


@check(
    "quality/test-evaluation",
    title=Text(en="Evaluated on test data", ja="テストデータで評価済み"),
    why=Text(
        en="Rows that the model has learned by heart, and features that are made from the label, make a test shine that says "
        "nothing about tomorrow. Both are found in production, when it is too late.",
        ja="学習済みの行や、正解ラベルから作られた特徴量が混ざったテストは、将来の性能について何も語らないまま見事な数字を出します。"
        "気づくのは本番投入後、手遅れになってからです。",
    ),
    remedy=Text(
        en="split again by identifier before anything else is done to the rows, drop features that are not known at the moment of "
        "prediction, and train and test anew",
        ja="他の加工より先に識別子単位で分割し直し、予測時点で分からない特徴量を除いてから、学習と評価をやり直してください",
    ),
)
def test_evaluation(contract: Contract, overlap: Overlap, counts: ClassCounts, leakage: Leakage) -> Verdict:
    """Judge what the test set shares with the training set, how large it is, and every feature by itself."""
    asked = contract.quality
    findings = [_overlap(asked, overlap), *_near(asked, overlap), *_shared(asked, overlap)]
    findings += [_duplicates(asked, overlap), _enough(asked, counts)]
    leaks = [leak for leak in (_leak(each, leakage.metric) for each in leakage.features) if leak is not None]
    findings += [holds(not leaks, leak) for leak in leaks] or [_no_leak(leakage)]
    best = leakage.features[0] if leakage.features else None
    return verdict(
        *findings,
        remedy=_remedy(overlap, asked),
        overlap=overlap.exact.fraction,
        duplicates=overlap.duplicates.fraction,
        test_rows=overlap.test_rows,
        training_rows=overlap.training_rows,
        smallest_class=min((each.rows for each in counts.classes), default=counts.rows),
        best_feature=None if best is None else best.feature,
        best_feature_score=None if best is None else best.score,
    )


def _overlap(asked: Quality, overlap: Overlap) -> Finding:
    share, limit = overlap.exact, asked.largest_overlap
    more = Text(en="", ja="")
    if overlap.set_aside:
        more = Text(
            en=f"; {overlap.set_aside:,} more look alike but have another {overlap.identifier}",
            ja=f"。ほかに見た目が同じでも {overlap.identifier} の異なる行が {overlap.set_aside:,} 件",
        )
    elif _by_chance(asked, overlap):
        more = Text(
            en=f"; {_by_chance(asked, overlap):.2%} of such rows look alike by chance",
            ja=f"。偶然の一致として {_by_chance(asked, overlap):.2%} は起こり得ます",
        )
    return holds(
        share.fraction - _by_chance(asked, overlap) <= limit,
        Text(
            en=f"{share.count:,} of {share.trials:,} test rows ({share.fraction:.2%}) stand in the training set, "
            f"at most {limit:.0%} may{more.en}",
            ja=f"テスト {share.trials:,} 行のうち {share.count:,} 行（{share.fraction:.2%}）が学習データにも存在"
            f"（上限 {limit:.0%}）{more.ja}",
        ),
    )


def _by_chance(asked: Quality, overlap: Overlap) -> float:
    """Return the share of test rows that may look like a training row by chance, as training rows do among themselves.

    Where many training rows repeat one another they may have been copied before the split, and excuse nothing.
    """
    if overlap.by == "identifier" or overlap.training_duplicates.fraction > asked.largest_duplication:
        return 0.0
    return min(overlap.exact.fraction, wilson(overlap.by_chance, 0.95).high if overlap.by_chance.count else 0.0)


def _near(asked: Quality, overlap: Overlap) -> list[Finding]:
    if overlap.near is None:
        return []
    near, limit = overlap.near, asked.largest_overlap
    return [
        holds(
            near.excess.low <= limit,
            Text(
                en=f"{near.test.fraction:.2%} of the test rows nearly repeat a training row; chance explains {near.training.fraction:.2%}",
                ja=f"学習行にほぼ一致するテスト行は {near.test.fraction:.2%}（偶然の一致は {near.training.fraction:.2%}）",
            ),
        )
    ]


def _shared(asked: Quality, overlap: Overlap) -> list[Finding]:
    """Judge cases that were seen in training with other values: only later rows of them are new to the model."""
    share, limit = overlap.shared, asked.largest_overlap
    if not share.count or overlap.later:
        return []
    return [
        holds(
            share.fraction <= limit,
            Text(
                en=f"of {share.count:,} test rows ({share.fraction:.2%}) the {overlap.identifier} stands in the training set too, "
                f"at most {limit:.0%} may unless they are later",
                ja=f"テストの {share.count:,} 行（{share.fraction:.2%}）は {overlap.identifier} が学習データにもあります"
                f"（上限 {limit:.0%}、後の期間の行なら可）",
            ),
        )
    ]


def _duplicates(asked: Quality, overlap: Overlap) -> Finding:
    share, limit = overlap.duplicates, asked.largest_duplication
    return holds(
        share.fraction <= limit,
        Text(
            en=f"{share.fraction:.2%} of the test rows repeat another, at most {limit:.0%} may",
            ja=f"テスト内の重複行は {share.fraction:.2%}（上限 {limit:.0%}）",
        ),
    )


def _enough(asked: Quality, counts: ClassCounts) -> Finding:
    least = asked.smallest_class
    if not counts.classes:
        return holds(
            counts.rows >= least,
            Text(
                en=f"the test set has {counts.rows:,} rows, {least} are needed",
                ja=f"テストデータは {counts.rows:,} 行（必要数 {least}）",
            ),
        )
    small = [each for each in counts.classes if each.rows < least]
    if small:
        few = ", ".join(f"{each.label}: {each.rows}" for each in small[:5])
        words = Text(
            en=f"too few test rows of a class ({few}); {least} are needed",
            ja=f"テスト行が足りないクラスがあります（{few}、各 {least} 行必要）",
        )
    else:
        fewest = counts.classes[-1]
        words = Text(
            en=f"every class has {least} test rows or more (fewest: {fewest.label} with {fewest.rows:,})",
            ja=f"どのクラスもテストデータが {least} 行以上（最少は {fewest.label} の {fewest.rows:,} 行）",
        )
    return holds(not small, words)


def _leak(each: Solo, metric: str) -> Text | None:
    """Return why one feature must be a leak; ``None`` when it may be a strong feature."""
    missed = 1 - each.score
    if each.score >= CERTAIN and (each.others is None or 1 - each.others >= 2 * missed):
        return Text(
            en=f"{each.feature} alone answers the target ({metric} {each.score:.3f})",
            ja=f"{each.feature} だけで正解が分かってしまいます（{metric} {each.score:.3f}）",
        )
    if each.others is not None and each.score >= STRONG and 1 - each.others >= FAR_BEHIND * missed:
        return Text(
            en=f"{each.feature} alone reaches {metric} {each.score:.3f}, all other features together {each.others:.3f}",
            ja=f"{each.feature} 単独の {metric} が {each.score:.3f} で、残り全部を合わせた {each.others:.3f} を大きく上回ります",
        )
    if each.marker is not None and _gives_away(each.marker):
        sign = _SIGNS[each.marker.sign]
        return Text(
            en=f"where {each.feature} {sign.en}, {each.marker.pure.fraction:.1%} of the rows are {each.marked}, "
            f"which is {each.marker.covered.fraction:.0%} of that class",
            ja=f"{each.feature} が{sign.ja}行の {each.marker.pure.fraction:.1%} が {each.marked} で、"
            f"このクラスの {each.marker.covered.fraction:.0%} に当たります",
        )
    return None


_SIGNS: Final = {
    "missing": Text(en="is missing", ja="欠損している"),
    "present": Text(en="is present", ja="存在する"),
    "usual": Text(en="has its usual value", ja="最頻値である"),
    "unusual": Text(en="has any but its usual value", ja="最頻値でない"),
}


def _gives_away(marker: Marker) -> bool:
    """Return whether a sign that is there or not gives away most of a class that is not most of all rows."""
    return (
        marker.pure.trials >= 30
        and marker.pure.fraction >= PURE
        and marker.covered.fraction >= MOST_OF_A_CLASS
        and marker.minority
    )


def _no_leak(leakage: Leakage) -> Finding:
    if not leakage.features:
        return holds(None, Text(en="no feature could be judged", ja="判定できる特徴量がありません"))
    best = leakage.features[0]
    return holds(
        bool(best),
        Text(
            en=f"no feature gives the answer away (best: {best.feature}, {leakage.metric} {best.score:.3f})",
            ja=f"正解が漏れている特徴量はありません（最大は {best.feature}、{leakage.metric} {best.score:.3f}）",
        ),
    )


def _remedy(overlap: Overlap, asked: Quality) -> Text | None:
    shares = max(
        overlap.exact.fraction - asked.largest_overlap, overlap.duplicates.fraction - asked.largest_duplication
    )
    if shares > 0 and overlap.by == "content":
        return Text(
            en="split again so that no row stands on both sides; if alike rows are different cases, name the column that tells "
            "them apart in data.identifier",
            ja="同じ行が両側に入らないよう分割し直してください。同じ値でも別の事例なら、区別する列を data.identifier に指定してください",
        )
    return None


# How it looks


def _share(count: int, trials: int) -> Share:
    return Share(count=count, trials=trials)


def _tables(copied: int, near: int = 2) -> Overlap:
    gap = (near - 4) / 1_000
    return Overlap(
        test_rows=1_000,
        training_rows=4_000,
        columns=("age", "income", "churn"),
        by="content",
        identifier=None,
        exact=_share(copied, 1_000),
        by_chance=_share(0, 4_000),
        near=Near(
            test=_share(near, 1_000),
            training=_share(4, 1_000),
            excess=Interval(point=gap, low=gap - 0.004, high=gap + 0.004),
        ),
        set_aside=0,
        shared=_share(0, 1_000),
        later=None,
        duplicates=_share(0, 1_000),
        training_duplicates=_share(0, 4_000),
        test="0" * 64,
        training="1" * 64,
    )


def _feature(score: float, others: float | None = None) -> Leakage:
    best = Solo(feature="refund_amount", score=score, others=others, marker=None, marked=None)
    return Leakage(metric="roc_auc", learned_on="training", rows=1_000, features=(best,), test="0" * 64)


def _classes(fewest: int) -> ClassCounts:
    return ClassCounts(
        rows=800 + fewest,
        without_target=0,
        classes=(ClassCount(label="no", rows=800), ClassCount(label="yes", rows=fewest)),
        digest="0" * 64,
    )


test_evaluation.passes(example_contract(), _tables(4), _classes(200), _feature(0.93))
test_evaluation.fails(example_contract(), _tables(200), _classes(200), _feature(0.93))
test_evaluation.fails(example_contract(), _tables(4, near=150), _classes(200), _feature(0.93))
test_evaluation.fails(
    example_contract(),
    replace(_tables(4), by="identifier", identifier="patient", near=None, shared=_share(310, 1_000)),
    _classes(200),
    _feature(0.93),
)
test_evaluation.fails(example_contract(), _tables(4), _classes(12), _feature(0.93))
test_evaluation.fails(example_contract(), _tables(4), _classes(200), _feature(0.999, others=0.81))
