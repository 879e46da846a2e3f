"""Reading a model from wherever the user says it is."""

from __future__ import annotations

from typing import Final

from sekisho import shelf
from sekisho.artifact.imports.interface import Found, Importer
from sekisho.errors import NotFound
from sekisho.text import Text

SHELF: Final = "sekisho.artifact.imports"


def read_source(source: str, *, trust: bool = False, trusted_types: tuple[str, ...] = ()) -> Found:
    """Return the model at ``source``: a file, a folder, or ``mlflow:`` and what MLflow calls it.

    Raises:
        NotFound: It is no such place.
        SekishoError: As :meth:`Importer.read <sekisho.artifact.imports.interface.Importer.read>`.

    """
    for importer in shelf.units(SHELF, Importer).values():  # type: ignore[type-abstract]
        if importer.takes(source):
            return importer.read(source, trust=trust, trusted_types=trusted_types)
    raise NotFound(
        Text(en="this is no place that models are read from", ja="モデルを読み込める場所ではありません"),
        Text(
            en="name a file, a folder, or mlflow:RUN_ID or mlflow:models:/NAME/VERSION",
            ja="ファイル、フォルダー、mlflow:RUN_ID、mlflow:models:/NAME/VERSION のいずれかを指定してください",
        ),
        where=source,
    )
