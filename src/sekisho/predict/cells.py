"""One cell of a request: what its feature accepts, and what is said when it does not fit.

The rules exist twice, on purpose. :func:`wire_type` hands them to msgspec, whose compiled decoder takes in nearly every request;
:func:`read_cell` states them in Python, for the requests that the decoder refused, so that the answer can name the row,
the field and the rule. A test holds the two against one another.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from sekisho.errors import InvalidInput
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.artifact.column import Scalar
    from sekisho.artifact.signature import Feature

Cell = float | int | bool | str | dt.datetime | None
"""A validated cell: of the feature's kind, or ``None`` where the feature may be null."""

LONGEST_STRING: Final = 10_000
MOST_NAMED: Final = 20
SMALLEST_INTEGER: Final = -(2**63)
LARGEST_INTEGER: Final = 2**63 - 1

_Integer = Annotated[int, msgspec.Meta(ge=SMALLEST_INTEGER, le=LARGEST_INTEGER)]
_String = Annotated[str, msgspec.Meta(max_length=LONGEST_STRING)]
_Moment = Annotated[dt.datetime, msgspec.Meta(tz=True)]

EXPECTED: Final[dict[str, Text]] = {
    "float": Text(en="a JSON number", ja="JSON の数値"),
    "integer": Text(en="a whole JSON number of at most 64 bits", ja="64ビット以内の JSON の整数"),
    "boolean": Text(en="true or false", ja="true または false"),
    "text": Text(
        en=f"a JSON string of at most {LONGEST_STRING:,} characters", ja=f"{LONGEST_STRING:,} 文字以内の JSON 文字列"
    ),
    "datetime": Text(
        en="an RFC 3339 date-time with a time zone, such as 2026-01-31T09:30:00Z",
        ja="タイムゾーン付きの RFC 3339 日時（例: 2026-01-31T09:30:00Z）",
    ),
}
"""What each kind of feature accepts, for people. Categories: :func:`expected`."""


def category_types(feature: Feature) -> tuple[type, ...]:
    """Return the JSON types that name the categories of ``feature``: those of the categories seen, else strings."""
    return tuple(sorted({type(value) for value in feature.categories or ("",)}, key=lambda kind: kind.__name__))


def wire_type(feature: Feature) -> Any:
    """Return the type that msgspec decodes a cell of ``feature`` to."""
    match feature.kind:
        case "float":
            # An integer token stays an integer, so that one which no float can hold is noticed; one beyond 64 bits is read in Python.
            accepted: Any = _Integer | float
        case "integer":
            accepted = _Integer
        case "boolean":
            accepted = bool
        case "datetime":
            accepted = _Moment
        case "text":
            accepted = _String
        case "category":
            accepted = None
            for kind in category_types(feature):
                one = {str: _String, int: _Integer, bool: bool}[kind]
                accepted = one if accepted is None else accepted | one
    return accepted | None if feature.nullable else accepted


def expected(feature: Feature) -> Text:
    """Return what a cell of ``feature`` must be, as part of a sentence."""
    if feature.kind == "category":
        names = {str: ("a string", "文字列"), int: ("a whole number", "整数"), bool: ("true or false", "true か false")}
        words = [names[kind] for kind in category_types(feature)]
        base = Text(en=" or ".join(en for en, _ in words), ja="または".join(ja for _, ja in words))
    else:
        base = EXPECTED[feature.kind]
    return Text(en=f"{base.en}, or null", ja=f"{base.ja}（または null）") if feature.takes_null else base


def read_cell(feature: Feature, value: object, *, row: int) -> Cell:
    """Return a cell from a decoded JSON value, by the rules of ``feature``.

    Args:
        feature: What the cell must be.
        value: A JSON value as Python decodes it. A number with an integral value counts as a whole number, as in JSON Schema.
        row: The index of the row, for the error.

    Raises:
        InvalidInput: It does not fit: ``null_not_allowed``, ``wrong_type``, ``not_finite``, ``not_exact``, ``too_long`` or
            ``invalid_datetime``.

    """
    if value is None:
        if feature.nullable:
            return None
        raise refusal("null_not_allowed", feature, row)
    match feature.kind:
        case "float":
            return _read_float(feature, value, row)
        case "integer":
            return _read_integer(feature, value, row)
        case "boolean":
            if isinstance(value, bool):
                return value
        case "datetime":
            if isinstance(value, str):
                return _read_moment(feature, value, row)
        case "text":
            if isinstance(value, str):
                return _read_string(feature, value, row)
        case "category":
            if type(value) in category_types(feature):
                if isinstance(value, str):
                    return _read_string(feature, value, row)
                return _read_integer(feature, value, row) if type(value) is int else bool(value)
    raise refusal("wrong_type", feature, row)


def _read_float(feature: Feature, value: object, row: int) -> float | int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refusal("wrong_type", feature, row)
    try:
        number = float(value)
    except OverflowError:
        raise refusal("not_finite", feature, row) from None
    if number - number != 0.0:
        raise refusal("not_finite", feature, row)
    return value


def _read_integer(feature: Feature, value: object, row: int) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise refusal("wrong_type", feature, row)
    if not SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
        raise refusal("not_exact", feature, row)
    return value


def _read_string(feature: Feature, value: str, row: int) -> str:
    if len(value) > LONGEST_STRING:
        raise refusal("too_long", feature, row)
    return value


def _read_moment(feature: Feature, value: str, row: int) -> dt.datetime:
    try:
        return msgspec.convert(value, _Moment)
    except msgspec.ValidationError:
        raise refusal("invalid_datetime", feature, row) from None


_SAID: Final[dict[str, Text]] = {
    "wrong_type": Text(en="the value has the wrong type", ja="値の型が違います"),
    "null_not_allowed": Text(en="null is not allowed here", ja="null は使えません"),
    "not_finite": Text(en="the number is too large for any computation", ja="数値が大きすぎて計算できません"),
    "not_exact": Text(
        en="the number cannot be represented exactly and would silently become another",
        ja="数値を正確に表現できず、別の値に変わってしまいます",
    ),
    "too_long": Text(en="the string is too long", ja="文字列が長すぎます"),
    "invalid_datetime": Text(en="the value is not a date-time that exists", ja="存在する日時ではありません"),
    "out_of_range": Text(
        en="the value is outside the range that the model was trained on", ja="値が学習時の範囲の外です"
    ),
    "unseen_category": Text(en="the model has never seen this category", ja="学習時に現れなかったカテゴリです"),
}


def refusal(code: str, feature: Feature, row: int | None) -> InvalidInput:
    """Return the error for a cell that does not fit. It says what is expected, never what was sent."""
    wanted = expected(feature)
    if code == "out_of_range":
        wanted = Text(
            en=f"a value from {_shown(feature.minimum)} to {_shown(feature.maximum)}",
            ja=f"{_shown(feature.minimum)} から {_shown(feature.maximum)} までの値",
        )
    elif code == "unseen_category":
        wanted = _seen_categories(feature)
    elif code == "not_exact" and feature.kind == "integer" and not feature.nullable:
        wanted = Text(en="a whole number from -2^63 to 2^63 - 1", ja="-2^63 から 2^63 - 1 までの整数")
    elif code == "not_exact":
        wanted = Text(en="a whole number of at most 2^53, or a fraction", ja="絶対値が 2^53 以下の整数、または小数")
    remedy = Text(en=f"send {wanted.en}", ja=f"{wanted.ja}を送ってください")
    return InvalidInput(code, _SAID[code], remedy, row=row, field=feature.name)


def _seen_categories(feature: Feature) -> Text:
    if feature.personal:
        return Text(en="a value that occurs in the training data", ja="学習データに現れる値")
    names = [_shown(value) for value in (feature.categories or ())[:MOST_NAMED]]
    more = len(feature.categories or ()) > MOST_NAMED
    return Text(
        en=f"one of: {', '.join(names)}{', …' if more else ''}",
        ja=f"{'、'.join(names)}{'、…' if more else ''} のいずれか",
    )


def _shown(value: Scalar) -> str:
    return msgspec.json.encode(value).decode()[:100]
