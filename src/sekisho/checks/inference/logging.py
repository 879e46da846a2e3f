"""inference/logging: every request leaves one line that can be found and that gives nobody away."""

from __future__ import annotations

from sekisho.gate.check import check
from sekisho.gate.verdict import Verdict, unknown
from sekisho.text import Text


@check(
    "inference/logging",
    title=Text(en="Logging", ja="ログ出力"),
    why=Text(
        en="Without one record a request, an incident cannot be traced to a model and an input. With too much in it, the log itself becomes the leak.",
        ja="1リクエスト1行の記録がなければ、障害の原因となったモデルと入力をたどれません。逆に書きすぎれば、ログそのものが情報漏えいの源になります。",
    ),
    remedy=Text(
        en="write one JSON line a request with request id, model digest, status and latency, and mask what can identify a person",
        ja="リクエスト ID・モデルのダイジェスト・結果・所要時間を1行の JSON で記録し、個人を特定できる値は伏せてください",
    ),
)
def logging() -> Verdict:
    """Say what is missing: this box is not measured yet."""
    return unknown(
        Text(
            en="the lines that the service writes have not been counted against the requests, nor searched for planted values",
            ja="リクエスト数とログ行数の突き合わせも、仕込んだ値がログに出ないことの確認も、まだ行われていません",
        )
    )


logging.is_unknown()
