"""What the box of production data says of single columns, of where rows come from, and of what the model made of them."""

from __future__ import annotations

from typing import Final

from sekisho.contract.sections import Contract
from sekisho.gate.verdict import Finding, holds
from sekisho.probes.quality.production_columns import ColumnChange
from sekisho.probes.quality.production_replay import ProductionReplay
from sekisho.probes.quality.production_rows import ProductionRows
from sekisho.text import Text

MOST_REFUSED: Final = 0.01
"""The share of production rows that may be refused as the caller's fault."""
MOST_SHIFT: Final = 0.1
"""The largest population stability index of scores, and the largest shift of labels."""
COPIED: Final = 0.2
"""A sample of which so many rows stand in another table is that table."""
UNTIMED: Final = 0.05
"""The share of production rows that may lack a time."""
BLOCKS: Final = 0.05
"""The share of production rows that may stand in a block that is there twice."""


def origin(rows: ProductionRows) -> list[Finding]:
    """Judge whether the rows are rows of their own."""
    findings = []
    tables = (("test", "テスト", rows.from_test), ("training", "学習", rows.from_training))
    for name, name_ja, share in tables:
        if share is not None and share > max(COPIED, 3 * rows.usual):
            words = Text(
                en=f"{share:.0%} of the production rows are rows of the {name} set: it is no sample of production",
                ja=f"本番データの {share:.0%} が{name_ja}データと同じ行で、本番の標本とは言えません",
            )
            findings.append(holds(share <= COPIED, words))
    if rows.blocks > BLOCKS or rows.repeated - rows.usually_repeated > BLOCKS:
        share = max(rows.blocks, rows.repeated)
        words = Text(
            en=f"{share:.0%} of the production rows are there more than once, of the test rows {rows.usually_repeated:.0%}",
            ja=f"本番データの {share:.0%} が重複しています（テストデータでは {rows.usually_repeated:.0%}）",
        )
        findings.append(holds(share <= BLOCKS, words))
    return findings


def timed(rows: ProductionRows, contract: Contract) -> list[Finding]:
    """Judge whether every production row says when it was, in one way of writing."""
    findings = []
    if contract.data.time is not None and rows.source == "file" and rows.timed is None:
        words = Text(
            en=f"the production sample has no column {contract.data.time!r} of times",
            ja=f"本番データに時刻の列 {contract.data.time!r} がありません",
        )
        findings.append(holds(None, words))
    elif rows.unreadable_times:
        words = Text(
            en="the times of the production sample cannot be read: write them as ISO 8601",
            ja="本番データの時刻を読めません（ISO 8601 で書いてください）",
        )
        findings.append(holds(None, words))
    elif rows.timed is not None and rows.timed < (1 - UNTIMED) * rows.rows:
        missing = 1 - rows.timed / rows.rows
        words = Text(
            en=f"{missing:.0%} of the production rows have no time, at most {UNTIMED:.0%} may lack one",
            ja=f"本番データの {missing:.0%} に時刻がありません（上限 {UNTIMED:.0%}）",
        )
        findings.append(holds(missing <= UNTIMED, words))
    if rows.zones is not None and 0.0 < rows.zones < 1.0:
        words = Text(
            en=f"{rows.zones:.0%} of the production times bear a time zone and the others none: they cannot be set side by side",
            ja=f"本番データの時刻の {rows.zones:.0%} だけにタイムゾーンがあり、互いに比べられません",
        )
        findings.append(holds(rows.zones in {0.0, 1.0}, words))
    return findings


def changed_column(change: ColumnChange) -> Finding:
    """Return what has changed in one column."""
    return holds(
        change.share == 0.0,
        Text(en=f"{change.column}: {change.seen}", ja=f"{change.column}: {change.seen_ja}"),
    )


def moved_labels(rows: ProductionRows) -> list[Finding]:
    """Judge whether labels have moved, where production has some: enough to count, and for certain."""
    shift = rows.label_shift
    if shift is None:
        return []
    moved = shift.point > MOST_SHIFT and shift.low > MOST_SHIFT / 2
    return [
        holds(
            not moved,
            Text(
                en=f"the labels of {rows.labels:,} production rows are {shift} from those of the test set, {MOST_SHIFT:g} at most is alike",
                ja=f"本番データ {rows.labels:,} 行の正解の分布はテストデータから {shift} ずれています（上限 {MOST_SHIFT:g}）",
            ),
        )
    ]


def replayed(replay: ProductionReplay | None) -> list[Finding]:
    """Return what became of production rows that were sent to the model."""
    if replay is None:
        return [
            holds(
                None,
                Text(
                    en="no production row was sent to the model: there is nobody to ask, or a feature is missing",
                    ja="本番データの行をモデルに送れませんでした（問い合わせ先がないか、特徴量が足りません）",
                ),
            )
        ]
    rows = (
        Text(en="logged requests", ja="記録済みのリクエスト")
        if replay.source == "ledger"
        else Text(en="production rows", ja="本番データの行")
    )
    came = f" ({replay.first})" if replay.first else ""
    findings = [
        holds(
            replay.failed == 0 and replay.refused <= MOST_REFUSED * replay.replayed,
            Text(
                en=f"of {replay.replayed} {rows.en} {replay.failed} failed and {replay.refused} were refused{came}",
                ja=f"{rows.ja} {replay.replayed} 件のうち、失敗 {replay.failed} 件、拒否 {replay.refused} 件{came}",
            ),
        )
    ]
    if replay.stability is not None:
        index = replay.stability
        findings.append(
            holds(
                True if index.high <= MOST_SHIFT else False if index.point > MOST_SHIFT else None,
                Text(
                    en=f"its scores are {index} from those logged for {replay.compared:,} requests (stability index), {MOST_SHIFT:g} at most",
                    ja=f"{replay.compared:,} 件の記録済みスコアとのずれ（PSI）は {index}、上限 {MOST_SHIFT:g}",
                ),
            )
        )
    return findings


def one_form(changes: list[ColumnChange]) -> Text | None:
    """Return what to do about columns that are written otherwise; ``None`` without any."""
    if not changes:
        return None
    names = ", ".join(dict.fromkeys(change.column for change in changes))
    return Text(
        en=f"bring {names} into one form at the place where production rows are made: the unit, the spelling and the mark for what is missing "
        "that the model was trained on",
        ja=f"{names} の単位・表記・欠損の表し方を、本番データを作る側で学習時と揃えてください",
    )
