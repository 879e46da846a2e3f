"""monitoring/logs: logs leave the container, are kept as long as stated, and can be searched."""

from __future__ import annotations

from sekisho.gate.check import check
from sekisho.gate.verdict import Verdict, unknown
from sekisho.text import Text


@check(
    "monitoring/logs",
    title=Text(en="Logs collected and analysed", ja="ログの収集と分析"),
    why=Text(
        en="A log inside a container dies with it, usually together with the reason why it died. One that nobody rotates fills the disk.",
        ja="コンテナ内のログは、停止の原因もろともコンテナと一緒に消えます。ローテーションしないログはディスクを埋め尽くします。",
    ),
    remedy=Text(
        en="write to standard output, collect it with a retention, and keep the queries that an incident needs",
        ja="標準出力へ書き出し、保存期間を決めて収集し、障害時に使う検索クエリーを用意してください",
    ),
)
def logs() -> Verdict:
    """Say what is missing: this box is not measured yet."""
    return unknown(
        Text(
            en="nobody has counted that every line the service writes arrives where it is searched",
            ja="サービスが書いた行がすべて収集先に届いているか、まだ数えていません",
        )
    )


logs.is_unknown()
