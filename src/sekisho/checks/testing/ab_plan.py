"""testing/ab-plan: a comparison with users is planned before it starts: how many, how long, what decides."""

from __future__ import annotations

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Verdict, unknown
from sekisho.text import Text


@check(
    "testing/ab-plan",
    title=Text(en="A/B test plan", ja="A/Bテスト計画"),
    why=Text(
        en="Without a size set beforehand, a test is stopped when it looks good, and half of the winners are noise.",
        ja="事前に規模を決めていない実験は、よく見えたところで打ち切られ、「勝者」の半分はただの偶然になります。",
    ),
    remedy=Text(
        en="write hypothesis, unit, metrics, smallest effect worth finding, and the sample size that follows from them, into tests.ab_plan",
        ja="仮説・割り付け単位・指標・検出したい最小の効果と、そこから決まる標本数を tests.ab_plan に書いてください",
    ),
)
def ab_plan(contract: Contract) -> Verdict:
    """Say what is missing: this box is not measured yet."""
    if contract.tests.ab_plan is None:
        return unknown(Text(en="no plan is named (tests.ab_plan)", ja="計画書（tests.ab_plan）が指定されていません"))
    return unknown(
        Text(
            en=f"the sample size in {contract.tests.ab_plan} has not been computed again from the measured traffic",
            ja=f"{contract.tests.ab_plan} の標本数を、実測のトラフィックから計算し直していません",
        )
    )


ab_plan.is_unknown(example_contract())
