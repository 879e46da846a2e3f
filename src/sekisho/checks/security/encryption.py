"""security/encryption: data are encrypted on the way and at rest."""

from __future__ import annotations

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Verdict, unknown
from sekisho.text import Text


@check(
    "security/encryption",
    title=Text(en="Encryption in transit and at rest", ja="通信時・保存時の暗号化"),
    why=Text(
        en="Features are often personal data. On a plain connection or an open disk, everyone between the caller and the log can read them.",
        ja="特徴量の多くは個人情報です。平文の通信や暗号化されていないディスクでは、途中にいる誰もが読めてしまいます。",
    ),
    remedy=Text(
        en="end TLS 1.2 or newer in front of the service, and state how artifact, ledger and logs are encrypted at rest",
        ja="サービスの手前で TLS 1.2 以上を終端し、成果物・台帳・ログの保存時の暗号化方法を示してください",
    ),
)
def encryption(contract: Contract) -> Verdict:
    """Say what is missing: this box is not measured yet."""
    if contract.serving.url is None:
        return unknown(
            Text(
                en="no public address is named (serving.url), so its protocol and certificate were not looked at; nor was encryption at rest",
                ja="公開アドレス（serving.url）が指定されておらず、通信プロトコルと証明書を確認できません。保存時の暗号化も未確認です",
            )
        )
    return unknown(
        Text(
            en="protocol and certificate of the public address, and encryption at rest, have not been looked at",
            ja="公開アドレスの通信プロトコルと証明書、保存時の暗号化をまだ確認していません",
        )
    )


encryption.is_unknown(example_contract())
