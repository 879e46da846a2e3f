"""documentation/troubleshooting: every error and every alert has an entry that says what to do."""

from __future__ import annotations

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Verdict, unknown
from sekisho.text import Text


@check(
    "documentation/troubleshooting",
    title=Text(en="Troubleshooting guide", ja="トラブルシューティングガイド"),
    why=Text(
        en="An alert without an entry wakes somebody who then searches the chat history. The same incident is solved anew each time.",
        ja="対応手順のないアラートは、人を起こしてチャット履歴を探させるだけです。同じ障害を毎回一から解くことになります。",
    ),
    remedy=Text(
        en="write one entry for each error code and alert that the service can raise, each with a command that shows the cause",
        ja="サービスが出し得るエラーコードとアラートのそれぞれに、原因を確かめるコマンド付きの項目を書いてください",
    ),
)
def troubleshooting(contract: Contract) -> Verdict:
    """Say what is missing: this box is not measured yet."""
    if contract.documents.troubleshooting is None:
        return unknown(
            Text(
                en="no troubleshooting guide is named (documents.troubleshooting)",
                ja="トラブルシューティングガイド（documents.troubleshooting）が指定されていません",
            )
        )
    return unknown(
        Text(
            en=f"the entries of {contract.documents.troubleshooting} have not been compared with the error codes and alerts of the service",
            ja=f"{contract.documents.troubleshooting} の項目を、サービスのエラーコードやアラートと照らし合わせていません",
        )
    )


troubleshooting.is_unknown(example_contract())
