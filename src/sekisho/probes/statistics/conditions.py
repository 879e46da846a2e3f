"""Parts of a table that somebody named: ``region``, ``region = north``, ``age < 25 and region = north``."""

from __future__ import annotations

import operator
import re
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sekisho.artifact.table import Column, Table
from sekisho.errors import NotMeasured
from sekisho.probes.statistics.baselines import numbers
from sekisho.probes.statistics.slicing import cut
from sekisho.text import Text

_CONDITION: Final = re.compile(r"\s*(.+?)\s*(<=|>=|!=|==|=|<|>)\s*(.+?)\s*")
_ORDERS: Final[dict[str, Any]] = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def named_parts(words: str, table: Table) -> dict[str, NDArray[np.bool_]]:
    """Return the rows of each part that ``words`` name: one for conditions, one a value or band for a column.

    Raises:
        NotMeasured: A column is not there, or a condition asks for the order of what is no number.

    """
    if words.strip() in table.names:
        found = cut(table.column(words.strip()))
        if found is None:
            return {}
        return {label: found.codes == part for part, label in enumerate(found.labels) if (found.codes == part).any()}
    inside = np.ones(table.rows, dtype=np.bool_)
    for condition in re.split(r"\s+and\s+", words.strip()):
        inside &= _meets(condition, words, table)
    return {words.strip(): inside}


def _meets(condition: str, words: str, table: Table) -> NDArray[np.bool_]:
    match = _CONDITION.fullmatch(condition)
    if match is None or match[1] not in table.names:
        known = ", ".join(table.names[:12])
        raise _wrong(
            words,
            Text(en=f"name one of the columns of data.test: {known}", ja=f"data.test の列を指定してください: {known}"),
        )
    column, sign, value = table.column(match[1]), match[2], match[3].strip("'\"")
    if sign in _ORDERS:
        try:
            limit = float(value)
        except ValueError:
            raise _wrong(words, _NUMBER) from None
        if column.kind not in {"float", "integer", "boolean"}:
            raise _wrong(words, _NUMBER)
        ordered: NDArray[np.bool_] = _ORDERS[sign](numbers(column), limit)
        return ordered
    same = _equals(column, value)
    return ~same & ~column.null if sign == "!=" else same


def _equals(column: Column, value: str) -> NDArray[np.bool_]:
    if column.kind in {"float", "integer"}:
        try:
            return np.asarray(numbers(column) == float(value), dtype=np.bool_)
        except ValueError:
            return np.zeros(len(column), dtype=np.bool_)
    return np.array([str(cell).casefold() == value.casefold() for cell in column.scalars()], dtype=np.bool_)


_NUMBER: Final = Text(
    en="compare a column of numbers with a number: age < 25", ja="数値の列を数値と比べてください (例: age < 25)"
)


def _wrong(words: str, remedy: Text) -> NotMeasured:
    return NotMeasured(
        Text(
            en=f"the slice {words!r} names no part of the test set",
            ja=f"部分集合 {words!r} がテストデータのどこを指すのか分かりません",
        ),
        remedy,
        where="quality.slices",
    )
