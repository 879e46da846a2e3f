"""Writing a contract into a project's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sekisho.contract.loader import read_contract
from sekisho.contract.project import CONTRACT_NAME, STATE_FOLDER
from sekisho.contract.schema import SCHEMA_NAME, schema_text
from sekisho.contract.template import render_contract
from sekisho.errors import WrongUse
from sekisho.files import write_atomically
from sekisho.text import Language, Text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def write_contract(folder: Path, values: Mapping[str, Any], language: Language, *, replace: bool = False) -> Path:
    """Write ``sekisho.toml`` and its schema into ``folder``, and keep Sekisho's state out of git. Return the file.

    Args:
        folder: The folder of the project; made if it is not there.
        values: As for :func:`render_contract`.
        language: The language of the comments.
        replace: Whether a contract that is there already may be replaced.

    Raises:
        ContractError: ``values`` are not what a contract may say.
        WrongUse: There is a contract already, or ``folder`` is a file.
        OSError: The folder cannot be written.

    """
    path = folder / CONTRACT_NAME
    if folder.exists() and not folder.is_dir():
        raise WrongUse(
            Text(en="this is a file, not a folder", ja="フォルダーではなくファイルです"),
            Text(en="name a folder", ja="フォルダーを指定してください"),
            where=folder,
        )
    if path.exists() and not replace:
        raise WrongUse(
            Text(en="there is a contract already", ja="契約ファイルがすでにあります"),
            Text(en="edit it, or replace it with --force", ja="編集するか、--force で置き換えてください"),
            where=path,
        )
    text = render_contract(values, language)
    read_contract(text.encode(), str(path))
    write_atomically(folder / SCHEMA_NAME, schema_text(language))
    _keep_out_of_git(folder / ".gitignore")
    write_atomically(path, text)
    return path


def _keep_out_of_git(path: Path) -> None:
    line = f"{STATE_FOLDER}/"
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if line not in before.splitlines():
        write_atomically(path, before + ("\n" if before and not before.endswith("\n") else "") + line + "\n")
