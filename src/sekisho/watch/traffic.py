"""What the last rows of the book say of the traffic."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sekisho.ledger.predictions import PredictionRecord


@dataclass(frozen=True, kw_only=True, slots=True)
class Traffic:
    """Rows that were answered.

    Attributes:
        rows: How many.
        first_at, last_at: When the first and the last of them was answered: RFC 3339, UTC; ``None`` without rows.
        rows_per_minute: From the first of them until now, over a second at least; ``None`` without rows.
        flagged: How many rows had something unusual.
        flags: How many rows had each kind of flag, most frequent first.
        latency_p50_ms, latency_p99_ms: Of requests, in milliseconds; ``None`` without rows.

    """

    rows: int
    first_at: str | None
    last_at: str | None
    rows_per_minute: float | None
    flagged: int
    flags: tuple[tuple[str, int], ...]
    latency_p50_ms: float | None
    latency_p99_ms: float | None


def traffic_of(records: Sequence[PredictionRecord], now: dt.datetime) -> Traffic:
    """Return what ``records``, oldest first, say of the traffic at the moment ``now``."""
    first, last = (records[0].at, records[-1].at) if records else (None, None)
    seconds = max(1.0, (now - dt.datetime.fromisoformat(first)).total_seconds()) if first else None
    kinds = Counter(kind for record in records for kind in {flag.partition(":")[0] for flag in record.flags})
    requests = {record.request_id: record.latency_ms for record in records}
    p50, p99 = np.percentile(list(requests.values()), [50, 99]).tolist() if requests else (None, None)
    return Traffic(
        rows=len(records),
        first_at=first,
        last_at=last,
        rows_per_minute=None if seconds is None else 60.0 * len(records) / seconds,
        flagged=sum(bool(record.flags) for record in records),
        flags=tuple(kinds.most_common()),
        latency_p50_ms=p50,
        latency_p99_ms=p99,
    )
