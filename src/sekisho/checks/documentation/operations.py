"""documentation/operations: whoever is on call can run the service from the manual."""

from __future__ import annotations

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Verdict, unknown
from sekisho.text import Text


@check(
    "documentation/operations",
    title=Text(en="Operations manual", ja="運用マニュアル"),
    why=Text(
        en="At three in the morning nobody reads source code. A command that does not exist, or a contact nobody answers, costs the night.",
        ja="午前3時にソースコードを読む人はいません。存在しないコマンドや応答のない連絡先は、一晩を無駄にします。",
    ),
    remedy=Text(
        en="write how to start, stop, scale and promote, run every command once, and name an owner who answers",
        ja="起動・停止・増減・昇格の手順を書き、コマンドを一度はすべて実行し、応答できる責任者を明記してください",
    ),
)
def operations(contract: Contract) -> Verdict:
    """Say what is missing: this box is not measured yet."""
    if contract.documents.operations is None:
        return unknown(
            Text(
                en="no operations manual is named (documents.operations)",
                ja="運用マニュアル（documents.operations）が指定されていません",
            )
        )
    return unknown(
        Text(
            en=f"the commands in {contract.documents.operations} have not been run",
            ja=f"{contract.documents.operations} のコマンドを、まだ実行して確かめていません",
        )
    )


operations.is_unknown(example_contract())
