"""quality/production-data: the model was validated on rows like those it will meet."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Final

from sekisho.checks.quality.production_words import changed_column, moved_labels, one_form, origin, replayed, timed
from sekisho.contract.sections import Contract
from sekisho.gate.attestations import Attestations
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Finding, Verdict, holds, verdict
from sekisho.probes.quality.production_columns import ColumnChange, ProductionColumns
from sekisho.probes.quality.production_gap import Period, ProductionGap
from sekisho.probes.quality.production_replay import ProductionReplay
from sekisho.probes.quality.production_rows import ProductionRows
from sekisho.probes.statistics.intervals import Interval
from sekisho.text import Text

BOX: Final = "quality/production-data"
TELLING: Final = 0.6
"""Tables that are told apart with a larger area under the curve are not of one kind."""
FEWEST: Final = 100
"""Fewer rows than this cannot show that two tables are alike."""
SHOWN: Final = 4

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
        en="name a recent sample of production rows in data.production (or let the service keep its book of predictions), the time column in "
        "data.time, and in data.production_window which rows it holds and how they were drawn; validate on rows later than all training rows",
        ja="最近の本番データの標本を data.production に（またはサービスの予測台帳を使い）、時刻の列を data.time に、どの行をどう抽出したかを "
        "data.production_window に指定し、学習データより後の期間で検証してください",
    ),
)
def production_data(
    contract: Contract,
    gap: ProductionGap,
    columns: ProductionColumns,
    rows: ProductionRows,
    replay: ProductionReplay | None,
    attestations: Attestations,
) -> Verdict:
    """Judge where the sample is from, how old the test set is, whether both look alike, and what the model says of production rows."""
    logged = rows.source == "ledger" or gap.production is not None
    spoken_for = not logged and contract.data.time is None and attestations.finding(BOX, DRAWN).status == "pass"
    findings = [_window(contract, attestations, logged=logged)]
    findings += [] if spoken_for else [_later(gap), *_ages(gap, contract, attestations.today)]
    findings += [*origin(rows), *timed(rows, contract)]
    findings.append(_alike("test", gap.test_told, gap))
    findings += [_alike("training", gap.training_told, gap)] if gap.training_told is not None else []
    findings += [changed_column(change) for change in columns.changes[:SHOWN]]
    findings += moved_labels(rows)
    findings += replayed(replay)
    units = [
        change for change in columns.changes if change.kind in {"unit", "encoding", "spelling", "format", "null code"}
    ]
    return verdict(
        *findings,
        remedy=one_form(units),
        age_days=gap.age_days,
        production_rows=gap.rows,
        test_told=gap.test_told.point,
        test_told_high=gap.test_told.high,
        training_told=None if gap.training_told is None else gap.training_told.point,
        most_telling=gap.telling[0][0] if gap.telling else None,
        changed_columns=", ".join(dict.fromkeys(change.column for change in columns.changes)) or None,
        replayed=None if replay is None else replay.replayed,
        failed=None if replay is None else replay.failed,
        refused=None if replay is None else replay.refused,
        score_stability=None if replay is None or replay.stability is None else replay.stability.point,
        label_shift=None if rows.label_shift is None else rows.label_shift.point,
    )


def _window(contract: Contract, attestations: Attestations, *, logged: bool) -> Finding:
    """Return whether somebody has stated what the sample is: the contract where a log or times back it, else a signed statement.

    A table cannot say of itself that it is like production.
    """
    window = contract.data.production_window
    if logged and window is not None:
        return holds(bool(window), Text(en=f"production is: {window}", ja=f"本番とみなすデータ: {window}"))
    signed = attestations.finding(BOX, DRAWN)
    if signed.status == "pass" or not logged:
        return signed
    return holds(
        None,
        Text(
            en="nobody has stated which rows are like production and how they were drawn (data.production_window)",
            ja="どの行を本番相当とみなし、どう抽出したかが書かれていません（data.production_window）",
        ),
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


def _ages(gap: ProductionGap, contract: Contract, today: dt.date) -> list[Finding]:
    """Judge how old the test set is beside production, and production beside today."""
    if gap.age_days is None or gap.test is None or gap.production is None:
        return [
            holds(
                None,
                Text(
                    en="how old the test set is is not known (data.time)",
                    ja="テストデータの古さが分かりません（data.time）",
                ),
            )
        ]
    most, now = contract.data.largest_age_days, contract.data.as_of or today
    behind = (now - dt.date.fromisoformat(gap.production.last)).days
    findings = [
        holds(
            gap.age_days <= most,
            Text(
                en=f"the test set ends on {gap.test.last}, production on {gap.production.last}: {gap.age_days:,.0f} days apart, "
                f"at most {most:.0f} may be",
                ja=f"テストデータは {gap.test.last} まで、本番は {gap.production.last} まで: 差は {gap.age_days:,.0f} 日"
                f"（上限 {most:.0f} 日）",
            ),
        )
    ]
    if behind > most:
        words = Text(
            en=f"the production sample ends on {gap.production.last}, {behind:,} days before {now}: at most {most:.0f} may be",
            ja=f"本番データは {gap.production.last} までで、{now} より {behind:,} 日前です（上限 {most:.0f} 日）",
        )
        findings.append(holds(behind <= most, words))
    if behind < -1:
        words = Text(
            en=f"the production sample holds rows of the future: until {gap.production.last}, and today is {now}",
            ja=f"本番データに未来の行があります（{gap.production.last} まで、今日は {now}）",
        )
        findings.append(holds(behind >= -1, words))
    return findings


def _alike(which: str, told: Interval, gap: ProductionGap) -> Finding:
    names = {"test": Text(en="test", ja="テスト"), "training": Text(en="training", ja="学習")}[which]
    if told.point <= TELLING and (told.high > TELLING or min(gap.rows, gap.test_rows) < FEWEST):
        few = min(gap.rows, gap.test_rows)
        return holds(
            None,
            Text(
                en=f"{few} rows are too few to show that the {names.en} set and production are alike (area {told})",
                ja=f"{few} 行では、{names.ja}データと本番データが同質だと言い切れません（AUC {told}）",
            ),
        )
    alike = told.high <= TELLING
    most = f" ({', '.join(name for name, _ in gap.telling[:3])})" if not alike and which == "test" else ""
    return holds(
        alike,
        Text(
            en=f"the {names.en} set is told from production with an area of {told}, {TELLING:g} at most is alike{most}",
            ja=f"{names.ja}データと本番データの見分けやすさ（AUC）は {told}、上限 {TELLING:g}{most}",
        ),
    )


# How it looks


def _gap(*, age_days: float = 31.0, told: float = 0.52, rows: int = 2_000) -> ProductionGap:
    return ProductionGap(
        training=Period(first="2025-01-01", last="2026-06-30"),
        test=Period(first="2026-07-01", last="2026-09-30"),
        production=Period(first="2026-10-01", last="2026-10-31"),
        test_after_training=True,
        age_days=age_days,
        test_told=Interval(point=told, low=told - 0.02, high=told + 0.02),
        training_told=None,
        telling=(("income", told),),
        rows=rows,
        test_rows=2_000,
    )


def _rows(*, from_test: float = 0.0, timed: int | None = 2_000) -> ProductionRows:
    return ProductionRows(
        rows=2_000,
        source="file",
        from_training=0.0,
        from_test=from_test,
        usual=0.0,
        repeated=0.0,
        usually_repeated=0.0,
        blocks=0.0,
        timed=timed,
        unreadable_times=False,
        zones=None,
        labels=0,
        label_shift=None,
    )


def _sent(*, failed: int = 0) -> ProductionReplay:
    return ProductionReplay(
        through="service",
        source="file",
        replayed=300,
        failed=failed,
        refused=0,
        flagged=3,
        first="HTTP 500" if failed else "",
        compared=0,
        stability=None,
        changed=None,
    )


def _attested(*, signed: bool = False) -> Attestations:
    statement = {
        "box": BOX,
        "statement": "every hundredth request of October, drawn by the gateway",
        "author": "the data team",
        "reviewer": "the risk team",
        "artifact": "a" * 64,
        "issued": dt.date(2026, 11, 1),
        "expires": dt.date(2027, 11, 1),
    }
    contract = example_contract(sign_offs=[statement] if signed else [])
    return Attestations(contract=contract, artifact="a" * 64, today=dt.date(2026, 11, 2))


_STATED = example_contract(data={"time": "at", "production_window": "every hundredth request of October"})
_SAME = ProductionColumns(columns=3, changes=())
_CENTS = ColumnChange(
    column="income", kind="unit", seen="times 100: whole currency to cents", seen_ja="100倍", share=1.0
)
_UNTIMED = replace(_gap(), production=None, test_after_training=None, age_days=None)

production_data.passes(_STATED, _gap(), _SAME, _rows(), _sent(), _attested())
production_data.passes(example_contract(), _UNTIMED, _SAME, _rows(timed=None), _sent(), _attested(signed=True))
production_data.fails(_STATED, _gap(age_days=730.0), _SAME, _rows(), _sent(), _attested())
production_data.fails(_STATED, _gap(told=0.78), _SAME, _rows(), _sent(), _attested())
production_data.fails(_STATED, _gap(), ProductionColumns(columns=3, changes=(_CENTS,)), _rows(), _sent(), _attested())
production_data.fails(_STATED, _gap(), _SAME, _rows(from_test=0.98), _sent(), _attested())
production_data.fails(_STATED, _gap(), _SAME, _rows(), _sent(failed=4), _attested())
production_data.is_unknown(_STATED, _gap(rows=40), _SAME, _rows(), _sent(), _attested())
production_data.is_unknown(_STATED, _UNTIMED, _SAME, _rows(timed=None), _sent(), _attested())
production_data.is_unknown(example_contract(), _gap(), _SAME, _rows(), _sent(), _attested())
