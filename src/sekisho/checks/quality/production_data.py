"""quality/production-data: the model was validated on rows like those it will meet."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Final

from sekisho.gate.attestations import Attestations
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Finding, Verdict, holds, verdict
from sekisho.probes.quality.production_gap import Period, ProductionGap
from sekisho.probes.statistics.intervals import Interval
from sekisho.text import Text

TELLING: Final = 0.6
"""Tables that are told apart with a larger area under the curve are not of one kind."""
OLDEST_DAYS: Final = 366.0
"""A test set that ends longer than this before the production sample is too old."""
MOST_REFUSED: Final = 0.01
"""The share of production rows that may be refused as the caller's fault."""

DRAWN: Final = Text(en="how the production sample was drawn", ja="本番データの標本の取り方")


# The box


@check(
    "quality/production-data",
    title=Text(en="Validated on production-equivalent data", ja="本番相当データで検証済み"),
    why=Text(
        en="A test set from two years ago, or from another channel, says how good the model was, not how good it will be. The world "
        "moves on between training and launch.",
        ja="2年前のデータや別の経路で集めたデータでの評価は、過去の性能しか示しません。学習から本番投入までの間にも世の中は変わります。",
    ),
    remedy=Text(
        en="name a recent sample of production rows in data.production and the time column in data.time, validate on rows later "
        "than all training rows, and sign off how the sample was drawn",
        ja="最近の本番データの標本を data.production に、時刻の列を data.time に指定し、学習データより後の期間で検証したうえで、標本の取り方に承認を得てください",
    ),
)
def production_data(gap: ProductionGap, attestations: Attestations) -> Verdict:
    """Judge how old the test set is, whether it looks like production, and what the model says of production rows.

    A table cannot say of itself that it is like production: somebody states how it was drawn.
    """
    findings = [_later(gap), _age(gap), _alike("test", gap.test_told, gap)]
    findings += [_alike("training", gap.training_told, gap)] if gap.training_told is not None else []
    findings.append(_replay(gap))
    findings.append(attestations.finding("quality/production-data", DRAWN))
    return verdict(
        *findings,
        age_days=gap.age_days,
        test_told=gap.test_told.point,
        test_told_high=gap.test_told.high,
        training_told=None if gap.training_told is None else gap.training_told.point,
        most_telling=gap.telling[0][0] if gap.telling else None,
        replayed=gap.replayed,
        failed=gap.failed,
        refused=gap.refused,
    )


def _later(gap: ProductionGap) -> Finding:
    if gap.test_after_training is None or gap.training is None or gap.test is None:
        return holds(
            None,
            Text(
                en="whether the test rows are later than the training rows is not known (data.time)",
                ja="テストデータが学習データより後のものか分かりません（data.time）",
            ),
        )
    if gap.test_after_training:
        return holds(
            gap.test_after_training,
            Text(
                en=f"every test row is later than the training rows, which end on {gap.training.last}",
                ja=f"テストデータはすべて、学習データの最終日 {gap.training.last} より後のものです",
            ),
        )
    # Rows of the same time are honest rows; they only do not show whether the model holds later.
    return holds(
        None,
        Text(
            en=f"test rows begin on {gap.test.first}, training rows end on {gap.training.last}: nobody has tried later rows",
            ja=f"テストデータは {gap.test.first} から、学習データは {gap.training.last} までで、後の期間では試していません",
        ),
    )


def _age(gap: ProductionGap) -> Finding:
    if gap.age_days is None or gap.test is None or gap.production is None:
        return holds(
            None,
            Text(
                en="how old the test set is is not known (data.time)",
                ja="テストデータの古さが分かりません（data.time）",
            ),
        )
    return holds(
        gap.age_days <= OLDEST_DAYS,
        Text(
            en=f"the test set ends on {gap.test.last}, production on {gap.production.last}: {gap.age_days:,.0f} days apart, "
            f"at most {OLDEST_DAYS:.0f} may be",
            ja=f"テストデータは {gap.test.last} まで、本番は {gap.production.last} まで: 差は {gap.age_days:,.0f} 日"
            f"（上限 {OLDEST_DAYS:.0f} 日）",
        ),
    )


def _alike(which: str, told: Interval, gap: ProductionGap) -> Finding:
    names = {"test": Text(en="test", ja="テスト"), "training": Text(en="training", ja="学習")}[which]
    alike = told.high <= TELLING
    most = f" ({', '.join(name for name, _ in gap.telling[:3])})" if not alike and which == "test" else ""
    return holds(
        alike,
        Text(
            en=f"the {names.en} set is told from production with an area of {told}, {TELLING:g} at most is alike{most}",
            ja=f"{names.ja}データと本番データの見分けやすさ（AUC）は {told}、上限 {TELLING:g}{most}",
        ),
    )


def _replay(gap: ProductionGap) -> Finding:
    if gap.replayed is None:
        return holds(
            None,
            Text(
                en="no production row was sent to the model: there is nobody to ask, or a feature is missing",
                ja="本番データの行をモデルに送れませんでした（問い合わせ先がないか、特徴量が足りません）",
            ),
        )
    return holds(
        gap.failed == 0 and gap.refused <= MOST_REFUSED * gap.replayed,
        Text(
            en=f"of {gap.replayed} production rows {gap.failed} failed and {gap.refused} were refused",
            ja=f"本番データ {gap.replayed} 行のうち、失敗 {gap.failed} 件、拒否 {gap.refused} 件",
        ),
    )


# How it looks


def _gap(*, age_days: float = 31.0, told: float = 0.52, failed: int = 0) -> ProductionGap:
    return ProductionGap(
        training=Period(first="2025-01-01", last="2026-06-30"),
        test=Period(first="2026-07-01", last="2026-09-30"),
        production=Period(first="2026-10-01", last="2026-10-31"),
        test_after_training=True,
        age_days=age_days,
        test_told=Interval(point=told, low=told - 0.02, high=told + 0.02),
        training_told=None,
        telling=(("income", told),),
        replayed=300,
        failed=failed,
        refused=0,
        rows=2_000,
    )


def _signed(*, signed: bool = True) -> Attestations:
    statement = {
        "box": "quality/production-data",
        "statement": "every hundredth request of October, drawn by the gateway",
        "author": "the data team",
        "reviewer": "the risk team",
        "artifact": "a" * 64,
        "issued": dt.date(2026, 11, 1),
        "expires": dt.date(2027, 11, 1),
    }
    contract = example_contract(sign_offs=[statement] if signed else [])
    return Attestations(contract=contract, artifact="a" * 64, today=dt.date(2026, 11, 2))


production_data.passes(_gap(), _signed())
production_data.fails(_gap(age_days=730.0), _signed())
production_data.fails(_gap(told=0.78), _signed())
production_data.fails(_gap(failed=4), _signed())
production_data.is_unknown(replace(_gap(), test_after_training=None, age_days=None), _signed())
production_data.is_unknown(_gap(), _signed(signed=False))
