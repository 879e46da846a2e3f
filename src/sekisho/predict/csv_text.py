"""CSV as callers send it (RFC 4180, UTF-8), read into the JSON values that the rules of a signature are stated in."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Final

from sekisho.errors import InvalidInput
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.artifact.column import Scalar
    from sekisho.artifact.signature import Feature, Signature

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,4})?")
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,400}")


def read_rows(body: bytes, signature: Signature) -> list[list[Scalar]]:
    """Return the rows of a CSV text as JSON values, in the order of the signature.

    A first line that holds the names of the features is a header, and its order counts; without one, values stand in the order of the
    signature. An empty cell is null. A cell that is no value of its feature's kind comes back as a string, for the rules to refuse.

    Raises:
        InvalidInput: It is not CSV (``malformed_csv``), or a line has another number of cells (``wrong_count``).

    """
    try:
        lines = [line for line in csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True) if line]
    except (UnicodeDecodeError, csv.Error):
        raise InvalidInput(
            "malformed_csv",
            Text(en="the body is not CSV in UTF-8", ja="本文が UTF-8 の CSV ではありません"),
            Text(en="send CSV as in RFC 4180, in UTF-8", ja="RFC 4180 に従った CSV を UTF-8 で送ってください"),
        ) from None
    names = signature.names
    order = list(range(len(names)))
    if lines and sorted(lines[0]) == sorted(names):
        order = [lines[0].index(name) for name in names]
        lines = lines[1:]
    for row, line in enumerate(lines):
        if len(line) != len(names):
            raise InvalidInput(
                "wrong_count",
                Text(en="the number of cells is wrong", ja="セルの個数が違います"),
                Text(en=f"send {len(names)} cells a line", ja=f"1行に {len(names)} 個のセルを送ってください"),
                row=row,
            )
    return [
        [_cell(feature, line[place]) for feature, place in zip(signature.features, order, strict=True)]
        for line in lines
    ]


def _cell(feature: Feature, words: str) -> Scalar:
    if not words:
        return None
    kinds = {type(value) for value in feature.categories or ()} if feature.kind == "category" else set()
    if feature.kind == "float" and _NUMBER.fullmatch(words):
        return int(words) if _WHOLE.fullmatch(words) else float(words)
    if (feature.kind == "integer" or kinds == {int}) and _WHOLE.fullmatch(words):
        return int(words)
    if (feature.kind == "boolean" or kinds == {bool}) and words.lower() in {"true", "false"}:
        return words.lower() == "true"
    return words
