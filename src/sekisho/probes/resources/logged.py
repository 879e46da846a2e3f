"""What the service of this project has been asked and has answered: the newest rows of its book of predictions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from sekisho.artifact.table import Column, Table
from sekisho.contract.project import Project
from sekisho.errors import NotMeasured, SekishoError
from sekisho.gate.probe import resource
from sekisho.ledger.address import is_there, shown
from sekisho.ledger.personal import without_treated
from sekisho.ledger.predictions import PredictionBook, PredictionRecord
from sekisho.serving.contracted import book_of
from sekisho.text import Text

MOST_ROWS: Final = 5_000
AT: Final = "at"


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Logged:
    """Rows of the book of predictions, the newest last.

    Attributes:
        records: At least one; all with the same features.
        digest: SHA-256 of them, in hexadecimal.

    """

    records: tuple[PredictionRecord, ...]
    digest: str

    def table(self) -> Table:
        """Return the features as a table, without those that were left out of the book."""
        return Table.of([dict(record.features) for record in self.records])

    def times(self) -> Column:
        """Return when each row was answered."""
        return Table.of({AT: [record.at for record in self.records]}).column(AT)


@resource(title=Text(en="Open the book of predictions", ja="予測台帳を開く"))
def logged(project: Project) -> Iterator[Logged]:
    """Yield the newest rows of the project's book of predictions.

    Raises:
        NotMeasured: There is no book, nothing in it, or it cannot be read.

    """
    address = book_of(project)
    if not is_there(address):
        raise _nothing(Text(en="the service has written no book of predictions", ja="サービスの予測台帳がありません"))
    try:
        with PredictionBook(address) as book:
            newest = [without_treated(record) for record in book.recent(MOST_ROWS)]
    except SekishoError as error:
        raise NotMeasured(error.what, error.remedy, where=error.where or shown(address)) from error
    names = set(newest[-1].features) if newest else set()
    records = tuple(record for record in newest if set(record.features) == names)
    if not records or not names:
        raise _nothing(Text(en="the book of predictions is empty", ja="予測台帳が空です"))
    digest = hashlib.sha256(msgspec.json.encode(records)).hexdigest()
    yield Logged(records=records, digest=digest)


def _nothing(what: Text) -> NotMeasured:
    return NotMeasured(
        what,
        Text(
            en="serve the model with sekisho serve --project DIR for a while, or name a sample in data.production",
            ja="sekisho serve --project DIR でしばらく稼働させるか、data.production に標本を指定してください",
        ),
    )
