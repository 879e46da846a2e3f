"""Files that others on this machine should not read, and must not change."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from sekisho.errors import WrongUse
from sekisho.serving.settings import is_address
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.serving.settings import ServingSettings


def refuse_changeable(settings: ServingSettings) -> None:
    """Refuse keys and certificates that everybody on this machine may change: who may ask would be theirs to say.

    Raises:
        WrongUse: There is such a file.

    """
    for path in (settings.client_authority, settings.certificate, _tokens(settings), *dict(_secret(settings)).values()):
        if path is not None and _mode(path) & stat.S_IWOTH:
            raise WrongUse(
                Text(
                    en="everybody on this machine may change this file",
                    ja="このマシンの誰でもこのファイルを書き換えられます",
                ),
                Text(en="chmod o-w", ja="chmod o-w で書き込みを禁じてください"),
                where=path,
            )


def readable_secrets(settings: ServingSettings) -> list[tuple[str, str]]:
    """Return the settings whose files hold secrets, or hashes of them, that everybody on this machine may read, and the files' modes."""
    return [
        (name, f"{stat.S_IMODE(_mode(path)):04o}") for name, path in _secret(settings) if _mode(path) & stat.S_IROTH
    ]


def _secret(settings: ServingSettings) -> Iterator[tuple[str, Path]]:
    if settings.key_file is not None:
        yield "key_file", settings.key_file
    if settings.certificate is not None:
        yield "private_key", settings.private_key or settings.certificate


def _tokens(settings: ServingSettings) -> Path | None:
    return None if settings.token_keys is None or is_address(settings.token_keys) else Path(settings.token_keys)


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError:
        return 0  # whoever reads it says what is wrong
