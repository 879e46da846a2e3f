"""Bodies that are tables, whatever their format, as rows."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from sekisho.errors import InvalidInput
from sekisho.predict import csv_text, json_text
from sekisho.serving.bulk.columns import read_columns
from sekisho.serving.bulk.media import COLUMNS, CSV
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.predict.rows import Row
    from sekisho.serving.http.forms import Form
    from sekisho.serving.routing import Model


def read_table(body: bytes, form: Form, model: Model) -> Sequence[Row]:
    """Return the rows of a body that is not JSON.

    Raises:
        InvalidInput: It is not what its media type says, holds too much, or a cell does not fit.

    """
    if form.media_type in COLUMNS:
        return read_columns(body, form.media_type, model)
    if form.media_type == CSV:
        header = {"present": True, "absent": False}.get(form.parameters.get("header", ""))
        values: list[Any] = csv_text.read_rows(body, model.signature, most_rows=model.most_rows, header=header)
    else:
        values = _lines(body, model)
    model.check_count(len(values))
    return [model.reader.read(value, row=row) for row, value in enumerate(values)]


def check_answer(form: Form) -> None:
    """Refuse to answer in a format whose library is not there.

    Raises:
        InvalidInput: ``not_acceptable``.

    """
    if form.answer in COLUMNS and find_spec("pyarrow") is None:
        raise InvalidInput(
            "not_acceptable",
            Text(en="the library for this format is not installed here", ja="この形式に必要なライブラリがありません"),
            Text(
                en="accept JSON or CSV, or have pyarrow installed beside the service",
                ja="JSON か CSV を受け取るか、サービス側に pyarrow を導入してください",
            ),
        )


def _lines(body: bytes, model: Model) -> list[object]:
    """Return the values of JSON Lines: a row each, or ``{"features": row}``."""
    lines = body.split(b"\n", 2 * model.most_rows + 1)
    found = [line for line in lines if line.strip()]
    model.check_count(len(found))
    values: list[object] = []
    for row, line in enumerate(found):
        try:
            value = json_text.parse(line)
        except InvalidInput as error:
            error.row = row
            raise
        values.append(value["features"] if isinstance(value, dict) and set(value) == {"features"} else value)
    return values
