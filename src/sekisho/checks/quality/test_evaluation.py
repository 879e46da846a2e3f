"""quality/test-evaluation: the test set is new to the model, large enough, and holds no feature that knows the answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sekisho.contract.sections import Contract, Quality
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Finding, Verdict, holds, verdict
from sekisho.probes.quality.class_counts import ClassCount, ClassCounts
from sekisho.probes.quality.leakage import Leakage, Solo, Unavailable
from sekisho.probes.quality.origins import Origins
from sekisho.probes.quality.overlap import Near, Overlap
from sekisho.probes.statistics.intervals import Interval, Share, difference, wilson
from sekisho.probes.statistics.solo import Marker
from sekisho.text import Text

CERTAIN: Final = 0.995
"""A feature that alone scores this much leaves nothing for the others to say."""
STRONG: Final = 0.96
"""A feature that alone scores this much is a leak when the others without it are far behind."""
FAR_BEHIND: Final = 4.0
"""How many times more the others miss, for that."""
PURE: Final = 0.98
MOST_OF_A_CLASS: Final = 0.5
PART_OF_EACH: Final = 0.25
"""The share of two classes that single values answer without a mistake, from which on they were made from the label."""


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
def test_evaluation(
    contract: Contract, overlap: Overlap, counts: ClassCounts, leakage: Leakage, origins: Origins | None
) -> Verdict:
    """Judge what the test set shares with the training set, how large it is, and every feature by itself."""
    asked = contract.quality
    findings = [_overlap(asked, overlap), *_alike(asked, overlap), *_shared(asked, overlap), *_in_time(asked, overlap)]
    findings += [_made_from(origins)] if origins is not None and origins.test_set is not None else []
    findings += [_duplicates(asked, overlap), _enough(asked, counts)]
    leaks = [leak for leak in (_leak(each, leakage.metric) for each in leakage.features) if leak is not None]
    leaks += [_not_known(each) for each in leakage.unavailable]
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


# What the test set shares with the training set


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

    Where many training rows repeat one another they may have been copied before the split, and excuse nothing, unless the
    columns are so coarse that rows must repeat.
    """
    repeat = overlap.training_duplicates.fraction > asked.largest_duplication and not overlap.coarse
    if overlap.by == "identifier" or repeat:
        return 0.0
    return min(overlap.exact.fraction, wilson(overlap.by_chance, 0.95).high if overlap.by_chance.count else 0.0)


def _alike(asked: Quality, overlap: Overlap) -> list[Finding]:
    """Judge rows that are nearly a training row: in all their features, in all columns but one, or in all within a little."""
    findings, limit = [], asked.largest_overlap
    if overlap.near is not None:
        near = overlap.near
        words = Text(
            en=f"{near.test.fraction:.2%} of the test rows nearly repeat a training row; chance explains {near.training.fraction:.2%}",
            ja=f"学習行にほぼ一致するテスト行は {near.test.fraction:.2%}（偶然の一致は {near.training.fraction:.2%}）",
        )
        findings.append(holds(near.excess.low <= limit, words))
    if overlap.but_one is not None and overlap.but_one.excess.low > limit:
        near = overlap.but_one
        words = Text(
            en=f"{near.test.fraction:.2%} of the other test rows are a training row in all columns but one; chance explains "
            f"{near.training.fraction:.2%}",
            ja=f"1列以外が学習行と一致するテスト行が {near.test.fraction:.2%} あります（偶然の一致は {near.training.fraction:.2%}）",
        )
        findings.append(holds(near.excess.low <= limit, words))
    excess = _alike_in_features(asked, overlap)
    if excess > limit and overlap.features is not None:
        words = Text(
            en=f"{overlap.features.fraction:.2%} of the other test rows have all the features of a training row and another target or time",
            ja=f"特徴量がすべて学習行と同じで、正解や時刻だけが違うテスト行が {overlap.features.fraction:.2%} あります",
        )
        findings.append(holds(excess <= limit, words))
    return findings


def _alike_in_features(asked: Quality, overlap: Overlap) -> float:
    """Return how many more test rows than chance explains surely share all features with a training row, and nothing else."""
    if overlap.features is None or overlap.features_by_chance is None or overlap.later:
        return 0.0
    by_chance = overlap.features_by_chance
    if by_chance.fraction > asked.largest_duplication and not overlap.coarse_features:
        by_chance = Share(count=0, trials=by_chance.trials)
    return difference(overlap.features, by_chance, 0.95).low


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


def _in_time(asked: Quality, overlap: Overlap) -> list[Finding]:
    """Judge rows from before the end of training, and groups that stand on both sides."""
    findings, limit = [], asked.largest_overlap
    if overlap.grouped is not None:
        share = overlap.grouped
        words = Text(
            en=f"of {share.count:,} test rows ({share.fraction:.2%}) the group stands in the training set too, at most {limit:.0%} may",
            ja=f"テストの {share.count:,} 行（{share.fraction:.2%}）は同じグループが学習データにもあります（上限 {limit:.0%}）",
        )
        findings.append(holds(share.fraction <= limit, words))
    if overlap.earlier is not None and overlap.earlier.fraction > limit:
        share = overlap.earlier
        words = Text(
            en=f"{share.fraction:.2%} of the test rows are from before the last training row: the model was taught what came after them",
            ja=f"テスト行の {share.fraction:.2%} が学習データの最終時刻より前のものです。モデルはその後の出来事を学習しています",
        )
        findings.append(holds(share.fraction <= limit, words))
    return findings


def _made_from(origins: Origins) -> Finding:
    return holds(
        origins.test_set is None,
        Text(
            en=f"the artifact says that it was made from the test set itself ({origins.test_set})",
            ja=f"成果物の記録によると、テストデータそのものから作られています（{origins.test_set}）",
        ),
    )


def _duplicates(asked: Quality, overlap: Overlap) -> Finding:
    share, limit = overlap.duplicates, asked.largest_duplication
    if overlap.coarse_test and share.fraction > limit:
        return holds(
            overlap.coarse_test,
            Text(
                en=f"{share.fraction:.2%} of the test rows repeat another, as columns so coarse let expect",
                ja=f"テスト内の重複行は {share.fraction:.2%}（取り得る値が少ないため、偶然に起こる範囲です）",
            ),
        )
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
    if each.pure >= PART_OF_EACH and each.others is not None and 1 - each.others >= 2 * missed:
        return Text(
            en=f"single values of {each.feature} answer {each.pure:.0%} or more of the rows of two classes without a mistake, "
            f"as a mean of the label itself does",
            ja=f"{each.feature} の個々の値が、2つのクラスそれぞれの {each.pure:.0%} 以上を誤りなく言い当てます（正解の平均値を使った符号化など）",
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


def _not_known(each: Unavailable) -> Text:
    why = _ABSENCES[each.why]
    return Text(
        en=f"the model asks for {each.feature}, which {why.en}",
        ja=f"モデルが {each.feature} を必要としますが、{why.ja}",
    )


_ABSENCES: Final = {
    "declared": Text(
        en="data.unavailable says is not known at the moment of prediction",
        ja="data.unavailable によると予測の時点では分からない値です",
    ),
    "absent": Text(en="is no column of the production sample", ja="本番サンプルにはその列がありません"),
    "empty": Text(en="is empty in the whole production sample", ja="本番サンプルではすべて欠損しています"),
}
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
        features=_share(0, 1_000),
        features_by_chance=_share(0, 4_000),
        coarse=False,
        coarse_features=False,
        coarse_test=False,
        near=Near(
            test=_share(near, 1_000),
            training=_share(4, 1_000),
            excess=Interval(point=gap, low=gap - 0.004, high=gap + 0.004),
        ),
        but_one=None,
        set_aside=0,
        shared=_share(0, 1_000),
        grouped=None,
        later=None,
        earlier=None,
        duplicates=_share(0, 1_000),
        training_duplicates=_share(0, 4_000),
        test="0" * 64,
        training="1" * 64,
    )


def _feature(score: float, others: float | None = None) -> Leakage:
    best = Solo(feature="refund_amount", score=score, others=others, marker=None, marked=None, pure=0.0)
    return Leakage(metric="roc_auc", learned_on="training", rows=1_000, features=(best,), unavailable=(), test="0" * 64)


def _classes(fewest: int) -> ClassCounts:
    return ClassCounts(
        rows=800 + fewest,
        without_target=0,
        classes=(ClassCount(label="no", rows=800), ClassCount(label="yes", rows=fewest)),
        digest="0" * 64,
    )


_COARSE = replace(
    _tables(990), by_chance=_share(3_960, 4_000), coarse=True, coarse_features=True, coarse_test=True, near=None
)
_COARSE = replace(_COARSE, duplicates=_share(930, 1_000), training_duplicates=_share(3_930, 4_000))
_LATE = replace(_feature(0.93), unavailable=(Unavailable(feature="closing_date", why="declared"),))
_ORIGINS = Origins(named=2, test_set=None, test="0" * 64)

test_evaluation.passes(example_contract(), _tables(4), _classes(200), _feature(0.93), _ORIGINS)
test_evaluation.passes(example_contract(), _COARSE, _classes(200), _feature(0.93), None)
test_evaluation.fails(example_contract(), _tables(200), _classes(200), _feature(0.93), _ORIGINS)
test_evaluation.fails(example_contract(), _tables(4, near=150), _classes(200), _feature(0.93), None)
test_evaluation.fails(
    example_contract(),
    replace(_tables(4), by="identifier", identifier="patient", near=None, shared=_share(310, 1_000)),
    _classes(200),
    _feature(0.93),
    None,
)
test_evaluation.fails(
    example_contract(), replace(_tables(4), features=_share(180, 1_000)), _classes(200), _feature(0.93), None
)
test_evaluation.fails(
    example_contract(), replace(_tables(4), grouped=_share(420, 1_000)), _classes(200), _feature(0.93), None
)
test_evaluation.fails(
    example_contract(), replace(_tables(4), earlier=_share(1_000, 1_000)), _classes(200), _feature(0.93), None
)
test_evaluation.fails(
    example_contract(), _tables(4), _classes(200), _feature(0.93), replace(_ORIGINS, test_set="training")
)
test_evaluation.fails(example_contract(), _tables(4), _classes(12), _feature(0.93), None)
test_evaluation.fails(example_contract(), _tables(4), _classes(200), _feature(0.999, others=0.81), None)
test_evaluation.fails(example_contract(), _tables(4), _classes(200), _LATE, None)
