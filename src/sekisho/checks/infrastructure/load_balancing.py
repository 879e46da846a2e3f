"""infrastructure/load-balancing: traffic is spread over replicas, and a dead one gets none."""

from __future__ import annotations

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Verdict, unknown
from sekisho.text import Text


@check(
    "infrastructure/load-balancing",
    title=Text(en="Load balancing", ja="ロードバランシング"),
    why=Text(
        en="A readiness check that is always true sends customers to a replica that has not loaded its model, or has died.",
        ja="常に「準備完了」と答えるヘルスチェックは、モデルを読み込んでいない、あるいは停止したレプリカへ顧客を送り込みます。",
    ),
    remedy=Text(
        en="run two replicas or more behind the balancer with a truthful readiness route, and kill one under load",
        ja="正直な readiness を備えた 2 つ以上のレプリカをロードバランサーの後ろで動かし、負荷をかけながら 1 つを止めて確かめてください",
    ),
)
def load_balancing(contract: Contract) -> Verdict:
    """Say what is missing: this box is not measured yet."""
    if contract.infrastructure.replicas < 2:
        return unknown(
            Text(
                en="the contract speaks of one replica only (infrastructure.replicas), and no balancer was measured",
                ja="レプリカが 1 つだけで（infrastructure.replicas）、ロードバランサーも計測していません",
            )
        )
    return unknown(
        Text(
            en="no replica has been killed behind the balancer to see who still gets traffic",
            ja="ロードバランサーの後ろでレプリカを止め、振り分けが正しく変わることをまだ確かめていません",
        )
    )


load_balancing.is_unknown(example_contract())
