"""Rows that end the process of the model, again and again: they wait for a while before they are let near it once more.

Each death costs a process that others wait for. Rows that have done it three times are refused at once, for a second, and for twice as long
after every further time; when they are answered after all, all is forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Final

from sekisho.errors import ModelFailed
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from sekisho.predict.rows import Row

CODE: Final = "rows_quarantined"
PATIENCE: Final = 3
"""How often the same rows may end a process before they have to wait."""
FIRST_SECONDS: Final = 1.0
LONGEST_SECONDS: Final = 60.0
MOST_ROWS: Final = 64
"""Requests with more rows are not remembered."""
MOST_REQUESTS: Final = 256
FORGOTTEN_SECONDS: Final = 600.0


@dataclass(slots=True)
class _Record:
    deaths: int = 0
    until: float = 0.0
    """Until when they have to wait."""
    last: float = 0.0


class Quarantine:
    """What is known of rows that have ended a process. Costs nothing as long as there are none."""

    def __init__(self) -> None:
        self._records: OrderedDict[Hashable, _Record] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._records)

    def refusal(self, rows: Sequence[Row], now: float) -> ModelFailed | None:
        """Return why rows are not let near the model now; ``None`` if they are.

        Args:
            rows: The rows of one request.
            now: Seconds of the monotonic clock.

        """
        record = self._records.get(_key(rows))
        if record is None or record.until <= now:
            return None
        return quarantined(ceil(record.until - now))

    def blame(self, rows: Sequence[Row], now: float) -> None:
        """Note that rows, alone, have ended a process."""
        key = _key(rows)
        if key is None:
            return
        record = self._records.pop(key, None)
        if record is None or record.last + FORGOTTEN_SECONDS < now:
            record = _Record()
        record.deaths += 1
        record.last = now
        if record.deaths >= PATIENCE:
            record.until = now + min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** (record.deaths - PATIENCE))
        self._records[key] = record
        if len(self._records) > MOST_REQUESTS:
            self._records.popitem(last=False)

    def clear(self, rows: Sequence[Row]) -> None:
        """Note that rows were answered."""
        self._records.pop(_key(rows), None)


def _key(rows: Sequence[Row]) -> Hashable:
    return tuple(map(tuple, rows)) if len(rows) <= MOST_ROWS else None


def quarantined(seconds: int) -> ModelFailed:
    """Return the error for rows that have to wait."""
    return ModelFailed(
        CODE,
        Text(
            en="these rows have ended the process of the model again and again",
            ja="この行はモデルのプロセスを繰り返し落としています",
        ),
        Text(
            en=f"do not send them before {seconds} s have passed; tell the operator of the service",
            ja=f"{seconds} 秒間は再送せず、サービスの運用者に連絡してください",
        ),
    )
