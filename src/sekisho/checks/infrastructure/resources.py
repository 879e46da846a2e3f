"""infrastructure/resources: limits of memory and processor come from a measurement."""

from __future__ import annotations

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Verdict, unknown
from sekisho.text import Text


@check(
    "infrastructure/resources",
    title=Text(en="CPU, memory and GPU estimated", ja="CPU・メモリー・GPU の見積もり"),
    why=Text(
        en="A memory limit below the real peak kills the service at the largest legal request; one far above it is paid for every hour.",
        ja="実際のピークを下回るメモリー上限は、正当な最大リクエストでサービスを落とします。逆に過大な上限は、毎時間の無駄な費用になります。",
    ),
    remedy=Text(
        en="measure memory and processor time under the expected load with the largest legal batch, and write them into the manifests",
        ja="想定負荷と許される最大のバッチでメモリーと CPU 時間を測り、その値をマニフェストに反映してください",
    ),
)
def resources(contract: Contract) -> Verdict:
    """Say what is missing: this box is not measured yet."""
    if contract.infrastructure.manifests is None and contract.infrastructure.compose is None:
        return unknown(
            Text(
                en="no manifest or Compose file with limits is named (infrastructure.manifests, infrastructure.compose)",
                ja="上限を書いたマニフェストや Compose ファイル（infrastructure.manifests、infrastructure.compose）が指定されていません",
            )
        )
    return unknown(
        Text(
            en="the limits in the deployment files have not been compared with a measured peak of memory and processor time",
            ja="デプロイ用ファイルの上限値を、実測したメモリーと CPU 時間のピークと照らし合わせていません",
        )
    )


resources.is_unknown(example_contract())
