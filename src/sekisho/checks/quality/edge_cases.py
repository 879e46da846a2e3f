"""quality/edge-cases: whatever comes in, a finite answer or a clear refusal comes out."""

from __future__ import annotations

from typing import Final

from sekisho.checks.quality.behaviour_words import determined, known_rows, ruled
from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Finding, Verdict, holds, verdict
from sekisho.probes.quality.behaviour import Behaviour, RuleOutcome
from sekisho.probes.quality.determinism import Determinism
from sekisho.probes.quality.edge_cases import CaseKind, CounterExample, EdgeCases
from sekisho.probes.quality.hard_rows import HardRows, WrongRow
from sekisho.probes.statistics.intervals import Interval
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
    "nothing but nulls": "すべて欠損の行",
    "numbers all alike": "数値がすべて同じ行",
    "every number at its end": "数値がすべて端の行",
    "zero or negative": "ゼロ・負の値",
    "beyond 32 bits": "32ビットを超える整数",
    "another spelling": "表記の違うカテゴリー",
    "half a character": "不完全な文字（サロゲートの片割れ）",
    "renamed feature": "特徴量名の変更",
    "a name twice": "特徴量名の重複",
    "no rows": "0 行",
    "one row": "1 行",
    "two rows": "2 行",
    "many rows": "多数の行",
    "most rows": "上限いっぱいの行",
    "too many rows": "上限を超える行",
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
def edge_cases(
    contract: Contract,
    cases: EdgeCases,
    same: Determinism | None,
    behaviour: Behaviour | None,
    hard: HardRows | None,
) -> Verdict:
    """Ask that every row was answered or refused, the same way each time, and as the rules and hard rows of the contract say."""
    failures = [_failures(kind, cases) for kind in cases.kinds if kind.failed or kind.wrongly_refused]
    unseen = [kind for kind in cases.kinds if kind.kind in {"unseen category", "beyond the range"}]
    rules = () if behaviour is None else behaviour.rules
    return verdict(
        *(failures or [_all_well(cases)]),
        determined(same),
        *ruled(contract.quality, behaviour),
        *known_rows(contract.quality, hard),
        examples=cases.examples,
        failed=cases.failed,
        wrongly_refused=cases.wrongly_refused,
        refused=sum(kind.refused for kind in cases.kinds),
        unseen_answered=sum(kind.answered for kind in unseen),
        unseen_flagged=sum(kind.flagged for kind in unseen),
        through=cases.through,
        seed=cases.seed,
        rules=len(rules),
        rules_broken=sum(rule.broken > 0 for rule in rules),
        hard_rows=0 if hard is None else hard.rows,
        hard_rows_digest=None if hard is None else hard.digest,
        differing=None if same is None else same.differing + same.differing_together,
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


def _same(*, differing: int = 0) -> Determinism:
    return Determinism(
        through="service",
        rows=40,
        again=3,
        workers=2,
        differing=differing,
        differing_together=0,
        largest=0.02 if differing else 0.0,
        example='{"income": 3000}' if differing else "",
    )


def _behaviour(*, broken: int = 0, rows: int = 400) -> Behaviour:
    share = Interval(point=broken / rows, low=broken / rows, high=broken / rows + 4 / rows)
    return Behaviour(
        through="service",
        rules=(
            RuleOutcome(
                kind="monotonic",
                feature="income",
                rows=rows,
                pairs=9 * rows,
                broken=broken,
                share=share,
                on_average=True,
                largest=0.2 if broken else 0.0,
                worst="income 3000 → 4000: 0.7 → 0.5" if broken else "",
            ),
        ),
    )


def _hard(*wrong: WrongRow) -> HardRows:
    return HardRows(
        file="data/hard.csv", digest="c" * 64, rows=12, wrong=len(wrong), examples=wrong, problem="", problem_ja=""
    )


_PLAIN = example_contract()
_RULED = example_contract(quality={"rules": [{"kind": "monotonic", "feature": "income"}]})
_KNOWN = example_contract(quality={"hard_rows": "data/hard.csv"})

edge_cases.passes(_PLAIN, _cases(), _same(), None, None)
edge_cases.passes(_RULED, _cases(), _same(), _behaviour(), None)
edge_cases.passes(_KNOWN, _cases(), _same(), None, _hard())
edge_cases.fails(_PLAIN, _cases(failed=12), _same(), None, None)
edge_cases.fails(_PLAIN, _cases(failed=7, kind="unseen category", sent='"never seen before"'), _same(), None, None)
edge_cases.fails(_PLAIN, _cases(wrongly_refused=12), _same(), None, None)
edge_cases.fails(_PLAIN, _cases(), _same(differing=3), None, None)
edge_cases.fails(_RULED, _cases(), _same(), _behaviour(broken=90), None)
edge_cases.fails(_KNOWN, _cases(), _same(), None, _hard(WrongRow(row=3, wanted='"yes"', given='"no"')))
edge_cases.is_unknown(_PLAIN, _cases(), None, None, None)
edge_cases.is_unknown(_RULED, _cases(), _same(), _behaviour(rows=60), None)
edge_cases.is_unknown(_KNOWN, _cases(), _same(), None, None)
