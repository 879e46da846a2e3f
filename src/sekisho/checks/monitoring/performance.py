"""monitoring/performance: the quality of answers is followed as labels arrive, for each class."""

from __future__ import annotations

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Verdict, unknown
from sekisho.text import Text


@check(
    "monitoring/performance",
    title=Text(en="Model performance monitored", ja="モデル性能の監視"),
    why=Text(
        en="A model decays without an error message. If outcomes never come back, or only an average is watched, the loss is found by customers.",
        ja="モデルはエラーも出さずに劣化します。正解が戻ってこない、あるいは平均しか見ていなければ、最初に気づくのは顧客です。",
    ),
    remedy=Text(
        en="send outcomes to /feedback by request id, state monitoring.label_delay_days, and watch the metric for each class",
        ja="正解をリクエスト ID で /feedback に返し、monitoring.label_delay_days を指定して、クラスごとの指標を監視してください",
    ),
)
def performance(contract: Contract) -> Verdict:
    """Say what is missing: this box is not measured yet."""
    if contract.monitoring.label_delay_days is None:
        return unknown(
            Text(
                en="nobody has stated whether and how late labels arrive (monitoring.label_delay_days)",
                ja="正解がいつ届くのか、届かないのか（monitoring.label_delay_days）が示されていません",
            )
        )
    return unknown(
        Text(
            en="no outcome has been sent to the service to see the metric move",
            ja="正解を送って指標が動くことを、まだ確かめていません",
        )
    )


performance.is_unknown(example_contract())
