"""quality/edge-cases: whatever comes in, a finite answer or a clear refusal comes out."""

from __future__ import annotations

from typing import Final

from sekisho.gate.check import check
from sekisho.gate.verdict import Finding, Verdict, holds, verdict
from sekisho.probes.quality.edge_cases import CaseKind, CounterExample, EdgeCases
from sekisho.text import Text

KINDS: Final = {
    "usual row": "通常の行",
    "every allowed null": "許された欠損すべて",
    "unknown feature": "未知の特徴量",
    "missing feature": "特徴量の欠落",
    "null, allowed": "許された欠損値",
    "null, not allowed": "許されない欠損値",
    "smallest": "最小値",
    "largest": "最大値",
    "beyond the range": "範囲外の値",
    "beyond 2^53": "2^53 を超える整数",
    "not finite": "NaN・無限大",
    "tiny or huge": "極小・極大の値",
    "no moment": "日時でない文字列",
    "known category": "既知のカテゴリー",
    "unseen category": "未知のカテゴリー",
    "wrong type": "型の誤り",
    "no rows": "0 行",
    "one row": "1 行",
    "many rows": "多数の行",
    "random row": "ランダムな行",
}
"""What is odd about a row, in Japanese."""


# The box


@check(
    "quality/edge-cases",
    title=Text(en="Edge cases", ja="エッジケースの検証"),
    why=Text(
        en="Missing values, new categories and numbers out of range come on the first day. A model that was never shown them "
        "raises, hangs or answers NaN, and one such row takes down a batch or a night's run.",
        ja="欠損値・新しいカテゴリー・範囲外の数値は、初日からやって来ます。試していないモデルは例外を出し、固まり、NaN を返し、"
        "たった1行が一括処理や夜間ジョブを丸ごと止めます。",
    ),
    remedy=Text(
        en="put imputation and encoding inside the pipeline (SimpleImputer, OneHotEncoder(handle_unknown='ignore')), or refuse "
        "such rows with 422; the report shows the rows that failed",
        ja="欠損補完とエンコードをパイプラインに含める（SimpleImputer、OneHotEncoder(handle_unknown='ignore')）か、"
        "該当する行を 422 で拒否してください。失敗した行はレポートで確認できます",
    ),
)
def edge_cases(cases: EdgeCases) -> Verdict:
    """Ask that every row was answered or refused, and that none was refused that the signature allows."""
    failures = [_failures(kind, cases) for kind in cases.kinds if kind.failed or kind.wrongly_refused]
    unseen = [kind for kind in cases.kinds if kind.kind in {"unseen category", "beyond the range"}]
    return verdict(
        *(failures or [_all_well(cases)]),
        examples=cases.examples,
        failed=cases.failed,
        wrongly_refused=cases.wrongly_refused,
        refused=sum(kind.refused for kind in cases.kinds),
        unseen_answered=sum(kind.answered for kind in unseen),
        unseen_flagged=sum(kind.flagged for kind in unseen),
        through=cases.through,
        seed=cases.seed,
    )


def _failures(kind: CaseKind, cases: EdgeCases) -> Finding:
    example = next((one for one in cases.counter_examples if one.kind == kind.kind), None)
    bad = kind.failed + kind.wrongly_refused
    seen = Text(en="", ja="")
    if example is not None:
        place = f"{example.feature} = {example.sent}" if example.feature else example.sent
        seen = Text(en=f" ({place}: {example.outcome})", ja=f"（{place}: {example.outcome}）")
    if kind.failed:
        what = Text(en="failed", ja="で失敗")
    else:
        what = Text(en="refused though the signature allows it", ja="が、入力仕様で許されているのに拒否")
    return holds(
        bad == 0,
        Text(
            en=f"{kind.kind}: {bad} of {kind.tried} {what.en}{seen.en}",
            ja=f"{KINDS.get(kind.kind, kind.kind)}: {kind.tried} 件中 {bad} 件{what.ja}{seen.ja}",
        ),
    )


def _all_well(cases: EdgeCases) -> Finding:
    answered, refused = (sum(getattr(kind, name) for kind in cases.kinds) for name in ("answered", "refused"))
    return holds(
        cases.failed + cases.wrongly_refused == 0,
        Text(
            en=f"of {cases.examples:,} odd rows {answered:,} were answered, {refused:,} refused as the caller's fault, none failed",
            ja=f"想定外の入力 {cases.examples:,} 件のうち {answered:,} 件に回答、{refused:,} 件を入力エラーとして拒否、失敗は 0 件",
        ),
    )


# How it looks


def _cases(*, failed: int = 0, wrongly_refused: int = 0, kind: str = "null, allowed", sent: str = "null") -> EdgeCases:
    bad = failed + wrongly_refused
    odd = CaseKind(
        kind=kind,
        tried=12,
        answered=12 - bad,
        refused=wrongly_refused,
        failed=failed,
        wrongly_refused=wrongly_refused,
        flagged=0,
    )
    usual = CaseKind(kind="random row", tried=988, answered=600, refused=388, failed=0, wrongly_refused=0, flagged=200)
    outcome = "HTTP 500" if failed else "HTTP 422"
    example = CounterExample(kind=kind, feature="income", sent=sent, outcome=outcome, refused=not failed)
    return EdgeCases(
        through="service",
        examples=1_000,
        seed=20_240_601,
        kinds=(odd, usual),
        counter_examples=(example,) if bad else (),
        failed=failed,
        wrongly_refused=wrongly_refused,
        nullable=3,
    )


edge_cases.passes(_cases())
edge_cases.fails(_cases(failed=12))
edge_cases.fails(_cases(failed=7, kind="unseen category", sent='"never seen before"'))
edge_cases.fails(_cases(wrongly_refused=12))
