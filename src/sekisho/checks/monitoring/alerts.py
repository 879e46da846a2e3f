"""monitoring/alerts: somebody is called when it matters, and only then."""

from __future__ import annotations

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Verdict, unknown
from sekisho.text import Text


@check(
    "monitoring/alerts",
    title=Text(en="Alerts", ja="アラート"),
    why=Text(
        en="A rule on a metric that does not exist never fires, and nobody notices its silence. A rule that fires daily is switched off.",
        ja="存在しないメトリクスに対するルールは決して発火せず、その沈黙に誰も気づきません。毎日鳴るルールは、やがて切られます。",
    ),
    remedy=Text(
        en="generate the rules with sekisho generate alerts, try each with an injected fault, and state monitoring.on_call",
        ja="sekisho generate alerts でルールを作り、障害を注入して一つずつ発火を確かめ、monitoring.on_call に担当を書いてください",
    ),
)
def alerts(contract: Contract) -> Verdict:
    """Say what is missing: this box is not measured yet."""
    if contract.monitoring.on_call is None:
        return unknown(
            Text(
                en="nobody is named who would be called (monitoring.on_call), and no rule has been seen to fire",
                ja="呼び出される担当（monitoring.on_call）が決まっておらず、ルールの発火も確かめていません",
            )
        )
    return unknown(
        Text(
            en=f"no fault has been injected to see the rules fire and reach {contract.monitoring.on_call}",
            ja=f"障害を注入し、ルールが発火して {contract.monitoring.on_call} に届くことを、まだ確かめていません",
        )
    )


alerts.is_unknown(example_contract())
