"""testing/unit: the code around the model has tests that would notice a fault."""

from __future__ import annotations

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Verdict, unknown
from sekisho.text import Text


@check(
    "testing/unit",
    title=Text(en="Unit tests", ja="単体テスト"),
    why=Text(
        en="Most production faults are not in the model but in the few lines before and after it. Tests that assert nothing keep them company.",
        ja="本番障害の多くはモデルではなく、その前後の数行にあります。何も検証しないテストは、そこに寄り添うだけです。",
    ),
    remedy=Text(
        en="state the command in tests.unit; it must collect tests, skip few, and notice when the transformations are changed",
        ja="tests.unit にコマンドを指定してください。テストが収集され、スキップが少なく、前処理の改変に気づける必要があります",
    ),
)
def unit(contract: Contract) -> Verdict:
    """Say what is missing: this box is not measured yet."""
    if not contract.tests.unit:
        return unknown(
            Text(
                en="no command for unit tests is stated (tests.unit)",
                ja="単体テストのコマンド（tests.unit）が指定されていません",
            )
        )
    return unknown(
        Text(
            en="the unit tests have not been run, and nobody has changed the code to see them fail",
            ja="単体テストを実行しておらず、コードを改変して失敗することも確かめていません",
        )
    )


unit.is_unknown(example_contract())
