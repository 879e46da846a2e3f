"""security/encryption: what goes over the network is encrypted by a sound version of TLS, and what is kept is encrypted too."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterator
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from sekisho.contract.sections import Contract
from sekisho.gate.attestations import Attestations
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Finding, Verdict, holds, verdict
from sekisho.probes.security.transport import Transport
from sekisho.probes.wire.tls import TlsAnswer
from sekisho.text import Text

BOX: Final = "security/encryption"
OLD: Final = frozenset({"TLS 1.0", "TLS 1.1"})
DAYS_LEFT: Final = 30

# The box


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
def encryption(contract: Contract, transport: Transport, attestations: Attestations) -> Verdict:
    """Ask that nothing is offered in the clear, that the address of callers speaks a sound TLS, and that somebody says how disks are encrypted."""
    answer = transport.answer
    return verdict(
        *_in_the_clear(transport),
        *_beside(transport),
        *_stays(contract, transport),
        *_in_transit(transport, attestations),
        _at_rest(contract),
        tls=transport.tls,
        address=transport.address,
        versions=None if answer is None else ", ".join(answer.versions),
        expires=None if answer is None else answer.expires,
        days_left=None if answer is None else answer.days_left,
        hsts=None if answer is None else answer.hsts,
        open=len(transport.open),
    )


def _in_the_clear(transport: Transport) -> Iterator[Finding]:
    if transport.open and transport.tls != "proxy":
        places = ", ".join(transport.open)
        yield holds(
            False,  # noqa: FBT003
            Text(
                en=f"plain HTTP is offered to the network: {places}; no proxy is declared that ends TLS (security.tls)",
                ja=f"ネットワークに平文の HTTP を公開しています: {places}。TLS を終端するプロキシ（security.tls）の宣言もありません",
            ),
        )


def _beside(transport: Transport) -> Iterator[Finding]:
    if transport.beside:
        places = ", ".join(transport.beside)
        yield holds(
            False,  # noqa: FBT003
            Text(
                en=f"plain HTTP is answered beside TLS, and does not lead there: {places}",
                ja=f"TLS と並んで平文の HTTP にも応答し、TLS へ誘導していません: {places}",
            ),
        )
    if transport.links:
        places = ", ".join(transport.links)
        yield holds(
            False,  # noqa: FBT003
            Text(
                en=f"stores on other machines are reached without TLS: {places}",
                ja=f"別のマシンのデータストアに TLS なしで接続します: {places}",
            ),
        )


def _stays(contract: Contract, transport: Transport) -> Iterator[Finding]:
    """Ask that the public address tells browsers to stay with TLS; an address without a name cannot (RFC 6797, section 8.1.1)."""
    public, answer = contract.security.public_url, transport.answer
    host = None if public is None else urlsplit(public).hostname
    if host is None or answer is None or not answer.trusted or "." not in host or _is_address(host):
        return
    if not answer.hsts:
        yield holds(
            False,  # noqa: FBT003
            Text(
                en="browsers are not told to stay with TLS (Strict-Transport-Security)",
                ja="HSTS（Strict-Transport-Security）がありません",
            ),
        )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _in_transit(transport: Transport, attestations: Attestations) -> Iterator[Finding]:
    answer = transport.answer
    if answer is None:
        if transport.tls == "proxy":
            yield attestations.finding(BOX, Text(en="a proxy ends TLS", ja="プロキシが TLS を終端している"))
            return
        yield holds(
            None,
            Text(
                en="nobody has stated how callers reach the service over TLS (security.tls, security.public_url)",
                ja="呼び出し元が TLS でどう接続するかが示されていません（security.tls、security.public_url）",
            ),
        )
        return
    if not answer.reached:
        yield holds(
            None,
            Text(
                en=f"{transport.address} cannot be reached from here",
                ja=f"{transport.address} にここから接続できません",
            ),
        )
        return
    yield _versions(answer)
    yield _certificate(answer)


def _versions(answer: TlsAnswer) -> Finding:
    old = [version for version in answer.versions if version in OLD]
    spoken = ", ".join(answer.versions) or "–"
    if old:
        return holds(
            False,  # noqa: FBT003
            Text(en=f"it still agrees to {', '.join(old)}", ja=f"{', '.join(old)} での接続をまだ受け付けます"),
        )
    if not answer.versions:
        return holds(
            False,  # noqa: FBT003
            Text(en="it does not speak TLS", ja="TLS に応答しません"),
        )
    if OLD & set(answer.untried):
        return holds(
            None,
            Text(
                en=f"it speaks {spoken}; this machine cannot try older versions",
                ja=f"{spoken} に対応。古いバージョンはこのマシンでは試せません",
            ),
        )
    return holds(True, Text(en=f"it speaks {spoken} and nothing older", ja=f"{spoken} のみ対応"))  # noqa: FBT003


def _certificate(answer: TlsAnswer) -> Finding:
    if not answer.trusted or answer.days_left is None:
        return holds(
            False,  # noqa: FBT003
            Text(en=f"its certificate is not trusted: {answer.fault}", ja=f"証明書を信頼できません: {answer.fault}"),
        )
    hsts = Text(en=" and browsers are told to stay with TLS", ja="。HSTS あり") if answer.hsts else Text(en="", ja="")
    return holds(
        answer.days_left > DAYS_LEFT,
        Text(
            en=f"its certificate is trusted until {answer.expires} ({answer.days_left} days){hsts.en}",
            ja=f"証明書は {answer.expires} まで有効（残り {answer.days_left} 日）{hsts.ja}",
        ),
    )


def _at_rest(contract: Contract) -> Finding:
    stated = contract.security.at_rest
    if stated is None:
        return holds(
            None,
            Text(
                en="nobody has stated how disks with predictions and artifacts are encrypted (security.at_rest)",
                ja="予測と成果物を保存するディスクの暗号化（security.at_rest）が示されていません",
            ),
        )
    return holds(True, Text(en=f"at rest: {stated}", ja=f"保存時: {stated}"))  # noqa: FBT003


# How it looks when it passes, and when it fails

_ANSWER: Final = TlsAnswer(
    reached=True,
    versions=("TLS 1.2", "TLS 1.3"),
    untried=(),
    trusted=True,
    fault="",
    expires="2027-05-01",
    days_left=158,
    hsts=True,
)
_SOUND: Final = Transport(
    tls="proxy", open=("serving.host 0.0.0.0",), address="https://model.example.com", answer=_ANSWER
)
_STATED: Final = example_contract(security={"at_rest": "volumes encrypted with the platform's key service"})
_NOBODY: Final = Attestations(contract=_STATED, artifact=None, today=dt.date(2026, 11, 1))

encryption.passes(_STATED, _SOUND, _NOBODY)
encryption.fails(_STATED, replace(_SOUND, tls=None, address=None, answer=None), _NOBODY)
encryption.fails(_STATED, replace(_SOUND, answer=replace(_ANSWER, versions=("TLS 1.0", "TLS 1.2"))), _NOBODY)
encryption.fails(
    _STATED,
    replace(
        _SOUND, answer=replace(_ANSWER, trusted=False, fault="self-signed certificate", expires=None, days_left=None)
    ),
    _NOBODY,
)
encryption.fails(_STATED, replace(_SOUND, answer=replace(_ANSWER, days_left=12)), _NOBODY)
encryption.fails(_STATED, replace(_SOUND, beside=("http://model.example.com:80",)), _NOBODY)
encryption.fails(_STATED, replace(_SOUND, links=("compose.yaml, api DATABASE_URL",)), _NOBODY)
encryption.fails(  # the real address does not tell browsers to stay
    example_contract(security={"at_rest": "encrypted volumes", "public_url": "https://model.example.com"}),
    replace(_SOUND, answer=replace(_ANSWER, hsts=False)),
    _NOBODY,
)
encryption.is_unknown(_STATED, replace(_SOUND, open=(), tls=None, address=None, answer=None), _NOBODY)
encryption.is_unknown(_STATED, replace(_SOUND, address=None, answer=None), _NOBODY)
encryption.is_unknown(_STATED, replace(_SOUND, answer=replace(_ANSWER, reached=False, versions=())), _NOBODY)
encryption.is_unknown(example_contract(), _SOUND, _NOBODY)
