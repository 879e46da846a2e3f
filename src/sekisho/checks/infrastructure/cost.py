"""infrastructure/cost: what a million predictions cost is known, and within the budget."""

from __future__ import annotations

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Verdict, unknown
from sekisho.text import Text


@check(
    "infrastructure/cost",
    title=Text(en="Cost", ja="コスト"),
    why=Text(
        en="An estimate that forgets replicas, nights or another currency becomes an invoice. A service nobody can afford is switched off when it is needed.",
        ja="レプリカ数や夜間、通貨を忘れた見積もりは、請求書になって返ってきます。払えないサービスは、必要なときに止められます。",
    ),
    remedy=Text(
        en="state infrastructure.monthly_budget, keep a dated price table, and compute from measured capacity and the replicas that really run",
        ja="infrastructure.monthly_budget と日付入りの価格表を用意し、実測の処理能力と実際のレプリカ数から費用を計算してください",
    ),
)
def cost(contract: Contract) -> Verdict:
    """Say what is missing: this box is not measured yet."""
    if contract.infrastructure.monthly_budget is None:
        return unknown(
            Text(
                en="nobody has stated the budget (infrastructure.monthly_budget)",
                ja="予算（infrastructure.monthly_budget）が示されていません",
            )
        )
    return unknown(
        Text(
            en="the cost has not been computed from a dated price table and a measured capacity",
            ja="日付入りの価格表と実測の処理能力に基づく費用計算が、まだ行われていません",
        )
    )


cost.is_unknown(example_contract())
