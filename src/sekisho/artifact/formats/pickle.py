"""pickle and joblib: formats that run code when they are read. Only with an explicit word, which is logged; never inside an artifact."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Final

from sekisho.artifact.content import a_pickle
from sekisho.errors import ArtifactError, MissingExtra, NotFound
from sekisho.text import Text

ENDINGS: Final = (".pkl", ".pickle", ".joblib")

_log = logging.getLogger("sekisho.artifact")


def load(path: Path, *, trust: bool) -> Any:
    """Return the object in a pickle or joblib file.

    Args:
        path: The file.
        trust: Whether the caller has said that this file may run code.

    Raises:
        UntrustedFormat: Nobody has.
        NotFound: There is no such file.
        ArtifactError: It could not be read.
        MissingExtra: joblib is not installed.

    """
    if not trust:
        raise a_pickle(str(path))
    if not path.is_file():
        raise NotFound(
            Text(en="there is no such file", ja="ファイルがありません"),
            Text(en="check the path", ja="パスを確認してください"),
            where=path,
        )
    _log.warning("reading a pickle because it was trusted: %s", path)
    try:
        import joblib
    except ImportError:
        raise MissingExtra("joblib", "pack") from None
    try:
        return joblib.load(path)
    except Exception as error:
        # Reading a pickle runs code of any kind, which raises errors of any kind.
        raise ArtifactError(
            Text(en="the pickle could not be read", ja="pickle を読み込めませんでした"),
            Text(
                en="install the libraries that wrote it, or save the model as skops",
                ja="書き出したときのライブラリを入れるか、モデルを skops で保存してください",
            ),
            where=path,
        ) from error
