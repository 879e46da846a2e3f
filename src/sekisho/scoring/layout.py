"""Which columns of a table are features, which are passed through, and which nobody wants."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sekisho.errors import WrongUse
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from sekisho.artifact.signature import Signature

_INDEX: Final = re.compile(r"__index_level_[0-9]+__")
"""The index of a data frame that pandas wrote; nobody asked for it."""
_MOST_NAMED: Final = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """What becomes of columns that are no features.

    Attributes:
        keep: Columns that are passed through, by name; a feature may be one.
        keep_all: Whether all columns are.
        ignore_others: Whether a column that is neither a feature nor kept is left out in silence, rather than refused.
        header: Whether CSV begins with the names of its columns; ``None``: look and see.

    """

    keep: tuple[str, ...] = ()
    keep_all: bool = False
    ignore_others: bool = False
    header: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """The columns of one table.

    Attributes:
        names: All of them, in the order of the table.
        kept: Those that are passed through, in the order of the output.
        strict: Whether a row with another column is refused.

    """

    names: tuple[str, ...]
    kept: tuple[str, ...]
    strict: bool = True


def lay_out(names: Sequence[str], signature: Signature, wishes: Wishes, taken: Container[str], *, where: str) -> Layout:
    """Return what becomes of each column.

    Args:
        names: The columns of a table.
        signature: The features.
        wishes: What the caller wants of the others.
        taken: The names of the answers, which no column that is kept may have.
        where: The table, for errors.

    Raises:
        WrongUse: A feature or a column to be kept is missing, a column stands twice, nobody said what to do with one, or a column
            that is kept is called as an answer is.

    """
    features = set(signature.names)
    missing = [name for name in signature.names if name not in names]
    if missing:
        raise _missing(missing, where)
    for name in wishes.keep:
        if name not in names:
            raise WrongUse(
                Text(en=f"there is no column {name!r} to keep", ja=f"引き継ぐ列 {name!r} がありません"),
                Text(en="check --keep against the table", ja="--keep の列名を表と照らし合わせてください"),
                where=where,
            )
    for place, name in enumerate(names):
        if name in names[:place] and (name in features or name in wishes.keep or wishes.keep_all):
            raise WrongUse(
                Text(en=f"column {name!r} stands twice", ja=f"列 {name!r} が重複しています"),
                Text(en="name every column once", ja="列名は1回ずつにしてください"),
                where=where,
            )
    plain = [name for name in names if not _INDEX.fullmatch(name)]
    kept = tuple(plain if wishes.keep_all else dict.fromkeys(wishes.keep))
    others = [name for name in plain if name not in features and name not in kept]
    if others and not wishes.ignore_others:
        raise _unknown(others, where)
    for name in kept:
        if name in taken:
            raise WrongUse(
                Text(
                    en=f"column {name!r} cannot be kept: an answer is called so",
                    ja=f"列 {name!r} は推論結果の列と同名のため引き継げません",
                ),
                Text(
                    en="rename it, or keep columns by name with --keep",
                    ja="列名を変えるか、--keep で列を個別に指定してください",
                ),
                where=where,
            )
    return Layout(names=tuple(names), kept=kept, strict=not wishes.ignore_others and not wishes.keep_all)


def _missing(names: Sequence[str], where: str) -> WrongUse:
    listed = _list(names)
    return WrongUse(
        Text(en=f"columns are missing: {listed}", ja=f"列が足りません: {listed}"),
        Text(
            en="give every feature of the model a column of its name (sekisho inspect lists them)",
            ja="モデルの全特徴量を同じ名前の列で渡してください (sekisho inspect で一覧できます)",
        ),
        where=where,
    )


def _unknown(names: Sequence[str], where: str) -> WrongUse:
    listed = _list(names)
    return WrongUse(
        Text(en=f"the model has no such features: {listed}", ja=f"モデルにない列があります: {listed}"),
        Text(
            en="pass columns through with --keep COLUMN or --keep-all, or leave them out with --ignore-others",
            ja="--keep 列名 か --keep-all で引き継ぐか、--ignore-others で除外してください",
        ),
        where=where,
    )


def _list(names: Sequence[str]) -> str:
    shown = [name[:100] if name.isprintable() and name.strip() else ascii(name)[:100] for name in names[:_MOST_NAMED]]
    return ", ".join(shown) + (f", … ({len(names)})" if len(names) > _MOST_NAMED else "")
