"""testing/integration: the built service is tested over a socket, with answers that only this model gives."""

from __future__ import annotations

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Verdict, unknown
from sekisho.text import Text


@check(
    "testing/integration",
    title=Text(en="Integration tests", ja="結合テスト"),
    why=Text(
        en="A test that calls the application in memory never meets workers, timeouts or authentication. One that accepts any model accepts a broken one.",
        ja="アプリケーションをメモリー内で呼ぶだけのテストは、ワーカーもタイムアウトも認証も通りません。どのモデルでも通るテストは、壊れたモデルも通します。",
    ),
    remedy=Text(
        en="state the command in tests.integration (sekisho generate tests writes a suite), and see it fail with a constant model",
        ja="tests.integration にコマンドを指定し（sekisho generate tests で雛形を作れます）、定数モデルに差し替えると失敗することを確かめてください",
    ),
)
def integration(contract: Contract) -> Verdict:
    """Say what is missing: this box is not measured yet."""
    if not contract.tests.integration:
        return unknown(
            Text(
                en="no command for integration tests is stated (tests.integration)",
                ja="結合テストのコマンド（tests.integration）が指定されていません",
            )
        )
    return unknown(
        Text(
            en="the integration tests have not been run against the built service",
            ja="結合テストを、ビルドしたサービスに対してまだ実行していません",
        )
    )


integration.is_unknown(example_contract())
