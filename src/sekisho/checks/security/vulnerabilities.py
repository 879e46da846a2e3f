"""security/vulnerabilities: nothing that ships has a known hole that could be closed."""

from __future__ import annotations

from sekisho.gate.check import check
from sekisho.gate.verdict import Verdict, unknown
from sekisho.text import Text


@check(
    "security/vulnerabilities",
    title=Text(en="Vulnerability scan", ja="脆弱性スキャン"),
    why=Text(
        en="A library with a known hole is an open door with a sign on it. A scanner that could not reach its data says the same as one that found nothing.",
        ja="既知の脆弱性があるライブラリーは、看板の立った開いた扉です。データを取得できなかったスキャナーも「問題なし」と同じ表示をします。",
    ),
    remedy=Text(
        en="scan the lock file of what is served with a dated advisory database, and count that every package was looked up",
        ja="実際に配信するロックファイルを日付の分かる脆弱性データベースで検査し、全パッケージが照会されたことを確かめてください",
    ),
)
def vulnerabilities() -> Verdict:
    """Say what is missing: this box is not measured yet."""
    return unknown(
        Text(
            en="no advisory database was read: a scan that has seen no data proves nothing",
            ja="脆弱性データベースを参照していません。データを見ていないスキャンは何の証明にもなりません",
        )
    )


vulnerabilities.is_unknown()
