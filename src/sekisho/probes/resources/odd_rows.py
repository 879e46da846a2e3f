"""Rows that a model may meet and was not shown: made from its signature, one by one and at random."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sekisho.artifact.signature import Feature, Signature

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

JsonRow = dict[str, object]
"""JSON values by feature; ``msgspec.Raw`` for a word such as ``NaN`` that JSON does not know."""

MOST_FEATURES: Final = 100
"""How many features are tried one by one."""
MOST_CATEGORIES: Final = 200
"""How many known categories of a feature are tried."""
MOST_ODD: Final = 3
"""How many cells of a random row are odd: with more, hardly a row would get past the first refusal."""
NUMBERS: Final = frozenset({"float", "integer"})
NOT_FINITE: Final = (msgspec.Raw(b"NaN"), msgspec.Raw(b"Infinity"), msgspec.Raw(b"-Infinity"))
WORDS: Final = (
    *("never seen before", "", " ", "東京\u3000🗼", "e\u0301\u200b", "' OR 1=1 --", "x" * 5_000, "null", "NaN", "0"),
    *("a\x00b", "\u202eאב", "\ufeff", "é" * 9_999, "x" * 20_000, "line\nbreak\t", "👩‍👩‍👧‍👦"),
)
"""Words that nobody has seen: empty, wide, combining, invisible, hostile, long, with a zero byte, from right to left."""
HALF: Final = msgspec.Raw(b'"\\ud800"')
"""Half of a surrogate pair: JSON can spell it, and no text holds it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OddRow:
    """One row.

    Attributes:
        kind: What is odd about it.
        feature: The feature that is; ``None`` for the whole row.
        row: Its values.
        must_answer: Whether the signature allows it, so that refusing it is wrong.

    """

    kind: str
    feature: str | None
    row: JsonRow
    must_answer: bool


def odd_rows(signature: Signature, usual: Sequence[Mapping[str, object]]) -> Iterator[OddRow]:
    """Yield rows in which one thing is odd, for every feature and every way it can be.

    Args:
        signature: What the model takes.
        usual: Rows that it takes; they are changed in turn.

    """
    count = 0

    def base() -> JsonRow:
        nonlocal count
        count += 1
        return dict(usual[count % len(usual)])

    yield OddRow(kind="usual row", feature=None, row=base(), must_answer=True)
    nullable = [feature.name for feature in signature.features if feature.nullable]
    if nullable:
        yield OddRow(kind="every allowed null", feature=None, row=base() | dict.fromkeys(nullable), must_answer=True)
    for kind, row in _whole_rows(signature, base()):
        yield OddRow(kind=kind, feature=None, row=row, must_answer=is_allowed(signature, row))
    yield OddRow(kind="unknown feature", feature=None, row=base() | {"no such feature": 1}, must_answer=False)
    for feature in signature.features[:MOST_FEATURES]:
        for kind, value, must_answer in _cells(feature):
            yield OddRow(kind=kind, feature=feature.name, row=base() | {feature.name: value}, must_answer=must_answer)
        short = base()
        short.pop(feature.name, None)
        yield OddRow(kind="missing feature", feature=feature.name, row=short, must_answer=False)
        renamed = {f"{name} " if name == feature.name else name: value for name, value in base().items()}
        yield OddRow(kind="renamed feature", feature=feature.name, row=renamed, must_answer=False)


def _whole_rows(signature: Signature, usual: JsonRow) -> Iterator[tuple[str, JsonRow]]:
    """Yield rows that are odd as a whole: of nulls alone, and of numbers that are all alike."""
    yield "nothing but nulls", dict.fromkeys(signature.names)
    numeric = [feature for feature in signature.features if feature.kind in NUMBERS]
    if len(numeric) > 1:
        for number in (0, 1, -1):
            yield "numbers all alike", usual | {feature.name: number for feature in numeric}
        for end in ("minimum", "maximum"):
            ends = {feature.name: getattr(feature, end) for feature in numeric if getattr(feature, end) is not None}
            yield "every number at its end", usual | ends


def _cells(feature: Feature) -> Iterator[tuple[str, object, bool]]:
    """Yield what is odd, the value, and whether it must be answered."""
    yield ("null, allowed" if feature.nullable else "null, not allowed"), None, feature.nullable
    if feature.kind in NUMBERS:
        yield from _numbers(feature)
    elif feature.kind == "datetime":
        yield from (
            (kind, value, True)
            for kind, value in (("smallest", feature.minimum), ("largest", feature.maximum))
            if value
        )
        yield from (("beyond the range", moment, False) for moment in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"))
        yield from (("no moment", words, False) for words in ("2026-02-30T00:00:00Z", "yesterday", ""))
    elif feature.kind == "boolean":
        yield from (("known category", value, value in (feature.categories or ())) for value in (True, False))
    else:
        yield from (("known category", value, True) for value in (feature.categories or ())[:MOST_CATEGORIES])
        yield from _words(feature)
    yield from (("wrong type", value, False) for value in _wrong(feature))


def _words(feature: Feature) -> Iterator[tuple[str, object, bool]]:
    known = feature.categories or ()
    whole = [value for value in known if type(value) is int]
    if whole:
        yield from (("unseen category", number, False) for number in (max(whole) + 1, min(whole) - 1, 2**31))
    yield from (("unseen category", word, False) for word in WORDS if word not in known)
    yield from (("another spelling", word, False) for word in _spelled_otherwise(known))
    yield "half a character", HALF, False


def _spelled_otherwise(known: Sequence[object]) -> list[str]:
    """Return the first known words in capitals, and with blanks around them."""
    words = [word for word in known if isinstance(word, str)][:3]
    return [other for word in words for other in (word.swapcase(), f" {word} ") if other not in known]


def _numbers(feature: Feature) -> Iterator[tuple[str, object, bool]]:
    whole = feature.kind == "integer"
    low, high = feature.minimum, feature.maximum
    if isinstance(low, int | float) and isinstance(high, int | float):
        span = max(1, high - low)
        yield "smallest", low, True
        yield "largest", high, True
        yield "beyond the range", int(low - 10 * span) if whole else low - 10 * span, False
        yield "beyond the range", int(high + 10 * span) if whole else high + 10 * span, False
        yield from (("zero or negative", value, low <= value <= high) for value in (0, -1))
    if whole:
        yield from (("beyond 32 bits", number, False) for number in (2**31, -(2**31) - 1, 2**32))
    yield from (("beyond 2^53", number, False) for number in (2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**63, 10**40))
    yield from (("not finite", number, False) for number in NOT_FINITE)
    if whole:
        yield "wrong type", 1.5, False
    else:
        yield from (("tiny or huge", number, False) for number in (5e-324, -0.0, 1.7e308, -1.7e308))
        yield "not finite", msgspec.Raw(b"1e999"), False


def _wrong(feature: Feature) -> tuple[object, ...]:
    if feature.kind in NUMBERS:
        return ("12", "", "abc", True, [1.0], {"value": 1})
    if feature.kind == "boolean":
        return ("true", 1, 0, [True])
    kinds = {type(value) for value in feature.categories or ("",)}
    numbers: tuple[object, ...] = () if int in kinds else (7, 1.5)
    return (*numbers, *(() if bool in kinds else (True,)), ["a"], {"a": "b"})


def random_rows(signature: Signature) -> SearchStrategy[JsonRow]:
    """Return a strategy for rows in which up to three cells are odd; it shrinks towards the example row."""
    from hypothesis import strategies as st

    usual = st.fixed_dictionaries({feature.name: _usual(feature) for feature in signature.features})
    odd = {feature.name: _odd(feature) for feature in signature.features}
    some = st.lists(st.sampled_from(list(odd)), max_size=MOST_ODD, unique=True)
    changes = some.flatmap(lambda names: st.fixed_dictionaries({name: odd[name] for name in names}))
    return st.tuples(usual, changes).map(lambda pair: pair[0] | pair[1])


def _usual(feature: Feature) -> SearchStrategy[Any]:
    """Return a strategy for cells that the signature allows."""
    from hypothesis import strategies as st

    usual = st.just(feature.example)
    low, high = feature.minimum, feature.maximum
    if feature.kind == "float" and isinstance(low, int | float) and isinstance(high, int | float):
        usual |= st.floats(float(low), float(high))
    elif feature.kind == "integer" and isinstance(low, int) and isinstance(high, int):
        usual |= st.integers(low, high)
    elif feature.categories:
        usual |= st.sampled_from(feature.categories)
    return usual | st.none() if feature.nullable else usual


def _odd(feature: Feature) -> SearchStrategy[Any]:
    """Return a strategy for cells of the right type with any value, and for some of another type."""
    from hypothesis import strategies as st

    whole = st.integers(-(2**64), 2**64)
    if feature.kind == "float":
        return st.floats() | st.floats(allow_nan=False, allow_infinity=False) | whole | st.none()
    if feature.kind == "integer":
        return whole | st.integers(-(2**31), 2**31) | st.floats() | st.none()
    if feature.kind == "datetime":
        return st.datetimes().map(lambda moment: moment.isoformat() + "Z") | st.text(max_size=30) | st.none()
    if feature.kind == "boolean":
        return st.booleans() | st.integers(0, 1) | st.none()
    words = st.text(max_size=50)
    return words | words | st.integers(-(2**31), 2**31) | st.none()


def is_allowed(signature: Signature, row: Mapping[str, object]) -> bool:
    """Return whether the signature allows every value of a row, so that the model must answer it."""
    return all(_is_allowed(feature, row[feature.name]) for feature in signature.features)


def _is_allowed(feature: Feature, value: object) -> bool:
    if value is None:
        return feature.nullable
    if feature.categories is not None:
        return any(type(value) is type(known) and value == known for known in feature.categories)
    if feature.kind == "text":
        return isinstance(value, str)
    low, high = feature.minimum, feature.maximum
    if feature.kind == "datetime":
        return isinstance(value, str) and value in {low, high, feature.example}
    if isinstance(value, bool) or not isinstance(value, int if feature.kind == "integer" else int | float):
        return False
    return isinstance(low, int | float) and isinstance(high, int | float) and low <= value <= high


def shown(value: object) -> str:
    """Return a cell or a row as JSON for a person, shortened."""
    if isinstance(value, float) and (value != value or value in {float("inf"), float("-inf")}):
        return str(value)
    words = msgspec.json.encode(_plain(value)).decode()
    return words if len(words) <= 300 else words[:300] + "…"


def _plain(value: object) -> object:
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode()
    if isinstance(value, float) and (value != value or value in {float("inf"), float("-inf")}):
        return str(value)
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return value
