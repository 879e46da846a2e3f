"""What only a person can state, and whether it still counts.

A check that needs such a statement asks for :class:`Attestations` as for any other input::

    def operations(contract: Contract, manual: OperationsManual, attestations: Attestations) -> Verdict:
        return verdict(
            holds(manual.commands_ran, ...),
            attestations.finding("documentation/operations", Text(en="the contacts are right", ja="連絡先が正しい")),
        )

A statement speaks for one artifact. It falls when the artifact changes, when it expires, and when its author reviewed it
alone; a missing or fallen one makes the box unknown, never passed.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sekisho.contract.statements import SignedOff, Standing, sign_off
from sekisho.gate.verdict import Finding, holds
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.contract.sections import Contract

_FALLEN: Final = {
    Standing.EXPIRED: Text(en="it has expired", ja="期限が切れています"),
    Standing.NOT_YET_ISSUED: Text(en="it is dated in the future", ja="日付が未来です"),
    Standing.WRONG_ARTIFACT: Text(en="it speaks for another artifact", ja="別の成果物についての記述です"),
    Standing.SELF_REVIEWED: Text(en="author and reviewer are one person", ja="作成者と確認者が同じ人です"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Attestations:
    """The sign-offs of a contract, for one artifact on one day.

    Attributes:
        contract: The contract that holds them.
        artifact: The digest of the artifact at hand; ``None``: there is none, so nothing can speak for it.
        today: The day on which they must count.

    """

    contract: Contract
    artifact: str | None
    today: dt.date

    def of(self, box: str) -> SignedOff | None:
        """Return the sign-off of ``box``: one that counts if there is one, else the newest that does not."""
        return sign_off(self.contract, box, self.artifact or "", self.today)

    def finding(self, box: str, what: Text) -> Finding:
        """Return whether somebody has stated ``what`` for ``box``: passed if so, else unknown with the reason."""
        signed = self.of(box)
        if signed is None:
            return holds(None, Text(en=f"{what.en}: nobody has signed it off", ja=f"{what.ja}: 承認がありません"))
        statement = signed.statement
        if signed.standing is Standing.VALID:
            return holds(
                True,  # noqa: FBT003
                Text(
                    en=f"{what.en}: {statement.statement} (signed by {statement.author}, reviewed by "
                    f"{statement.reviewer}, until {statement.expires})",
                    ja=f"{what.ja}: {statement.statement}（作成 {statement.author}、確認 {statement.reviewer}、"
                    f"有効期限 {statement.expires}）",
                ),
            )
        fallen = _FALLEN[signed.standing]
        return holds(
            None,
            Text(
                en=f"{what.en}: the statement of {statement.author} does not count, {fallen.en}",
                ja=f"{what.ja}: {statement.author} の記述は無効です（{fallen.ja}）",
            ),
        )
