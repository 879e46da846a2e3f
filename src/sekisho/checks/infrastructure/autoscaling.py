"""infrastructure/autoscaling: replicas come and go with the load, on a signal that follows it."""

from __future__ import annotations

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Verdict, unknown
from sekisho.text import Text


@check(
    "infrastructure/autoscaling",
    title=Text(en="Autoscaling", ja="オートスケーリング"),
    why=Text(
        en="A rule on the wrong signal never fires: a service that waits for memory or a GPU stays at low CPU while its queue grows.",
        ja="見当違いの指標に基づくルールは発動しません。メモリーや GPU を待つサービスは、待ち行列が伸びても CPU 使用率は低いままです。",
    ),
    remedy=Text(
        en="write the scaling rule into the manifests with a signal that moves with the load, at least 2 replicas, and room for the peak",
        ja="負荷とともに動く指標、最小 2 レプリカ、ピークに足りる上限を備えたスケーリング設定をマニフェストに書いてください",
    ),
)
def autoscaling(contract: Contract) -> Verdict:
    """Say what is missing: this box is not measured yet."""
    if contract.infrastructure.manifests is None:
        return unknown(
            Text(
                en="no deployment manifests are named (infrastructure.manifests)",
                ja="デプロイ用マニフェスト（infrastructure.manifests）が指定されていません",
            )
        )
    return unknown(
        Text(
            en="the scaling rules in the manifests have not been compared with a measured capacity",
            ja="マニフェストのスケーリング設定を、実測した処理能力と照らし合わせていません",
        )
    )


autoscaling.is_unknown(example_contract())
