"""security/vulnerabilities: every distribution that is served was looked up, and none has a known grave hole that is mended elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from sekisho.gate.check import check
from sekisho.gate.verdict import Finding, Verdict, holds, verdict
from sekisho.probes.files.advisories import GRAVE, Hole
from sekisho.probes.security.advisories import VulnerabilityScan
from sekisho.probes.security.image_rules import ImageFault, ImageRules
from sekisho.text import Text

OLDEST_DAYS: Final = 7
_RULES: Final[Mapping[str, str]] = {
    "runs as root": "root で実行",
    "base without a version": "ベースイメージのバージョン指定なし",
    "fetched code is run": "取得したコードをそのまま実行",
    "secret in the image": "秘密情報をイメージにコピー",
    "whole context copied": ".dockerignore なしでフォルダー全体をコピー",
}

# The box


@check(
    "security/vulnerabilities",
    title=Text(en="Vulnerability scan", ja="脆弱性スキャン"),
    why=Text(
        en="A library with a known hole is an open door with a sign on it. A scanner that could not reach its data says the same as one that found nothing.",
        ja="既知の脆弱性があるライブラリーは、看板の立った開いた扉です。データを取得できなかったスキャナーも「問題なし」と同じ表示をします。",
    ),
    remedy=Text(
        en="scan the lock file of what is served with a dated advisory database (security.advisories), and upgrade what has a mended version",
        ja="実際に配信するロックファイルを日付の分かる脆弱性データベース（security.advisories）で検査し、修正版のあるものは更新してください",
    ),
)
def vulnerabilities(scan: VulnerabilityScan, image: ImageRules) -> Verdict:
    """Ask that the whole lock was looked up in fresh data, without a grave hole that is mended elsewhere, and that the image keeps the rules."""
    return verdict(
        *_holes(scan),
        *_complete(scan),
        *_image(image),
        *_installs(image, scan.lock),
        lock=scan.lock,
        listed=scan.listed,
        audited=scan.audited,
        dated=scan.dated,
        holes=len(scan.holes),
        grave=sum(hole.severity in GRAVE for hole in scan.holes),
    )


def _holes(scan: VulnerabilityScan) -> Iterator[Finding]:
    grave = [hole for hole in scan.holes if hole.severity in GRAVE]
    mended = [hole for hole in grave if hole.fixed is not None]
    if mended:
        named = ", ".join(f"{hole.name} {hole.version} ({hole.id}, {hole.fixed})" for hole in mended[:5])
        more = f" +{len(mended) - 5}" if len(mended) > 5 else ""
        yield holds(
            False,  # noqa: FBT003
            Text(
                en=f"known grave holes, mended in the version named: {named}{more}",
                ja=f"修正版のある重大な脆弱性: {named}{more}",
            ),
        )
    rest = [hole for hole in scan.holes if hole not in mended]
    if rest:
        named = ", ".join(f"{hole.name} {hole.version} ({hole.id}, {hole.severity.lower()})" for hole in rest[:5])
        yield holds(
            True,  # noqa: FBT003
            Text(
                en=f"known, but slight or without a mended version: {named}",
                ja=f"既知だが軽微、または修正版のないもの: {named}",
            ),
        )


def _complete(scan: VulnerabilityScan) -> Iterator[Finding]:
    if not scan.source:
        yield holds(
            None,
            Text(
                en="no source of advisories is stated (security.advisories); the short list that ships with Sekisho can fail a lock, not pass it",
                ja="脆弱性情報の照会先（security.advisories）が示されていません。同梱の短い一覧だけでは、合格の根拠になりません",
            ),
        )
        return
    if scan.fault is not None:
        yield holds(None, Text(en=f"{scan.source}: {scan.fault.en}", ja=f"{scan.source}: {scan.fault.ja}"))
        return
    looked = Text(
        en=f"{scan.audited} of {scan.listed} distributions of {scan.lock} were looked up in {scan.source}, of {scan.dated}",
        ja=f"{scan.lock} の {scan.listed} 件中 {scan.audited} 件を {scan.source}（{scan.dated} 時点）で照会",
    )
    if not scan.listed:
        yield holds(None, Text(en=f"{scan.lock} names no distribution", ja=f"{scan.lock} に配布物がありません"))
        return
    yield holds(True if scan.audited >= scan.listed else None, looked)
    if scan.age_days is not None and scan.age_days < -1:
        yield holds(
            None,
            Text(
                en=f"the data say that they are of {scan.dated}, which is yet to come",
                ja=f"データの日付（{scan.dated}）が未来です",
            ),
        )
    if scan.age_days is None or scan.age_days > OLDEST_DAYS:
        yield holds(
            None,
            Text(
                en=f"the data are {scan.age_days} days old, more than {OLDEST_DAYS}"
                if scan.age_days is not None
                else "nobody knows how old the data are",
                ja=f"データが {scan.age_days} 日前のものです（{OLDEST_DAYS} 日以内が必要）"
                if scan.age_days is not None
                else "データの日付が分かりません",
            ),
        )


def _image(image: ImageRules) -> Iterator[Finding]:
    if image.file is None:
        return
    if not image.faults:
        fixed = (
            Text(en="", ja="")
            if image.digest
            else Text(en="; its base is not fixed by digest", ja="。ベースはダイジェストで固定されていません")
        )
        yield holds(
            True,  # noqa: FBT003
            Text(en=f"{image.file} keeps the rules{fixed.en}", ja=f"{image.file} は規則を満たしています{fixed.ja}"),
        )
        return
    said = ", ".join(f"{fault.rule}{f' (line {fault.line})' if fault.line else ''}" for fault in image.faults)
    ja = "、".join(f"{_RULES[fault.rule]}{f'（{fault.line}行目）' if fault.line else ''}" for fault in image.faults)
    yield holds(False, Text(en=f"{image.file}: {said}", ja=f"{image.file}: {ja}"))  # noqa: FBT003


def _installs(image: ImageRules, lock: str) -> Iterator[Finding]:
    """Ask that the image installs what was looked up, and nothing beside it."""
    others = [each for each in image.installs if each.rpartition("/")[2] != lock.rpartition("/")[2]]
    if others:
        named = ", ".join(others[:5])
        yield holds(
            None,
            Text(
                en=f"{image.file} installs {named}, and what was looked up is {lock}: it says nothing of what runs",
                ja=f"{image.file} は {named} をインストールしますが、照会したのは {lock} で、実際に動くものの確認になりません",
            ),
        )


# How it looks when it passes, and when it fails

_SCAN: Final = VulnerabilityScan(
    lock="artifact/requirements.lock",
    listed=24,
    pinned=24,
    audited=24,
    source="https://api.osv.dev",
    dated="2026-11-24",
    age_days=0,
    fault=None,
    holes=(),
)
_HOLE: Final = Hole(
    name="h11",
    version="0.14.0",
    id="GHSA-vqfr-h8mv-ghfj",
    aliases=("CVE-2025-43859",),
    severity="CRITICAL",
    fixed="0.16.0",
)
_IMAGE: Final = ImageRules(file="Dockerfile", user="65534", digest=True, faults=())
_NONE: Final = ImageRules(file=None, user=None, digest=False, faults=())

vulnerabilities.passes(_SCAN, _IMAGE)
vulnerabilities.passes(replace(_SCAN, holes=(replace(_HOLE, fixed=None),)), _NONE)
vulnerabilities.passes(replace(_SCAN, holes=(replace(_HOLE, severity="LOW"),)), _NONE)
vulnerabilities.fails(replace(_SCAN, holes=(_HOLE,)), _IMAGE)
vulnerabilities.fails(replace(_SCAN, source="", audited=0, holes=(_HOLE,)), _NONE)
vulnerabilities.fails(_SCAN, replace(_IMAGE, user=None, faults=(ImageFault(line=0, rule="runs as root"),)))
vulnerabilities.is_unknown(replace(_SCAN, source="", audited=0, dated=None, age_days=None), _IMAGE)
vulnerabilities.is_unknown(
    replace(_SCAN, audited=0, dated=None, age_days=None, fault=Text(en="it could not be reached", ja="接続できません")),
    _IMAGE,
)
vulnerabilities.is_unknown(replace(_SCAN, age_days=40), _IMAGE)
vulnerabilities.is_unknown(replace(_SCAN, age_days=-30), _IMAGE)
vulnerabilities.is_unknown(_SCAN, replace(_IMAGE, installs=("requirements.txt",)))  # another list is what runs
vulnerabilities.passes(_SCAN, replace(_IMAGE, installs=("requirements.lock",)))
vulnerabilities.is_unknown(replace(_SCAN, audited=23), _IMAGE)
