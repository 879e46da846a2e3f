"""infrastructure/traffic: the service holds the expected peak, and holds it for long."""

from __future__ import annotations

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Verdict, unknown
from sekisho.text import Text


@check(
    "infrastructure/traffic",
    title=Text(en="Handles expected traffic", ja="想定トラフィックに対応できる"),
    why=Text(
        en="Capacity that was guessed is found out on the busiest day. A service that holds the peak for a minute may still run out of memory in ten.",
        ja="見積もりだけの処理能力は、最も忙しい日に露呈します。1分間は耐えても、10分後にメモリーを使い果たすサービスもあります。",
    ),
    remedy=Text(
        en="state infrastructure.peak_per_second with its source, ramp the load to the knee, and soak at 70 % of it",
        ja="想定ピーク infrastructure.peak_per_second を根拠とともに示し、限界まで負荷を上げる試験と、その 70 % での長時間試験を行ってください",
    ),
)
def traffic(contract: Contract) -> Verdict:
    """Say what is missing: this box is not measured yet."""
    if contract.infrastructure.peak_per_second is None:
        return unknown(
            Text(
                en="nobody has stated the expected peak (infrastructure.peak_per_second)",
                ja="想定ピーク（infrastructure.peak_per_second）が示されていません",
            )
        )
    return unknown(
        Text(
            en=f"no ramp and no soak has been run against the stated peak of {contract.infrastructure.peak_per_second:g} requests per second",
            ja=f"想定ピークの毎秒 {contract.infrastructure.peak_per_second:g} 件に対する負荷上昇試験も長時間試験も、まだ行われていません",
        )
    )


traffic.is_unknown(example_contract())
