"""The report on one window: what was tested, what was found, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec

from sekisho.artifact.column import Kind
from sekisho.errors import NotFound
from sekisho.text import Text
from sekisho.watch.drift.pairs import SMALLEST_WINDOW
from sekisho.watch.drift.summary import Picture, Summary


class State(StrEnum):
    """What is said of one column."""

    DRIFT = "drift"
    MISSING = "missing"
    OTHER_TYPE = "other-type"
    SMALL = "small"
    STABLE = "stable"
    NOT_ENOUGH_DATA = "not-enough-data"
    EXTRA = "extra"

    @property
    def alarms(self) -> bool:
        """Whether somebody should look at it."""
        return self in {State.DRIFT, State.MISSING, State.OTHER_TYPE}


STATE_WORDS: Final[Mapping[State, Text]] = {
    State.DRIFT: Text(en="drift", ja="ドリフト"),
    State.MISSING: Text(en="column missing", ja="列の欠落"),
    State.OTHER_TYPE: Text(en="other type", ja="型の変化"),
    State.SMALL: Text(en="small change", ja="小さな変化"),
    State.STABLE: Text(en="stable", ja="変化なし"),
    State.NOT_ENOUGH_DATA: Text(en="not enough data", ja="データ不足"),
    State.EXTRA: Text(en="not judged", ja="判定対象外"),
}
"""The states in words, in the order in which they deserve attention."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tested:
    """One statistic of one column.

    Attributes:
        statistic: Its id on the shelf.
        value, effect, p_value: As in :class:`~sekisho.watch.drift.statistics.interface.Measurement`.
        adjusted_p_value: Corrected for all statistics of all columns of the report (Holm).
        detected: Whether the adjusted p-value is within the report's chance of a false alarm, and the effect large enough.
        reason: What has changed, in figures.

    """

    statistic: str
    value: float
    effect: float
    p_value: float
    adjusted_p_value: float
    detected: bool
    reason: Text


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnDrift:
    """What was found in one column.

    Attributes:
        name: Its name.
        kind: What its values mean in the reference; ``None`` for a column that the reference does not have.
        state: The finding.
        detected: Whether it counts as drift.
        statistic: The statistic that tells most about it; ``None`` when nothing was tested.
        effect: Its effect, 0 to 1; 1 for a column that is gone or holds another type.
        p_value, adjusted_p_value: Its p-values; ``None`` when nothing was tested.
        reason: One sentence.
        tests: Every statistic.
        reference, current: What each side holds; ``None`` where there is no such column.
        picture: The shares of both sides in the same bins; ``None`` where there is nothing to compare.

    """

    name: str
    kind: Kind | None
    state: State
    detected: bool
    statistic: str | None
    effect: float
    p_value: float | None
    adjusted_p_value: float | None
    reason: Text
    tests: tuple[Tested, ...]
    reference: Summary | None
    current: Summary | None
    picture: Picture | None

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values, texts in the language in use; ``drift_detected`` says again what ``detected`` says."""
        values: dict[str, Any] = msgspec.to_builtins(self, enc_hook=_plain)
        return {"drift_detected": self.detected, **values}


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class DriftReport(Mapping[str, Any]):
    """What was found in one window of rows, against the reference.

    It reads like the dictionary that many tutorials return: iterating gives the columns of the reference, ``report["drift_detected"]`` the
    verdict, ``report["age"]["p_value"]`` and ``report["age"]["drift_detected"]`` that of one column.

    Attributes:
        detected: Whether any column drifted.
        enough: Whether there were rows enough to say so.
        rows_reference, rows_current: Rows of each side.
        alpha: The chance of a false alarm that this report may take, for all columns and statistics together.
        smallest_effect: Changes below it are no drift, however sure.
        tests: How many statistics were corrected for each other.
        columns: Every column of the reference in its order, then those that it does not have.

    """

    detected: bool
    enough: bool
    rows_reference: int
    rows_current: int
    alpha: float
    smallest_effect: float
    tests: int
    columns: tuple[ColumnDrift, ...]

    @property
    def drifted(self) -> tuple[ColumnDrift, ...]:
        """The columns that drifted, largest effect first."""
        return tuple(sorted((each for each in self.columns if each.detected), key=lambda each: -each.effect))

    @property
    def by_attention(self) -> tuple[ColumnDrift, ...]:
        """All columns, those that deserve attention first."""
        order = list(STATE_WORDS)
        return tuple(sorted(self.columns, key=lambda each: (not each.detected, order.index(each.state), -each.effect)))

    @property
    def verdict(self) -> Text:
        """The verdict in one sentence."""
        if not self.enough:
            rows = min(self.rows_reference, self.rows_current)
            return Text(
                en=f"Not enough data: {rows:,} rows, at least {SMALLEST_WINDOW} are needed",
                ja=f"データ不足: {rows:,} 行 (最低 {SMALLEST_WINDOW} 行が必要)",
            )
        judged = sum(column.kind is not None for column in self.columns)
        if not self.detected:
            return Text(en=f"No drift in {judged} columns", ja=f"{judged} 列のいずれにもドリフトなし")
        drifted = len(self.drifted)
        return Text(en=f"Drift in {drifted} of {judged} columns", ja=f"{judged} 列中 {drifted} 列でドリフトを検知")

    def column(self, name: str) -> ColumnDrift:
        """Return what was found in the column ``name``.

        Raises:
            NotFound: Neither side has it.

        """
        for column in self.columns:
            if column.name == name:
                return column
        raise NotFound(
            Text(en=f"the report has no column {name!r}", ja=f"レポートに列 {name!r} はありません"),
            Text(en="choose one of report.columns", ja="report.columns にある列名を指定してください"),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the whole report as JSON values, texts in the language in use."""
        return {
            "drift_detected": self.detected,
            "enough_data": self.enough,
            "rows_reference": self.rows_reference,
            "rows_current": self.rows_current,
            "alpha": self.alpha,
            "smallest_effect": self.smallest_effect,
            "tests": self.tests,
            "columns": [column.as_dict() for column in self.columns],
        }

    def to_json(self) -> str:
        """Return the whole report as JSON; numbers that JSON does not have (infinities) are null."""
        return msgspec.json.encode(self.as_dict()).decode()

    def __getitem__(self, key: str) -> Any:
        for column in self.columns:
            if column.name == key and column.kind is not None:
                return column.as_dict()
        if key == "drift_detected":
            return self.detected
        if key in {"features", "columns"}:
            return {name: self[name] for name in self}
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return (column.name for column in self.columns if column.kind is not None)

    def __len__(self) -> int:
        return sum(column.kind is not None for column in self.columns)


def _plain(value: object) -> str:
    return str(value)
