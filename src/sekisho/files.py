"""Writing files so that a reader sees all of the old content or all of the new."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write_atomically(path: Path, content: str | bytes, *, mode: int = 0o666) -> None:
    """Write ``content`` to ``path`` by way of a temporary file beside it; folders above are made.

    Whatever happens on the way (a full disk, Ctrl-C), ``path`` is untouched and the temporary file is gone.

    Args:
        path: The file to write; one that exists is replaced.
        content: Text is written as UTF-8 with the line endings it has.
        mode: The permissions of the file, less the process's umask.

    Raises:
        OSError: It cannot be written.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:  # noqa: PTH123
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
