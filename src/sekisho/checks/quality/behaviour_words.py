"""What the box of edge cases says of answers that must be the same, follow a rule, or be right."""

from __future__ import annotations

from typing import Final

from sekisho.contract.sections import Quality, Rule
from sekisho.gate.verdict import Finding, holds
from sekisho.probes.quality.behaviour import Behaviour, RuleOutcome
from sekisho.probes.quality.determinism import Determinism
from sekisho.probes.quality.hard_rows import HardRows
from sekisho.text import Text

KINDS: Final = {
    "monotonic": Text(en="must move one way with", ja="と同じ向きに動くべき"),
    "invariant": Text(en="must not follow", ja="によって変わってはならない"),
    "scale": Text(en="must scale with", ja="に比例すべき"),
    "additive": Text(en="must rise in step with", ja="に合わせて増えるべき"),
}


def determined(same: Determinism | None) -> Finding:
    """Return whether the same row gets the same answer."""
    if same is None:
        return holds(
            None,
            Text(en="nobody has asked for the same row twice", ja="同じ行を繰り返し推論できませんでした"),
        )
    if same.differing:
        return holds(
            same.differing == 0,
            Text(
                en=f"{same.differing} of {same.rows} rows get another answer when asked for again ({same.example})",
                ja=f"同じ行を聞き直すと、{same.rows} 行中 {same.differing} 行で答えが変わります（{same.example}）",
            ),
        )
    return holds(
        same.differing_together == 0,
        Text(
            en=f"{same.rows} rows were asked for {same.again} times, in a batch and in another order: "
            f"{same.differing_together} got another answer {same.example}".rstrip(),
            ja=f"{same.rows} 行を {same.again} 回ずつ、一括や順序を変えても推論: 答えが変わったのは {same.differing_together} 行 "
            f"{same.example}".rstrip(),
        ),
    )


def ruled(quality: Quality, behaviour: Behaviour | None) -> list[Finding]:
    """Return whether each rule of the contract holds."""
    if not quality.rules:
        return []
    if behaviour is None:
        return [
            holds(
                None,
                Text(
                    en="the rules of the contract could not be tested: data.test and somebody to ask are needed",
                    ja="契約の規則を試験できません（data.test と問い合わせ先が必要です）",
                ),
            )
        ]
    return [_rule(rule, outcome) for rule, outcome in zip(quality.rules, behaviour.rules, strict=True)]


def _rule(rule: Rule, outcome: RuleOutcome) -> Finding:
    what = Text(
        en=f"the answer {KINDS[rule.kind].en} {rule.feature}", ja=f"答えは {rule.feature} {KINDS[rule.kind].ja}"
    )
    if outcome.problem:
        return holds(None, Text(en=f"{what.en}: {outcome.problem}", ja=f"{what.ja}: {outcome.problem_ja}"))
    worst = f" ({outcome.worst})" if outcome.worst else ""
    seen = Text(
        en=f"{what.en}: {outcome.broken} of {outcome.rows} rows break it, a share of {outcome.share}, "
        f"{rule.largest_share:g} at most{worst}",
        ja=f"{what.ja}: {outcome.rows} 行中 {outcome.broken} 行が違反（割合 {outcome.share}、上限 {rule.largest_share:g}）{worst}",
    )
    broken = outcome.share.point > rule.largest_share or outcome.on_average is False
    if not broken and outcome.share.high > rule.largest_share:
        return holds(None, Text(en=f"{seen.en}: too few rows to be sure", ja=f"{seen.ja}。確かめるには行が足りません"))
    return holds(not broken, seen)


def known_rows(quality: Quality, hard: HardRows | None) -> list[Finding]:
    """Return whether every hard row was answered right."""
    if quality.hard_rows is None:
        return []
    if hard is None or hard.problem:
        why = Text(en="there is nobody to ask", ja="問い合わせ先がありません")
        if hard is not None:
            why = Text(en=hard.problem, ja=hard.problem_ja)
        return [
            holds(
                None,
                Text(
                    en=f"the hard rows of {quality.hard_rows} were not asked for: {why.en}",
                    ja=f"{quality.hard_rows} の難しい行を推論できません: {why.ja}",
                ),
            )
        ]
    first = hard.examples[0] if hard.examples else None
    example = "" if first is None else f" (row {first.row}: {first.given}, not {first.wanted})"
    example_ja = "" if first is None else f"（{first.row} 行目: 正解 {first.wanted}、答え {first.given}）"
    right = hard.rows - hard.wrong
    return [
        holds(
            hard.wrong == 0,
            Text(
                en=f"{right} of {hard.rows} hard rows ({hard.digest[:12]}) were answered right{example}",
                ja=f"難しい行 {hard.rows} 行（{hard.digest[:12]}）のうち {right} 行に正答{example_ja}",
            ),
        )
    ]
