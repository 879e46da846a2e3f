"""documentation/rollback: the way back is written, short, and has been walked."""

from __future__ import annotations

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Verdict, unknown
from sekisho.text import Text


@check(
    "documentation/rollback",
    title=Text(en="Rollback procedure", ja="ロールバック手順"),
    why=Text(
        en="The way back is needed when everything else has failed. One that was never walked fails too: the old version was pruned, or its schema is gone.",
        ja="ロールバックが要るのは、ほかのすべてが失敗したときです。一度も試していない手順は、旧版が消えていたりスキーマが違ったりして、やはり失敗します。",
    ),
    remedy=Text(
        en="write the commands, run them on a scratch target, and record the time until the old answers were back",
        ja="コマンドを書き、試験環境で実行して、元の答えに戻るまでの時間を記録してください",
    ),
)
def rollback(contract: Contract) -> Verdict:
    """Say what is missing: this box is not measured yet."""
    if contract.documents.rollback is None:
        return unknown(
            Text(
                en="no rollback procedure is named (documents.rollback)",
                ja="ロールバック手順書（documents.rollback）が指定されていません",
            )
        )
    return unknown(
        Text(
            en=f"the commands in {contract.documents.rollback} have not been run in a drill",
            ja=f"{contract.documents.rollback} のコマンドを使った訓練が、まだ行われていません",
        )
    )


rollback.is_unknown(example_contract())
