"""Rows as a caller sends them, read by the rules of a signature.

A row comes as a list of values in the order of the signature or as an object of values by name. :class:`RowReader` compiles
the signature once: :attr:`RowReader.wire_type` is the type that a protocol builds into its msgspec decoder,
:meth:`RowReader.cells` unpacks what that decoder made, and :meth:`RowReader.read` judges one decoded JSON value in plain Python
when the decoder refused it, so that the answer can say where and why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from sekisho.errors import InvalidInput
from sekisho.predict.cells import Cell, read_cell, refusal, wire_type
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.artifact.signature import Signature

Row = tuple[Cell, ...]
"""The validated cells of one row, in the order of the signature."""

_LONGEST_NAME: Final = 100


class RowReader:
    """Reads rows by the rules of ``signature``."""

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        self._places = {name: place for place, name in enumerate(signature.names)}
        types = [wire_type(feature) for feature in signature.features]
        in_order: Any = tuple[tuple(types)]  # type: ignore[misc]
        self.wire_type: Any = in_order
        # msgspec cannot rename a field to a name that JSON must escape; rows of such a signature are read in Python.
        if not any(_needs_escape(name) for name in signature.names):
            by_name = msgspec.defstruct(
                "RowByName",
                [(f"feature_{place}", kind) for place, kind in enumerate(types)],
                rename={f"feature_{place}": name for name, place in self._places.items()},
                forbid_unknown_fields=True,
                frozen=True,
                gc=False,
            )
            self.wire_type = by_name | in_order

    @staticmethod
    def cells(decoded: Any) -> Row:
        """Return the cells of what msgspec decoded to :attr:`wire_type`."""
        return decoded if type(decoded) is tuple else msgspec.structs.astuple(decoded)

    def read(self, value: object, *, row: int) -> Row:
        """Return the cells of one row from a decoded JSON value.

        Args:
            value: A list or an object, as Python decodes JSON.
            row: The index of the row, for the error.

        Raises:
            InvalidInput: It is neither (``wrong_type``), has too few or too many values (``wrong_count``), lacks a feature
                (``missing_feature``), names one that is not known (``unknown_feature``), or a cell does not fit.

        """
        if isinstance(value, dict):
            return self._by_name(value, row)
        if isinstance(value, list | tuple):
            return self._in_order(value, row)
        raise InvalidInput(
            "wrong_type",
            Text(en="a row is neither a list nor an object", ja="行がリストでもオブジェクトでもありません"),
            Text(
                en="send the values as a list in the order of the signature, or as an object by name",
                ja="値をシグネチャの順のリストか、名前付きのオブジェクトで送ってください",
            ),
            row=row,
        )

    def _by_name(self, value: dict[str, object], row: int) -> Row:
        for name in value:
            if name not in self._places:
                raise _unknown(name, self.signature.names, row)
        for feature in self.signature.features:
            if feature.name not in value:
                raise InvalidInput(
                    "missing_feature",
                    Text(en="a feature is missing", ja="特徴量が足りません"),
                    refusal("wrong_type", feature, row).remedy,
                    row=row,
                    field=feature.name,
                )
        return tuple(read_cell(feature, value[feature.name], row=row) for feature in self.signature.features)

    def _in_order(self, value: list[object] | tuple[object, ...], row: int) -> Row:
        wanted = len(self.signature.features)
        if len(value) != wanted:
            raise InvalidInput(
                "wrong_count",
                Text(en="the number of values is wrong", ja="値の個数が違います"),
                Text(
                    en=f"send {wanted} values, in the order of the signature",
                    ja=f"シグネチャの順に {wanted} 個の値を送ってください",
                ),
                row=row,
            )
        return tuple(
            read_cell(feature, cell, row=row) for feature, cell in zip(self.signature.features, value, strict=True)
        )


def _needs_escape(name: str) -> bool:
    return any(character in '"\\' or character < " " for character in name)


def _unknown(name: str, known: tuple[str, ...], row: int) -> InvalidInput:
    shown = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
    plain = name.isprintable() and len(name) <= _LONGEST_NAME
    return InvalidInput(
        "unknown_feature",
        Text(en="the model has no such feature", ja="モデルにその特徴量はありません"),
        Text(en=f"send only: {shown}", ja=f"次の特徴量だけを送ってください: {shown}"),
        row=row,
        field=name if plain else None,
    )
