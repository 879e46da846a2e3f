"""inference/mode: batch or real-time: whichever the need and the cost call for."""

from __future__ import annotations

from sekisho.gate.check import check
from sekisho.gate.verdict import Verdict, unknown
from sekisho.text import Text


@check(
    "inference/mode",
    title=Text(en="Batch or real-time is the right choice", ja="バッチとリアルタイムの選択が適切"),
    why=Text(
        en="A model that is asked once a night pays all day for a service; one that must answer at once cannot wait for the night. The wrong mode costs money or customers.",
        ja="夜に1回使うだけのモデルのために終日サービスを動かすのは無駄ですし、即答が必要なモデルは夜まで待てません。方式の選択を誤ると費用か顧客を失います。",
    ),
    remedy=Text(
        en="state how fresh an answer must be and measure the cost of a row singly, in small batches and in bulk",
        ja="予測にどれだけの鮮度が必要かを決め、1件ずつ・小分け・一括のそれぞれで1行あたりの費用を測ってください",
    ),
)
def mode() -> Verdict:
    """Say what is missing: this box is not measured yet."""
    return unknown(
        Text(
            en="the cost of a row has not been measured singly, in batches and in bulk, and nobody has stated how fresh an answer must be",
            ja="1件ずつ・バッチ・一括での1行あたりの費用を測っておらず、必要な鮮度も示されていません",
        )
    )


mode.is_unknown()
