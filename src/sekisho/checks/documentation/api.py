"""documentation/api: the documents of the interface are true."""

from __future__ import annotations

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Verdict, unknown
from sekisho.text import Text


@check(
    "documentation/api",
    title=Text(en="API documentation", ja="APIドキュメント"),
    why=Text(
        en="Whoever calls the service copies the example. If it fails, they guess; if the description lies, they build on it.",
        ja="利用者はまず例をコピーします。例が動かなければ推測で書き、説明が嘘ならその上に作り込んでしまいます。",
    ),
    remedy=Text(
        en="publish the service's own openapi.json, describe every feature, and run every example against the service",
        ja="サービス自身の openapi.json を公開し、すべての特徴量に説明を付け、例を一つ残らず実際に実行してください",
    ),
)
def api(contract: Contract) -> Verdict:
    """Say what is missing: this box is not measured yet."""
    if contract.documents.api is None:
        return unknown(
            Text(
                en="no API document is named (documents.api)",
                ja="API ドキュメント（documents.api）が指定されていません",
            )
        )
    return unknown(
        Text(
            en=f"the examples in {contract.documents.api} have not been sent to the service",
            ja=f"{contract.documents.api} の例を、まだサービスに送って確かめていません",
        )
    )


api.is_unknown(example_contract())
