"""Versions on this machine: copied into a private folder, verified there, and given their final name at once."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sekisho.artifact.folder import verify_folder
from sekisho.artifact.registry.content import changed, copy_content, files_of
from sekisho.errors import ArtifactError, NotFound, SekishoError, WrongUse
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.artifact.registry.state import Held
    from sekisho.artifact.stores.interface import Store

CACHE: Final = "SEKISHO_CACHE"
Check = Callable[[Path], None]
Listener = Callable[[float], None]


def cache_folder() -> Path:
    """Return where fetched versions lie: ``SEKISHO_CACHE``, else in the user's cache folder (XDG Base Directory)."""
    stated = os.environ.get(CACHE)
    if stated:
        return Path(stated)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache") / "sekisho" / "artifacts"


def cached(store: Store, held: Held, cache: Path, *, check: Check, listener: Listener) -> Path:
    """Return the folder of a version in the cache; a copy that is damaged is fetched again.

    Raises:
        SekishoError: It cannot be fetched, or is not what it must be.

    """
    folder = cache / (held.digest if held.envelope is None else f"{held.digest}-{held.envelope[:16]}")
    try:
        if verify_folder(folder).digest == held.digest:
            check(folder)
            return folder
    except NotFound:
        pass
    except ArtifactError:
        if _is_whole(folder, held):  # what is wrong is the signature, and fetching again mends none
            raise
    shutil.rmtree(folder, ignore_errors=True)
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    return bring(store, held, folder, check=check, listener=listener)


def bring(store: Store, held: Held, folder: Path, *, check: Check, listener: Listener) -> Path:
    """Copy a version to the new folder ``folder``.

    Raises:
        WrongUse: Something else is there.
        IntegrityError: Content is damaged or missing.
        SekishoError: ``check`` refuses it, or the folder cannot be written.

    """
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - a link to the folder stays a link
    if _is_whole(folder, held):
        check(folder)
        return folder
    if os.path.lexists(folder) and not _is_empty(folder):
        raise _taken(folder)
    partial: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".fetch.", dir=folder.parent))
        files = files_of(store, held)
        for count, (name, (digest, most_bytes)) in enumerate(files.items()):
            copy_content(store, digest, most_bytes, partial / name)
            listener((count + 1) / len(files))
        if verify_folder(partial).digest != held.digest:
            raise changed(str(folder))
        check(partial)
        partial.chmod(0o755)
        if not _appear(partial, folder, held):
            check(folder)
    except OSError as error:
        raise ArtifactError(
            Text(
                en=f"the artifact cannot be written here ({error.strerror}); nothing was left behind",
                ja=f"ここには書き込めません（{error.strerror}）。途中のファイルは残していません",
            ),
            Text(en="make room, or choose a folder that you may write", ja="空き容量と書き込み権限を確認してください"),
            where=folder,
        ) from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)
    return folder


def _appear(partial: Path, folder: Path, held: Held) -> bool:
    """Give the copy its final name; return whether nobody was first, with the same bytes."""
    try:
        partial.rename(folder)
    except OSError:
        if not _is_whole(folder, held):
            raise
        return False
    return True


def _is_whole(folder: Path, held: Held) -> bool:
    try:
        return verify_folder(folder).digest == held.digest
    except SekishoError:
        return False


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir())


def _taken(folder: Path) -> WrongUse:
    return WrongUse(
        Text(en="something else is already there", ja="別のものが既にあります"),
        Text(en="choose another folder", ja="別のフォルダーを指定してください"),
        where=folder,
    )
