"""quality/fairness: groups that must be treated alike are, as far as the rows can show."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from math import ceil
from typing import Final

from sekisho.contract.sections import Contract
from sekisho.gate.attestations import Attestations
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Finding, Verdict, holds, verdict
from sekisho.probes.quality.fairness import Fairness, Gap, GroupRate, Proxy
from sekisho.probes.quality.fairness_reports import FairnessReport, FairnessReports
from sekisho.probes.statistics.intervals import Interval
from sekisho.text import Text

BOX: Final = "quality/fairness"
LONGEST_DAYS: Final = 366
"""A statement that no protected attribute applies is looked at again after a year."""
MOST_UNLABELLED: Final = 0.2
"""With more rows of unknown group, the groups that are known do not speak for all."""
NONE_APPLIES: Final = Text(en="no protected attribute applies", ja="保護属性に該当するものがない")
LESS_OFTEN: Final = frozenset({"selection_rate", "true_positive_rate"})
WORSE: Final = frozenset({"error", "calibration"})
FOUR_FIFTHS: Final = 0.8
"""29 CFR § 1607.4(D): a selection rate under four fifths of the highest is taken as adverse impact."""


# The box


@check(
    "quality/fairness",
    title=Text(en="Bias and fairness", ja="バイアスと公平性"),
    why=Text(
        en="A model that is good on average can be bad for one group of people, and nobody sees it in an average. It harms "
        "them, and the law in many places asks who checked.",
        ja="平均的には優秀なモデルでも、特定の人々にだけ不利に働くことがあり、平均値からは見えません。"
        "当事者の不利益になるだけでなく、多くの国で確認の責任が問われます。",
    ),
    remedy=Text(
        en="name the attributes, the notions and the reason under [fairness] (or have somebody sign off, and another review, why none applies); "
        "for a real gap look at the data of the group, at proxies of the attribute, and at thresholds",
        ja="[fairness] に属性・公平性の定義・その理由を指定してください（該当する属性がない場合は、その理由を別の人の確認を経て承認してください）。"
        "実際に差がある場合は、そのグループのデータ、属性の代理になっている特徴量、判定閾値を見直してください",
    ),
)
def fairness(
    contract: Contract, fairness: Fairness, reports: FairnessReports | None, attestations: Attestations
) -> Verdict:
    """Judge the widest gap of every attribute and notion by its bound, and whose model the reports speak of."""
    asked = contract.fairness
    limit, chance = asked.largest_gap, 1 - fairness.confidence
    if fairness.attributes:
        findings = [_stated(contract)]
        findings += [_gap(each, limit, chance) for each in fairness.gaps] or [_nothing_scored(fairness)]
        findings += [found for each in fairness.gaps if (found := _ratio(each, chance)) is not None]
        findings += _unlabelled(fairness)
    else:
        findings = [_none_applies(attestations)]
    if reports is not None:
        findings += [finding for finding in (_subject(report, reports) for report in reports.reports) if finding]
    worst = max(fairness.gaps, key=lambda each: each.gap.point, default=None)
    telling = [proxy for proxy in fairness.proxies if proxy.explained > asked.proxy_threshold]
    findings += [_named(telling)] if telling else []
    return verdict(
        *findings,
        remedy=_remedy(telling),
        largest_gap=limit,
        worst_gap=None if worst is None else worst.gap.point,
        worst_bound=max((each.largest_bound for each in fairness.gaps), default=None),
        worst=None if worst is None else f"{worst.notion}: {worst.attribute}, {worst.higher} / {worst.lower}",
        not_scored=len(fairness.not_scored),
        proxies=", ".join(f"{proxy.feature}→{proxy.attribute} {proxy.explained:.2f}" for proxy in telling) or None,
        rows=fairness.rows,
    )


def _stated(contract: Contract) -> Finding:
    reason = contract.fairness.reason
    if reason is None:
        return holds(
            None,
            Text(
                en="nobody has stated why these attributes and notions are the right ones (fairness.reason)",
                ja="この属性と定義を選んだ理由（fairness.reason）が書かれていません",
            ),
        )
    return holds(bool(reason), Text(en=f"chosen because: {reason}", ja=f"選定の理由: {reason}"))


def _gap(each: Gap, limit: float, chance: float) -> Finding:
    name = f"{each.notion}, {each.attribute}"
    harm = _harm(each)
    seen = Text(
        en=f"{name}: {each.higher} is {each.gap} above {each.lower}{harm.en}",
        ja=f"{name}: {each.higher} と {each.lower} の差は {each.gap}{harm.ja}",
    )
    if each.gap.point > limit and each.p_value < chance:
        words = Text(en=f"{seen.en}, more than {limit:g}", ja=f"{seen.ja}、上限 {limit:g} を超えています")
        return holds(each.gap.point <= limit, words)
    if each.largest_bound > limit:
        wanted = _rows_wanted(each, limit)
        return holds(
            None,
            Text(
                en=f"{name}: the rows cannot show that every gap is within {limit:g} ({each.least_sure}: up to {each.largest_bound:.3g}"
                f"{wanted.en})",
                ja=f"{name}: 差が {limit:g} 以内だと言い切るには行が足りません（{each.least_sure}: 最大 {each.largest_bound:.3g}"
                f"{wanted.ja}）",
            ),
        )
    return holds(
        each.largest_bound <= limit,
        Text(
            en=f"{seen.en}; surely within {limit:g}",
            ja=f"{seen.ja}、確かに {limit:g} 以内です",
        ),
    )


def _harm(each: Gap) -> Text:
    """Return whom a gap is against, where the notion says so by itself."""
    kind = each.notion.partition(" ")[0]
    if kind in LESS_OFTEN:
        return Text(
            en=f", to the disadvantage of {each.lower} where the answer is wanted",
            ja=f"（望ましい判定なら {each.lower} に不利）",
        )
    if kind in WORSE:
        return Text(en=f", to the disadvantage of {each.higher}", ja=f"（{each.higher} に不利）")
    return Text(en="", ja="")


def _rows_wanted(each: Gap, limit: float) -> Text:
    """Return about how many rows of the smaller group could show it: intervals shrink with the root of the rows."""
    if each.least_point >= limit:
        return Text(en="", ja="")
    rows = ceil(each.least_rows * ((each.largest_bound - each.least_point) / (limit - each.least_point)) ** 2)
    return Text(
        en=f"; about {rows:,} rows of the smaller group instead of {each.least_rows:,} could",
        ja=f"、小さい方のグループに約 {rows:,} 行必要（現在 {each.least_rows:,} 行）",
    )


def _unlabelled(fairness: Fairness) -> list[Finding]:
    return [
        holds(
            None,
            Text(
                en=f"{attribute} is not known of {share:.0%} of the rows: the groups that are known do not speak for all",
                ja=f"{share:.0%} の行で {attribute} が不明なため、分かっているグループだけでは判断できません",
            ),
        )
        for attribute, share in fairness.unlabelled
        if share > MOST_UNLABELLED
    ]


def _none_applies(attestations: Attestations) -> Finding:
    """Return whether somebody has stated, and somebody else reviewed within a year, that there is nothing to compare."""
    signed = attestations.of(BOX)
    if signed is None:
        return holds(
            None,
            Text(
                en="nobody has said which attributes must be treated alike (fairness.attributes), nor signed off that none applies",
                ja="公平に扱うべき属性（fairness.attributes）の指定も、該当する属性がないことの承認もありません",
            ),
        )
    days = (signed.statement.expires - signed.statement.issued).days
    if days > LONGEST_DAYS:
        return holds(
            None,
            Text(
                en=f"{NONE_APPLIES.en}: the statement counts for {days} days, a year at most is allowed",
                ja=f"{NONE_APPLIES.ja}: 承認の有効期間が {days} 日です（最長1年）",
            ),
        )
    return attestations.finding(BOX, NONE_APPLIES)


def _named(telling: list[Proxy]) -> Finding:
    names = ", ".join(f"{proxy.feature} ({proxy.attribute} {proxy.explained:.2f})" for proxy in telling[:4])
    return holds(
        bool(telling),
        Text(en=f"features that stand in for an attribute: {names}", ja=f"属性の代理になり得る特徴量: {names}"),
    )


def _ratio(each: Gap, chance: float) -> Finding | None:
    """Return whether the lowest rate is four fifths of the highest, where the rows leave that open or deny it."""
    if each.ratio is None or each.smallest_ratio is None or each.smallest_ratio >= FOUR_FIFTHS:
        return None
    if each.ratio.point >= FOUR_FIFTHS or each.p_value >= chance:
        if " [" in each.notion:
            return None  # one class of several: the rule speaks of being selected or not
        return holds(
            None,
            Text(
                en=f"{each.attribute}: the rows cannot show that every group is selected four fifths as often ({each.notion}, down to "
                f"{each.smallest_ratio:.3g})",
                ja=f"{each.attribute}: どのグループの選択率も5分の4以上だと言い切るには行が足りません（{each.notion}、最小 "
                f"{each.smallest_ratio:.3g}）",
            ),
        )
    return holds(
        each.ratio.point >= FOUR_FIFTHS,
        Text(
            en=f"{each.attribute}: {each.lower} is selected {each.ratio} times as often as {each.higher}, less than four fifths",
            ja=f"{each.attribute}: {each.lower} の選択率は {each.higher} の {each.ratio} 倍で、5分の4を下回っています",
        ),
    )


def _nothing_scored(fairness: Fairness) -> Finding:
    few = ", ".join(fairness.not_scored[:4])
    return holds(
        None,
        Text(
            en=f"no two groups have enough rows to be compared ({few})",
            ja=f"比較できるだけの行を持つグループが2つありません（{few}）",
        ),
    )


def _subject(report: FairnessReport, reports: FairnessReports) -> Finding | None:
    """Return whether a report speaks of the model at hand; ``None`` when it names none."""
    if report.digests:
        same = bool(set(report.digests) & set(reports.model))
        named = report.digests[0][:12]
    elif report.version is not None and reports.version is not None:
        same, named = report.version == reports.version, report.version
    else:
        return None
    if same:
        words = Text(en=f"{report.file} speaks of this model", ja=f"{report.file} はこのモデルについての報告です")
    else:
        words = Text(
            en=f"{report.file} speaks of another model ({named}), not of this one",
            ja=f"{report.file} は別のモデル（{named}）についての報告で、このモデルのものではありません",
        )
    return holds(same, words)


def _remedy(telling: list[Proxy]) -> Text | None:
    if not telling:
        return None
    names = ", ".join(f"{proxy.feature} ({proxy.attribute})" for proxy in telling[:3])
    return Text(
        en=f"look at the features that stand in for an attribute: {names}; then at the data of the group and at thresholds",
        ja=f"属性の代理になり得る特徴量（{names}）を確認し、続いてそのグループのデータと判定閾値を見直してください",
    )


# How it looks


def _measured(higher: float, lower: float, reach: float, *, p_value: float) -> Fairness:
    point, ratio = higher - lower, lower / higher
    gap = Gap(
        attribute="sex",
        notion="selection_rate",
        higher="male",
        lower="female",
        gap=Interval(point=point, low=point - reach, high=point + reach),
        ratio=Interval(point=ratio, low=ratio - reach, high=ratio + reach),
        p_value=p_value,
        largest_bound=point + reach,
        least_sure="male / female",
        least_point=point,
        least_rows=2_000,
        smallest_ratio=ratio - reach,
    )
    rates = tuple(
        GroupRate(
            attribute="sex",
            notion="selection_rate",
            group=group,
            rows=2_000,
            rate=Interval(point=rate, low=rate - reach, high=rate + reach),
        )
        for group, rate in (("male", higher), ("female", lower))
    )
    return Fairness(
        attributes=("sex",),
        rows=4_000,
        source="artifact",
        confidence=0.95,
        rates=rates,
        gaps=(gap,),
        not_scored=(),
        proxies=(Proxy(attribute="sex", feature="height", explained=0.4),),
        unit=None,
        unlabelled=(("sex", 0.0),),
    )


def _reports(digest: str) -> FairnessReports:
    report = FairnessReport(file="reports/fairness.json", digests=(digest,), version=None)
    return FairnessReports(reports=(report,), model=("a" * 64,), version="1.0.0")


def _attested(*, days: int | None = None) -> Attestations:
    statement = {
        "box": BOX,
        "statement": "the rows are machines, not people",
        "author": "the data team",
        "reviewer": "the risk team",
        "artifact": "a" * 64,
        "issued": dt.date(2026, 11, 1),
        "expires": dt.date(2026, 11, 1) + dt.timedelta(days=days or 0),
    }
    contract = example_contract(sign_offs=[] if days is None else [statement])
    return Attestations(contract=contract, artifact="a" * 64, today=dt.date(2026, 11, 2))


_ASKED = example_contract(fairness={"attributes": ["sex"], "reason": "equal access to credit"})
_ALIKE, _UNLIKE = _measured(0.60, 0.558, 0.03, p_value=0.3), _measured(0.60, 0.30, 0.03, p_value=1e-9)

_RARE = replace(_ALIKE, gaps=(replace(_ALIKE.gaps[0], smallest_ratio=0.6),))
_MACHINES = replace(_ALIKE, attributes=(), gaps=(), proxies=(), unlabelled=())

fairness.passes(_ASKED, _ALIKE, None, _attested())
fairness.passes(_ASKED, _ALIKE, _reports("a" * 64), _attested())
fairness.passes(example_contract(), _MACHINES, None, _attested(days=365))
fairness.fails(_ASKED, _UNLIKE, None, _attested())
fairness.fails(_ASKED, _ALIKE, _reports("b" * 64), _attested())
fairness.is_unknown(_ASKED, _measured(0.60, 0.558, 0.15, p_value=0.3), None, _attested())
fairness.is_unknown(_ASKED, _RARE, None, _attested())
fairness.is_unknown(_ASKED, replace(_ALIKE, unlabelled=(("sex", 0.4),)), None, _attested())
fairness.is_unknown(example_contract(fairness={"attributes": ["sex"]}), _ALIKE, None, _attested())
fairness.is_unknown(example_contract(), _MACHINES, None, _attested())
fairness.is_unknown(example_contract(), _MACHINES, None, _attested(days=800))
