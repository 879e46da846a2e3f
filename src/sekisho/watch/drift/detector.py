"""The detector: measures every statistic of every column, corrects them for each other, and judges."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import numpy as np

from sekisho import shelf
from sekisho.artifact.column import Kind
from sekisho.artifact.reference import DriftReference
from sekisho.artifact.table import Table
from sekisho.errors import WrongUse
from sekisho.text import Text
from sekisho.watch.drift.correction import holm
from sekisho.watch.drift.pairs import LARGE, SMALLEST_WINDOW, Pair, pairs_of
from sekisho.watch.drift.report import ColumnDrift, DriftReport, State, Tested
from sekisho.watch.drift.sides import Numbers, Side, side_of, side_of_reference
from sekisho.watch.drift.statistics.interface import Measurement, Statistic
from sekisho.watch.drift.summary import picture_of, summary_of

STATISTICS: Final = "sekisho.watch.drift.statistics"
"""The shelf, and the entry-point group, of the statistics."""
MANY_CELLS: Final = 5_000_000
"""From this many cells on, the columns are shared among threads."""
MOST_THREADS: Final = 4

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class DriftDetector:
    """Compares windows of rows with a reference.

    A column drifts when a change is both certain and large enough: the p-value, corrected for every statistic of every column, is within the
    chance of a false alarm that the caller allows, and the effect reaches ``smallest_effect``. At a million rows a shift of 0.01
    standard deviations is certain and is not drift. The p-values hold for windows of any size, given that the rows of an unchanged window
    come independently from where those of the reference came from.

    Args:
        reference: What the model was trained on: a table (anything that :meth:`Table.of <sekisho.artifact.table.Table.of>` takes), an
            artifact, or its drift reference.
        smallest_effect: The smallest change that matters, 0 to 1: about the share of rows that moved.

    Raises:
        WrongUse: The reference is none of these, or holds no rows; or ``smallest_effect`` is not between 0 and 1.

    """

    def __init__(self, reference: object, *, smallest_effect: float = 0.10) -> None:
        if not 0.0 <= smallest_effect <= 1.0:
            raise WrongUse(
                Text(
                    en="the smallest effect must be between 0 and 1",
                    ja="最小の効果量は 0 から 1 の間でなければなりません",
                ),
                Text(en="0.10 means about one row in ten", ja="0.10 はおよそ 10 行に 1 行の変化を意味します"),
            )
        self.smallest_effect = smallest_effect
        self.statistics = tuple(shelf.units(STATISTICS, Statistic).values())
        self._columns = _reference_columns(reference)
        self.rows = max((column.side.rows for column in self._columns), default=0)
        if not self.rows:
            raise WrongUse(
                Text(en="the reference holds no rows", ja="基準のデータに行がありません"),
                Text(en="give the table that the model was trained on", ja="モデルの学習に使った表を渡してください"),
            )

    @property
    def kinds(self) -> dict[str, Kind]:
        """What the values of each column of the reference mean, by name, in order."""
        return {column.name: column.kind for column in self._columns}

    def detect_drift(
        self, new: object, threshold: float = 0.05, *, columns: Collection[str] | None = None
    ) -> DriftReport:
        """Compare a window of rows with the reference.

        Args:
            new: The rows: anything that :meth:`Table.of <sekisho.artifact.table.Table.of>` takes.
            threshold: The chance of a false alarm that this report may take, for all columns together. For a window among many, see
                :func:`~sekisho.watch.drift.correction.alpha_per_look`.
            columns: The only columns to judge; ``None`` judges all of the reference.

        Raises:
            WrongUse: ``new`` is no table, or ``threshold`` is not between 0 and 1.

        """
        if not 0.0 < threshold < 1.0:
            raise WrongUse(
                Text(en="the threshold must be between 0 and 1", ja="閾値は 0 と 1 の間でなければなりません"),
                Text(
                    en="0.05 allows a false alarm in one report of twenty",
                    ja="0.05 は 20 回に 1 回の誤報を許すという意味です",
                ),
            )
        table = Table.of(new)
        chosen = [column for column in self._columns if columns is None or column.name in columns]
        compared = _each(self._compare_with(table), chosen, cells=(self.rows + table.rows) * len(chosen))
        adjusted = iter(holm([each.p_value for column in compared for _, each in column.measured]))
        judged = [
            tuple(
                _tested(name, each, next(adjusted), threshold, self.smallest_effect) for name, each in column.measured
            )
            for column in compared
        ]
        enough = min(self.rows, table.rows) >= SMALLEST_WINDOW
        found = [
            _finding(column, tests, threshold, enough=enough) for column, tests in zip(compared, judged, strict=True)
        ]
        found += [_extra(table, name) for name in table.names if name not in self.kinds]
        return DriftReport(
            detected=any(column.detected for column in found),
            enough=enough,
            rows_reference=self.rows,
            rows_current=table.rows,
            alpha=threshold,
            smallest_effect=self.smallest_effect,
            tests=sum(map(len, judged)),
            columns=tuple(found),
        )

    def _compare_with(self, table: Table) -> Callable[[_ReferenceColumn], _Compared]:
        def compare(column: _ReferenceColumn) -> _Compared:
            if column.name not in table.names:
                return _Compared(column=column, state=State.MISSING if table.rows else State.NOT_ENOUGH_DATA)
            current = side_of(table.column(column.name), column.kind)
            if current is None:
                return _Compared(column=column, state=State.OTHER_TYPE)
            pairs = pairs_of(column.kind, column.side, current)
            measured = tuple(
                (unit.id, unit.measure(pair))
                for unit in self.statistics
                for pair in pairs
                if isinstance(pair, unit.pair)
            )
            return _Compared(column=column, current=current, pairs=pairs, measured=measured)

        return compare


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class _ReferenceColumn:
    name: str
    kind: Kind
    side: Side


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class _Compared:
    """One column before judgement; ``state`` is set when there was nothing to measure."""

    column: _ReferenceColumn
    state: State | None = None
    current: Side | None = None
    pairs: tuple[Pair, ...] = ()
    measured: tuple[tuple[str, Measurement], ...] = ()


def _reference_columns(reference: object) -> tuple[_ReferenceColumn, ...]:
    kept = getattr(reference, "reference", reference)  # that of an artifact
    if kept is None:
        raise WrongUse(
            Text(en="the artifact carries no drift reference", ja="成果物にドリフトの基準データがありません"),
            Text(
                en="pack it with the table that it was trained on: sekisho.pack(model, table, …)",
                ja="学習に使った表とともにパックしてください: sekisho.pack(model, 表, …)",
            ),
        )
    if isinstance(kept, DriftReference):
        return tuple(
            _ReferenceColumn(name=column.name, kind=column.kind, side=side_of_reference(column))
            for column in kept.columns
        )
    table = Table.of(reference)

    def prepare(name: str) -> _ReferenceColumn:
        column = table.column(name)
        side = side_of(column, column.kind)
        assert side is not None, "a column is always of its own kind"
        if isinstance(side, Numbers) and len(side.values) < LARGE:
            side = side.sorted()
        elif isinstance(side, Numbers) and np.may_share_memory(side.values, column.values):
            side = replace(side, values=side.values.copy())  # whatever becomes of the caller's table
        return _ReferenceColumn(name=column.name, kind=column.kind, side=side)

    return tuple(_each(prepare, table.names, cells=table.rows * len(table.names)))


def _each(function: Callable[[ItemT], ResultT], items: Sequence[ItemT], *, cells: int) -> list[ResultT]:
    """Apply ``function`` to every column; NumPy leaves the interpreter to other threads while it works."""
    threads = min(MOST_THREADS, os.cpu_count() or 1, len(items))
    if threads < 2 or cells < MANY_CELLS:
        return [function(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))


def _tested(statistic: str, each: Measurement, adjusted: float, alpha: float, smallest_effect: float) -> Tested:
    return Tested(
        statistic=statistic,
        value=each.value,
        effect=each.effect,
        p_value=each.p_value,
        adjusted_p_value=adjusted,
        detected=adjusted <= alpha and each.effect >= smallest_effect,
        reason=each.reason,
    )


def _finding(compared: _Compared, tests: tuple[Tested, ...], alpha: float, *, enough: bool) -> ColumnDrift:
    state = compared.state or _state(tests, alpha)
    told = min(
        tests,
        key=lambda each: (not each.detected, -each.effect if each.detected else each.adjusted_p_value, -each.effect),
        default=None,
    )
    return ColumnDrift(
        name=compared.column.name,
        kind=compared.column.kind,
        state=state,
        detected=enough and state.alarms,
        statistic=told.statistic if told else None,
        effect=told.effect if told else float(state.alarms),
        p_value=told.p_value if told else None,
        adjusted_p_value=told.adjusted_p_value if told else None,
        reason=_reason(state, told),
        tests=tests,
        reference=summary_of(compared.column.side),
        current=None if compared.current is None else summary_of(compared.current),
        picture=picture_of(compared.pairs),
    )


def _state(tests: tuple[Tested, ...], alpha: float) -> State:
    if not tests:
        return State.NOT_ENOUGH_DATA
    if any(each.detected for each in tests):
        return State.DRIFT
    return State.SMALL if any(each.adjusted_p_value <= alpha for each in tests) else State.STABLE


def _reason(state: State, told: Tested | None) -> Text:
    match state:
        case State.DRIFT if told:
            return told.reason
        case State.SMALL if told:
            return Text(en=f"small: {told.reason.en}", ja=f"小さな変化: {told.reason.ja}")
        case State.MISSING:
            return Text(en="the column is not there any more", ja="列がなくなりました")
        case State.OTHER_TYPE:
            return Text(en="the column holds values of another type", ja="列の値の型が変わりました")
        case State.NOT_ENOUGH_DATA:
            return Text(
                en=f"not enough data: fewer than {SMALLEST_WINDOW} rows",
                ja=f"データ不足: {SMALLEST_WINDOW} 行に達していません",
            )
        case State.EXTRA:
            return Text(en="not in the reference: not judged", ja="基準にない列: 判定の対象外")
        case _:
            return Text(en="no change beyond chance", ja="偶然の範囲を超える変化なし")


def _extra(table: Table, name: str) -> ColumnDrift:
    column = table.column(name)
    side = side_of(column, column.kind)
    return ColumnDrift(
        name=name,
        kind=None,
        state=State.EXTRA,
        detected=False,
        statistic=None,
        effect=0.0,
        p_value=None,
        adjusted_p_value=None,
        reason=_reason(State.EXTRA, None),
        tests=(),
        reference=None,
        current=None if side is None else summary_of(side),
        picture=None,
    )
