"""testing/progressive-delivery: a new version meets a few first, and goes back by itself when it is bad."""

from __future__ import annotations

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Verdict, unknown
from sekisho.text import Text


@check(
    "testing/progressive-delivery",
    title=Text(en="Canary or blue-green delivery is ready", ja="カナリアリリース／ブルーグリーンデプロイの準備"),
    why=Text(
        en="A version that answers fast and wrong passes every health check. Steps without a judge only make the harm slower.",
        ja="速くて間違った答えを返す版は、どのヘルスチェックも通ります。判定のない段階リリースは、被害を遅らせるだけです。",
    ),
    remedy=Text(
        en="state rollout.strategy and its steps, and rehearse it with a version that fails, one that is slow, and one that is wrong",
        ja="rollout.strategy と段階を指定し、エラーを出す版・遅い版・答えを誤る版で予行演習を行ってください",
    ),
)
def progressive_delivery(contract: Contract) -> Verdict:
    """Say what is missing: this box is not measured yet."""
    if contract.rollout.strategy is None:
        return unknown(
            Text(
                en="no strategy is stated (rollout.strategy)", ja="リリース方式（rollout.strategy）が指定されていません"
            )
        )
    return unknown(
        Text(
            en=f"no rehearsal of the {contract.rollout.strategy} strategy has sent a bad version back",
            ja=f"{contract.rollout.strategy} 方式で悪い版が自動的に戻されることを、まだ予行演習していません",
        )
    )


progressive_delivery.is_unknown(example_contract())
