"""artifact/versioning: a version names one set of bytes, for ever."""

from __future__ import annotations

from sekisho.gate.check import check
from sekisho.gate.verdict import Verdict, unknown
from sekisho.text import Text


@check(
    "artifact/versioning",
    title=Text(en="Versioned", ja="バージョン管理されている"),
    why=Text(
        en="When the same version means different bytes on two machines, nobody can say which model made a decision, and a rollback restores something else.",
        ja="同じバージョン名が場所によって違う中身を指すと、どのモデルが判断したのか誰にも言えず、ロールバックしても別のものに戻ります。",
    ),
    remedy=Text(
        en="push the artifact to a registry that refuses the same version with other bytes, and keep its history",
        ja="同じバージョンでの上書きを拒否するレジストリに登録し、その履歴を残してください",
    ),
)
def versioning() -> Verdict:
    """Say what is missing: this box is not measured yet."""
    return unknown(
        Text(
            en="no registry was looked at: nothing proves that this version has not been published with other bytes",
            ja="レジストリを確認していません。このバージョンが別の中身で公開されていないという証拠がありません",
        )
    )


versioning.is_unknown()
