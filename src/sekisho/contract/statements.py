"""What people have stated about single boxes: sign-offs, waivers, and boxes that do not apply.

Pure functions on the contract. Each statement found comes with its standing, so that the gate can say why one that is
there does not count.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt

    from sekisho.contract.sections import Contract, NotApplicable, SignOff, Waiver


class Standing(StrEnum):
    """Whether a statement counts, and if not, why."""

    VALID = "valid"
    EXPIRED = "expired"
    NOT_YET_ISSUED = "not-yet-issued"
    WRONG_ARTIFACT = "wrong-artifact"
    SELF_REVIEWED = "self-reviewed"


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedOff:
    """A sign-off of one box, and whether it counts for the artifact at hand.

    Attributes:
        statement: What was signed.
        standing: Whether it counts today.

    """

    statement: SignOff
    standing: Standing


@dataclass(frozen=True, kw_only=True, slots=True)
class Waived:
    """A waiver of one box, and whether it counts.

    Attributes:
        statement: Who gave leave, why, and until when.
        standing: ``valid`` or ``expired``.

    """

    statement: Waiver
    standing: Standing


def sign_off(contract: Contract, box: str, artifact: str, today: dt.date) -> SignedOff | None:
    """Return the sign-off of ``box``: one that counts if there is one, else the newest of those that do not.

    Args:
        contract: The contract that holds the sign-offs.
        box: The id of the box.
        artifact: The SHA-256 of the artifact at hand, in hexadecimal, with or without the prefix ``sha256:``.
        today: The day on which it must count; the day of expiry itself still counts.

    """
    statements = sorted((each for each in contract.sign_offs if each.box == box), key=lambda each: each.issued)
    judged = [
        SignedOff(statement=each, standing=sign_off_standing(each, artifact, today)) for each in reversed(statements)
    ]
    valid = (each for each in judged if each.standing is Standing.VALID)
    return next(valid, judged[0] if judged else None)


def sign_off_standing(statement: SignOff, artifact: str, today: dt.date) -> Standing:
    """Return whether ``statement`` counts for ``artifact`` on the day ``today``."""
    if bare_digest(statement.artifact) != bare_digest(artifact):
        return Standing.WRONG_ARTIFACT
    if same_person(statement.author, statement.reviewer):
        return Standing.SELF_REVIEWED
    if today < statement.issued:
        return Standing.NOT_YET_ISSUED
    return Standing.EXPIRED if today > statement.expires else Standing.VALID


def active_waiver(contract: Contract, box: str, today: dt.date) -> Waived | None:
    """Return the waiver of ``box`` that lasts longest, and whether it still counts on the day ``today``."""
    statements = [each for each in contract.waivers if each.box == box]
    if not statements:
        return None
    longest = max(statements, key=lambda each: each.expires)
    return Waived(statement=longest, standing=Standing.EXPIRED if today > longest.expires else Standing.VALID)


def not_applicable(contract: Contract, box: str) -> NotApplicable | None:
    """Return why ``box`` does not apply to this project, if the contract says so."""
    return next((each for each in contract.not_applicable if each.box == box), None)


def bare_digest(digest: str) -> str:
    """Return a SHA-256 in lower-case hexadecimal, without the prefix ``sha256:``."""
    return digest.strip().lower().removeprefix("sha256:")


def same_person(one: str, other: str) -> bool:
    """Return whether two names or addresses are the same but for case, width and blanks."""
    return _folded(one) == _folded(other)


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
