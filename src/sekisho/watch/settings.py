"""What the watcher of a running service is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sekisho.watch.drift.correction import SECONDS_PER_DAY, alpha_per_look


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchSettings:
    """What is watched, and how strictly.

    Attributes:
        ledger: The book of predictions: a file, or the URL of a database.
        interval_seconds: The time between two looks.
        window_rows: How many of the last rows are judged.
        false_alarms_per_30_days: The budget for all columns and looks together.
        smallest_effect: Smaller changes are no drift.
        ignored: Features that are not judged, such as those that are never written down.

    """

    ledger: Path | str
    interval_seconds: float = 5.0
    window_rows: int = 1_000
    false_alarms_per_30_days: float = 1.0
    smallest_effect: float = 0.10
    ignored: tuple[str, ...] = ()

    @property
    def alpha(self) -> float:
        """The chance of a false alarm that one look may take.

        Windows that follow one another closely share most of their rows, so their verdicts depend on each other. The budget is divided by
        the number of looks in 30 days all the same: the union bound asks for no independence, and the bounds behind the p-values fall so
        fast that it costs little. For a window of 1,000 rows, twenty columns and a look every 5 seconds, a shift is certain from about
        0.10 on, where it begins to matter anyway; with one look an hour it would be certain from 0.08 on.
        """
        return alpha_per_look(self.false_alarms_per_30_days, SECONDS_PER_DAY / self.interval_seconds)
