"""Every section and key of the contract as data, read from the structs: for the template, the schema and the pages."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import inspect

from sekisho.contract.sections import Contract, Section
from sekisho.text import Text, verbatim

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """One key of the contract.

    Attributes:
        name: Its dotted name, such as ``quality.metric``.
        type: What it accepts.
        required: Whether its table cannot do without it.
        default: What stands for it when it is not set, as a TOML value; ``None``: nothing.

    """

    name: str
    type: inspect.Type
    required: bool
    default: object

    @property
    def short_name(self) -> str:
        """The last part of the name, as it stands in its table."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """One section of the contract: ``[name]``, or ``[[name]]`` where it may stand more than once.

    Attributes:
        name: Its dotted name; empty for the keys above all sections.
        repeated: Whether it may stand more than once.
        keys: Its keys, in the order of the struct.

    """

    name: str
    repeated: bool
    keys: tuple[Key, ...]


@functools.cache
def tables() -> tuple[Table, ...]:
    """Return every section of the contract, in the order of the structs; the one without a name comes first."""
    return tuple(_tables("", _struct(inspect.type_info(Contract)), repeated=False))


def required_keys(section: type[Section]) -> tuple[str, ...]:
    """Return the keys that a section cannot do without."""
    return tuple(field.name for field in _struct(inspect.type_info(section)).fields if field.required)


def defaults(section: type[Section]) -> dict[str, Any]:
    """Return what stands for the keys of a section that are not set, but for sections below it."""
    fields = _struct(inspect.type_info(section)).fields
    return {field.name: field.default for field in fields if field.default is not msgspec.NODEFAULT}


def _tables(name: str, struct: inspect.StructType, *, repeated: bool) -> Iterator[Table]:
    inner: list[Table] = []
    keys: list[Key] = []
    for field in struct.fields:
        dotted = f"{name}.{field.name}".removeprefix(".")
        below = _below(field.type)
        if below is not None:
            inner.extend(_tables(dotted, below[0], repeated=below[1]))
        else:
            default = None if field.default is msgspec.NODEFAULT else msgspec.to_builtins(field.default)
            keys.append(Key(name=dotted, type=field.type, required=field.required, default=default))
    yield Table(name=name, repeated=repeated, keys=tuple(keys))
    yield from inner


def _below(kind: inspect.Type) -> tuple[inspect.StructType, bool] | None:
    """Return the struct of a sub-table and whether it is repeated; ``None`` for other keys."""
    if isinstance(kind, inspect.StructType):
        return kind, False
    if isinstance(kind, inspect.VarTupleType) and isinstance(kind.item_type, inspect.StructType):
        return kind.item_type, True
    return None


def _struct(kind: inspect.Type) -> inspect.StructType:
    assert isinstance(kind, inspect.StructType)
    return kind


# What a key accepts, in words

_SIMPLE: Final[dict[type[inspect.Type], Text]] = {
    inspect.BoolType: Text(en="true or false", ja="真偽値 (true / false)"),
    inspect.DateType: Text(en="a day such as 2027-03-31", ja="2027-03-31 のような日付"),
    inspect.StructType: Text(en="a table", ja="テーブル"),
}


def expected(kind: inspect.Type) -> Text:
    """Return what a key of this type accepts, in words: ``a number from 0 to 1``."""
    match kind:
        case inspect.Metadata():
            stated = (kind.extra or {}).get("expected")
            return stated if isinstance(stated, Text) else expected(kind.type)
        case inspect.UnionType():
            parts = [expected(part) for part in kind.types if not isinstance(part, inspect.NoneType)]
            return parts[0] if len(parts) == 1 else _any_of(parts)
        case inspect.LiteralType():
            return _one_of(choices(kind))
        case inspect.VarTupleType():
            each = expected(kind.item_type)
            return Text(en=f"a list, each {each.en}", ja=f"配列 (各要素は{each.ja})")
        case inspect.StrType():
            filled = Text(en="text that is not empty", ja="空でない文字列")
            return filled if kind.min_length else Text(en="text", ja="文字列")
        case inspect.IntType():
            return _number(Text(en="a whole number", ja="整数"), kind)
        case inspect.FloatType():
            return _number(Text(en="a number", ja="数値"), kind)
    return _SIMPLE[type(kind)]


def choices(kind: inspect.Type) -> tuple[str | int, ...]:
    """Return the values that a key of this type may have, or its elements; none if it is not a matter of choice."""
    match kind:
        case inspect.LiteralType():
            return tuple(value for value in kind.values if isinstance(value, str | int))
        case inspect.VarTupleType():
            return choices(kind.item_type)
        case inspect.UnionType():
            return tuple(value for part in kind.types for value in choices(part))
        case inspect.Metadata():
            return choices(kind.type)
    return ()


def _any_of(parts: list[Text]) -> Text:
    return Text(en=" or ".join(part.en for part in parts), ja="、".join(part.ja for part in parts) + " のいずれか")


def is_inside(kind: inspect.Type) -> bool:
    """Return whether a key of this type is the path of a file inside the project's folder."""
    match kind:
        case inspect.Metadata():
            return bool((kind.extra or {}).get("inside"))
        case inspect.UnionType():
            return any(is_inside(part) for part in kind.types)
    return False


def _one_of(values: tuple[str | int, ...]) -> Text:
    if len(values) == 1:
        return verbatim(str(values[0]))
    listed = ", ".join(f'"{value}"' for value in values)
    return Text(en=f"one of {listed}", ja=f"{listed} のいずれか")


def _number(noun: Text, kind: inspect.IntType | inspect.FloatType) -> Text:
    bounds = ((">", kind.gt), ("≥", kind.ge), ("<", kind.lt), ("≤", kind.le))
    stated = ", ".join(f"{sign} {bound:,}".removesuffix(".0") for sign, bound in bounds if bound is not None)
    return Text(en=f"{noun.en} ({stated})", ja=f"{noun.ja} ({stated})") if stated else noun
