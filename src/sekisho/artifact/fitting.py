"""Bringing a table to the kinds of a signature: what another library or file format made of a column is still what it was."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sekisho.artifact.column import Column, booleans, datetimes, floats, integers, moments_of, strings
from sekisho.artifact.table import Table
from sekisho.errors import InvalidInput
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.artifact.signature import Feature, Signature


def fit_table(table: Table, signature: Signature) -> Table:
    """Return the columns of ``signature``, in its order, each of the kind and dtype that it names.

    Whole numbers fit a float, floats that are whole fit an integer, 0 and 1 fit a boolean, ISO 8601 strings fit a datetime.

    Raises:
        InvalidInput: A column is missing, or holds something else.

    """
    by_name = {column.name: column for column in table.columns}
    return Table(columns=tuple(_fitted(by_name.get(feature.name), feature) for feature in signature.features))


def _fitted(column: Column | None, feature: Feature) -> Column:
    if column is None:
        raise InvalidInput(
            "missing_feature",
            Text(en=f"the column {feature.name!r} is missing", ja=f"列 {feature.name!r} がありません"),
            Text(en="give every feature of the signature", ja="入力仕様のすべての特徴量を渡してください"),
            field=feature.name,
        )
    converted = _converted(column, feature)
    if converted is None:
        raise InvalidInput(
            "wrong_type",
            Text(
                en=f"the column {feature.name!r} holds {column.kind}, not {feature.kind}",
                ja=f"列 {feature.name!r} は {column.kind} です（{feature.kind} が必要です）",
            ),
            Text(en="see the signature of the artifact", ja="成果物の入力仕様を確認してください"),
            field=feature.name,
        )
    categories = feature.categories if feature.dtype.startswith("category") else None
    return replace(converted, dtype=feature.dtype, categories=categories, codes=None)


def _converted(column: Column, feature: Feature) -> Column | None:
    if column.null.all():
        return _empty(column, feature)
    match feature.kind:
        case "float":
            return floats(column.name, "", column.values, column.null) if column.kind in _NUMBERS else None
        case "integer":
            return _whole(column)
        case "boolean":
            return _truth(column)
        case "datetime":
            return _moment(column)
        case "category" | "text":
            return _named(column, feature)


_NUMBERS = frozenset({"float", "integer", "boolean"})


def _empty(column: Column, feature: Feature) -> Column:
    missing = np.ones(len(column), dtype=np.bool_)
    zeros = np.zeros(len(column))
    match feature.kind:
        case "float":
            return floats(column.name, "", zeros, missing)
        case "integer":
            return integers(column.name, "", zeros, missing)
        case "boolean":
            return booleans(column.name, "", zeros, missing)
        case "datetime":
            return datetimes(column.name, "", np.full(len(column), np.datetime64("NaT", "us")))
        case "category" | "text":
            return strings(column.name, "", zeros, missing, kind=feature.kind)


def _whole(column: Column) -> Column | None:
    if column.kind not in _NUMBERS:
        return None
    if column.kind == "float" and np.any(column.present() != np.round(column.present().astype(np.float64))):
        return None
    return integers(column.name, "", np.where(column.null, 0, column.values), column.null)


def _truth(column: Column) -> Column | None:
    if column.kind not in _NUMBERS or not np.isin(column.present(), [0, 1]).all():
        return None
    return booleans(column.name, "", np.where(column.null, 0, column.values), column.null)


def _moment(column: Column) -> Column | None:
    if column.kind == "datetime":
        return column
    if column.kind not in {"category", "text"}:
        return None
    moments = moments_of(column.values.tolist())
    return None if moments is None else datetimes(column.name, "", moments)


def _named(column: Column, feature: Feature) -> Column | None:
    counts = bool(feature.categories) and not any(isinstance(each, str) for each in feature.categories or ())
    if column.kind in {"category", "text"}:
        are_words = all(isinstance(value, str) for value in column.present().tolist())
        return replace(column, kind=feature.kind) if are_words != counts else None
    if not counts:
        return None
    wanted = _truth(column) if any(isinstance(each, bool) for each in feature.categories or ()) else _whole(column)
    return None if wanted is None else strings(column.name, "", wanted.values, wanted.null, kind=feature.kind)
