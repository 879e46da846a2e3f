"""What came of asking for one type: there it is, or why it is not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from sekisho.errors import SekishoError
from sekisho.gate.evidence import Evidence
from sekisho.text import Text, verbatim


@dataclass(frozen=True, kw_only=True, slots=True)
class Present:
    """Something that can be injected.

    Attributes:
        value: The thing itself.
        digest: SHA-256 of its content, in hexadecimal; empty string: has none.
        evidence: The evidence that holds it, if it is a fact.

    """

    value: object
    digest: str = ""
    evidence: Evidence[Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Absent:
    """Why something cannot be injected, and what to do about it."""

    reason: Text
    remedy: Text


Outcome: TypeAlias = Present | Absent


def refused(error: SekishoError, root: Path) -> Absent:
    """Return the absence that an error raised on purpose stands for; a place inside ``root`` is shown relative to it."""
    if error.where is None:
        return Absent(reason=error.what, remedy=error.remedy)
    place = verbatim(error.where.replace(f"{root}/", ""))
    return Absent(
        reason=Text(en=f"{place.en}: {error.what.en}", ja=f"{place.ja}: {error.what.ja}"), remedy=error.remedy
    )


def crashed(name: str, error: BaseException) -> Absent:
    """Return the absence after an exception that nobody meant; it names the type only, as the message may hold data."""
    kind = type(error).__name__
    return Absent(
        reason=Text(en=f"the probe {name} failed ({kind})", ja=f"プローブ {name} が失敗しました（{kind}）"),
        remedy=Text(
            en="run the same command with --debug to see the details, and report them",
            ja="同じコマンドを --debug 付きで実行して詳細を確認し、報告してください",
        ),
    )


def overran(name: str, seconds: float) -> Absent:
    """Return the absence of something that took too long."""
    return Absent(
        reason=Text(
            en=f"the probe {name} made no progress for {seconds:.0f} s and was stopped",
            ja=f"プローブ {name} が {seconds:.0f} 秒間進まなかったため、打ち切りました",
        ),
        remedy=Text(
            en="run it again on a quiet machine; if it stops again, run it with --debug and report it",
            ja="負荷の低い環境で再実行し、それでも止まる場合は --debug 付きで実行して報告してください",
        ),
    )


def nobody_gives(kind: type) -> Absent:
    """Return the absence of a type that no probe or resource gives."""
    return Absent(
        reason=Text(
            en=f"nothing installed measures {kind.__name__}",
            ja=f"{kind.__name__} を測るプローブがインストールされていません",
        ),
        remedy=Text(
            en="install the distribution that brings the probe",
            ja="該当するプローブを含むパッケージをインストールしてください",
        ),
    )
