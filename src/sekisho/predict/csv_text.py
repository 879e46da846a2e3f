"""CSV as callers send it (RFC 4180, UTF-8), read into the JSON values that the rules of a signature are stated in."""

from __future__ import annotations

import csv
import io
import re
from itertools import islice
from typing import TYPE_CHECKING, Final

from sekisho.errors import InvalidInput
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.artifact.column import Scalar
    from sekisho.artifact.signature import Feature, Signature

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,4})?")
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,400}")


def read_rows(
    body: bytes, signature: Signature, *, most_rows: int | None = None, header: bool | None = None
) -> list[list[Scalar]]:
    """Return the rows of a CSV text as JSON values, in the order of the signature.

    A first line that holds the names of the features is a header, and its order counts; without one, values stand in the order of the
    signature. An empty cell is null. A cell that is no value of its feature's kind comes back as a string, for the rules to refuse.

    Args:
        body: The text.
        signature: The features.
        most_rows: No more rows are read than one above this; ``None``: all are.
        header: Whether the first line is a header; ``None``: look and see.

    Raises:
        InvalidInput: It is not CSV (``malformed_csv``), a line has another number of cells (``wrong_count``), or the header is not the
            names of the features (``unknown_feature``).

    """
    try:
        text = io.StringIO(body.decode("utf-8-sig"), newline="")
        found = (line for line in csv.reader(text, strict=True) if line)
        lines = list(found if most_rows is None else islice(found, most_rows + 2))
    except (UnicodeDecodeError, csv.Error):
        raise InvalidInput(
            "malformed_csv",
            Text(en="the body is not CSV in UTF-8", ja="本文が UTF-8 の CSV ではありません"),
            Text(en="send CSV as in RFC 4180, in UTF-8", ja="RFC 4180 に従った CSV を UTF-8 で送ってください"),
        ) from None
    names = signature.names
    order = list(range(len(names)))
    is_header = bool(lines) and sorted(lines[0]) == sorted(names)
    if header and not is_header:
        raise InvalidInput(
            "unknown_feature",
            Text(en="the first line is not the names of the features", ja="先頭行が特徴量名の一覧ではありません"),
            Text(en="name every feature once in the first line", ja="先頭行に全特徴量名を1回ずつ書いてください"),
        )
    if is_header and header is not False:
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
        [read_cell_text(feature, line[place]) for feature, place in zip(signature.features, order, strict=True)]
        for line in lines
    ]


def read_cell_text(feature: Feature, words: str) -> Scalar:
    """Return a cell of CSV as a JSON value: an empty one is null, one that is no value of its kind stays a string."""
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
