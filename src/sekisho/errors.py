"""Every error that Sekisho raises on purpose.

::

    SekishoError                     base; exit code 3: could not run
    ├── WrongUse                     exit code 2: the caller can mend it by asking differently
    │   ├── ContractError            sekisho.toml: every fault at once, each with its place
    │   ├── NotFound                 a file, folder, box or unit that does not exist
    │   ├── Conflict                 a version or an alias stands for something else already
    │   └── InvalidInput             rows that do not fit the signature (code, row, field)
    ├── MissingExtra                 an optional library is not installed
    │   └── MissingLibrary           a library that made the model, and that no extra brings
    ├── ArtifactError                an artifact that cannot be made, read or trusted
    │   ├── IntegrityError           its bytes are not what its manifest says
    │   ├── UntrustedFormat          reading it could run code
    │   └── CannotPack               the model cannot be saved safely, or its signature cannot be learned
    ├── ModelFailed                  the model raised, died, or gave an answer that cannot be
    │   └── DeadlineExceeded         it did not answer in time
    ├── RegistryError                a registry of models cannot be read, written or believed
    ├── LedgerError                  a book cannot be opened or written
    ├── ServiceError                 a service cannot start, or does not answer
    ├── TargetError                  a deployment target refused or could not be reached
    └── NotMeasured                  a probe could not measure; the boxes that need it are unknown

Each carries what happened, where, and what to do next, in both languages, and prints as one line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.text import Text, join, verbatim

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class SekishoError(Exception):
    """Base of every error: what happened, where, and what to do next.

    Args:
        what: What happened.
        remedy: What to do next.
        where: The file, with a line if there is one, or the address concerned.

    """

    exit_code = 3

    def __init__(self, what: Text, remedy: Text, *, where: Path | str | None = None) -> None:
        super().__init__(what, remedy, where)
        self.what = what
        self.remedy = remedy
        self.where = None if where is None else str(where)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return " ".join(f"{place}{self.what} → {self.remedy}".split())


class WrongUse(SekishoError):
    """The caller asked for something that cannot be; asking differently mends it."""

    exit_code = 2


class ContractError(WrongUse):
    """``sekisho.toml`` has faults; :attr:`faults` lists all of them, each with its place.

    Args:
        faults: At least one error, each with its own place and remedy.

    """

    def __init__(self, faults: Sequence[SekishoError]) -> None:
        if not faults:
            raise ValueError("a contract error needs at least one fault")
        first = faults[0]
        super().__init__(join(fault.what for fault in faults), first.remedy, where=first.where)
        self.faults = tuple(faults)

    def __str__(self) -> str:
        return "\n".join(str(fault) for fault in self.faults)


class NotFound(WrongUse):
    """A file, folder, box or unit that does not exist."""


class Conflict(WrongUse):
    """A version or an alias stands for something else already; nothing was changed."""


class InvalidInput(WrongUse):
    """Rows that do not fit the signature. Never holds the value that was sent.

    Args:
        code: A stable code, such as ``wrong_type``.
        what: What was expected, without the value.
        remedy: What to send instead.
        row: The index of the row in the request, from 0.
        field: The name of the feature.

    """

    def __init__(
        self, code: str, what: Text, remedy: Text, *, row: int | None = None, field: str | None = None
    ) -> None:
        super().__init__(what, remedy)
        self.code = code
        self.row = row
        self.field = field


class MissingExtra(SekishoError):
    """An optional library is not installed.

    Args:
        library: The name of the distribution.
        extra: The extra of Sekisho that brings it.

    """

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(
            Text(en=f"{library} is not installed", ja=f"{library} がインストールされていません"),
            verbatim(f"pip install 'sekisho[{extra}]'"),
        )


class MissingLibrary(MissingExtra):
    """The library that made the model is not installed; the user chooses which build of it.

    Args:
        library: The name of the distribution.

    """

    def __init__(self, library: str) -> None:
        super().__init__(library, "")
        self.remedy = verbatim(f"pip install {library}")


class ArtifactError(SekishoError):
    """An artifact that cannot be made, read or trusted."""


class IntegrityError(ArtifactError):
    """The bytes of an artifact are not what its manifest says."""


class UntrustedFormat(ArtifactError):
    """Reading this file could run code, and nobody has said that it may."""


class CannotPack(ArtifactError):
    """The model cannot be saved safely, or its signature cannot be learned."""


class ModelFailed(SekishoError):
    """The model raised, died, or gave an answer that cannot be. Never holds the model's own words.

    Args:
        code: A stable code, such as ``invalid_output``.

    """

    def __init__(self, code: str, what: Text, remedy: Text) -> None:
        super().__init__(what, remedy)
        self.code = code


class DeadlineExceeded(ModelFailed):
    """The model did not answer in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            "deadline_exceeded",
            Text(en=f"no answer within {seconds:g} s", ja=f"{seconds:g} 秒以内に応答がありません"),
            Text(
                en="try again later, or raise serving.deadline_ms",
                ja="時間をおいて再試行するか、serving.deadline_ms を上げてください",
            ),
        )


class RegistryError(SekishoError):
    """A registry of models cannot be read, written or believed."""


class LedgerError(SekishoError):
    """A book of the ledger cannot be opened or written."""


class ServiceError(SekishoError):
    """A service cannot start, or does not answer."""


class TargetError(SekishoError):
    """A deployment target refused or could not be reached."""


class NotMeasured(SekishoError):
    """A probe could not measure; every box that needs its evidence is unknown, never passed."""
