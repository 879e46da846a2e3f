"""Where Python, its libraries and the programs in reach lie: what confined code must still be able to read."""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path


def library_folders(around: Path) -> Iterator[str]:
    """Yield where this Python and its libraries lie.

    Args:
        around: A folder that is to stay out of reach: neither it nor one above it is given, nor a home or the root.

    """
    own = {sys.prefix, sys.base_prefix, *site.getsitepackages(), *sysconfig.get_paths().values(), *sys.path}
    home = Path.home().resolve()
    for path in {Path(each).resolve() for each in own if each and Path(each).exists()}:
        if not (around.is_relative_to(path) or home.is_relative_to(path)):
            yield str(path)


def program_folders(program: str, path: str) -> Iterator[str]:
    """Yield the folders of the programs in reach, and of the environment that ``program`` belongs to.

    Args:
        program: The program; only an absolute path tells more than ``path`` does.
        path: Folders, as in the variable ``PATH``.

    """
    yield from (folder for folder in path.split(os.pathsep) if folder.startswith("/") and Path(folder).is_dir())
    found = Path(program)
    if not found.is_absolute() or not found.exists():
        return
    for each in (found, found.resolve()):
        yield str(each.parent)
        top = each.parent.parent
        if (top / "pyvenv.cfg").is_file():
            yield str(top)
            yield from _home(top / "pyvenv.cfg")
        elif each.parent.name == "bin" and (top / "lib").is_dir() and top != Path("/"):
            yield str(top)


def environment_inside(path: str, place: Path) -> str | None:
    """Return the environment of Python below ``place`` that a folder belongs to; ``None`` when it belongs to none."""
    for each in (Path(path), *Path(path).parents):
        if each == place:
            return None
        if (each / "pyvenv.cfg").is_file() or (each / "conda-meta").is_dir():
            return str(each)
    return None


def _home(settings: Path) -> Iterator[str]:
    """Yield where the Python of a virtual environment lies."""
    for line in settings.read_text("utf-8", "replace").splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "home" and value.strip():
            yield str(Path(value.strip()).resolve().parent)
