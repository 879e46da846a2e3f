"""The true answers of the reference set: a column of it by name, several of them, or the answers themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sekisho.artifact.column import Column, listed, plain
from sekisho.artifact.table import Table
from sekisho.errors import CannotPack
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence


def targets_of(table: Table, target: object) -> tuple[tuple[Column, ...] | None, tuple[str, ...]]:
    """Return the true answers, one column an answer, and which columns of ``table`` they are.

    Args:
        table: The reference set.
        target: The name of a column, several names, or the answers: a series, a list, an array of shape ``(n,)`` or ``(n, outputs)``, a
            data frame whose columns are the answers. An array's answers are called ``target_0``, ``target_1``, ...; a single one
            ``prediction``.

    Raises:
        CannotPack: There are more or fewer answers than rows, two share a name, or they are of more than two dimensions.
        NotFound: There is no such column.

    """
    if target is None:
        return None, ()
    names = _named(table, target)
    columns = tuple(table.column(name) for name in names) if names else _given(target)
    _check_names([column.name for column in columns])
    for column in columns:
        if len(column) != table.rows:
            raise CannotPack(
                Text(
                    en=f"{len(column)} answers for {table.rows} rows of the reference set",
                    ja=f"参照データは {table.rows} 行ですが、目的変数は {len(column)} 行です",
                ),
                Text(en="give one answer a row", ja="行ごとに1つの答えを渡してください"),
            )
    return columns, names


def _named(table: Table, target: object) -> tuple[str, ...]:
    """Return the columns that ``target`` names; a list of words is taken for names where it cannot be the answers."""
    if isinstance(target, str):
        return (target,)
    if not isinstance(target, list | tuple) or not target or not all(isinstance(each, str) for each in target):
        return ()
    known = set(target) & set(table.names)
    if known and (len(known) == len(target) or len(target) != table.rows):
        return tuple(target)
    return ()


def _given(target: Any) -> tuple[Column, ...]:
    if isinstance(target, Column):
        return (target,)
    if isinstance(target, Table):
        return target.columns
    if hasattr(target, "toarray"):  # labels of many kinds, mostly zeros
        target = target.toarray()
    if _is_frame(target):
        return _of_frame(target)
    if isinstance(target, list | tuple) and target and isinstance(target[0], list | tuple | np.ndarray):
        target = _of_lists(target)
    if isinstance(target, np.ndarray) and target.ndim > 1:
        return _of_array(target)
    name = getattr(target, "name", None)
    name = name if isinstance(name, str) and name else "prediction"
    if isinstance(target, np.ndarray):
        return (plain(name, np.ravel(target)),)
    if hasattr(target, "to_frame"):
        return (Table.of(target.to_frame(name)).columns[0],)
    if type(target).__module__.partition(".")[0] == "pyarrow":  # an Array or a ChunkedArray, as a column of a Table is
        return (listed(name, target.to_pylist()),)
    return (listed(name, target),)


def _is_frame(target: Any) -> bool:
    return isinstance(target, dict) or hasattr(target, "column_names") or hasattr(target, "columns")


def _of_frame(target: Any) -> tuple[Column, ...]:
    """Return the columns of a data frame; those that have numbers for names are called as an array's are."""
    names = list(getattr(target, "columns", ()))
    if names and not any(isinstance(name, str) for name in names) and hasattr(target, "iloc"):
        target = target.set_axis([f"target_{place}" for place in range(len(names))], axis=1)
    elif hasattr(target, "iloc"):
        _check_names([str(name) for name in names])
    return Table.of(target).columns


def _of_lists(target: Sequence[Any]) -> np.ndarray[Any, Any]:
    widths = {len(row) if isinstance(row, list | tuple | np.ndarray) else 0 for row in target}
    if len(widths) > 1:
        raise CannotPack(
            Text(en="the rows of the target differ in length", ja="目的変数の行の長さが揃っていません"),
            Text(en="give as many answers to every row", ja="どの行にも同じ数の答えを渡してください"),
        )
    kinds = {type(cell) for row in target for cell in row}
    return np.array(target, dtype=object if str in kinds and len(kinds) > 1 else None)


def _of_array(target: np.ndarray[Any, Any]) -> tuple[Column, ...]:
    if target.ndim > 2:
        raise CannotPack(
            Text(en=f"the target has {target.ndim} dimensions", ja=f"目的変数が {target.ndim} 次元です"),
            Text(en="give an array of rows and answers", ja="「行×答え」の2次元で渡してください"),
        )
    width = target.shape[1]
    names = ["prediction"] if width == 1 else [f"target_{place}" for place in range(width)]
    return tuple(_of_cells(name, target[:, place]) for place, name in enumerate(names))


def _of_cells(name: str, cells: np.ndarray[Any, Any]) -> Column:
    return listed(name, cells.tolist()) if cells.dtype == object else plain(name, np.ascontiguousarray(cells))


def _check_names(names: Sequence[str]) -> None:
    if not names:
        raise CannotPack(
            Text(en="the target has no columns", ja="目的変数に列がありません"),
            Text(en="give the true answers, or leave it out", ja="正解を渡すか、省略してください"),
        )
    if len(set(names)) < len(names) or not all(names):
        raise CannotPack(
            Text(
                en="two columns of the target share a name, or one has none",
                ja="目的変数の列名が重複しているか、空です",
            ),
            Text(en="name every answer once", ja="答えごとに異なる名前を付けてください"),
        )
