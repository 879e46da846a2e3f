"""The folder on disk: written whole or not at all, read only as its manifest says."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from sekisho.artifact import envelope as envelopes
from sekisho.artifact import manifest as manifests
from sekisho.artifact.content import a_pickle, is_pickle, refuse_code
from sekisho.artifact.manifest import File, Manifest, read_manifest
from sekisho.errors import ArtifactError, IntegrityError, NotFound, WrongUse
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.artifact.envelope import Envelope

_CHUNK: Final = 1024 * 1024
_PACK_AGAIN: Final = Text(en="pack the artifact again, or fetch it again", ja="パックし直すか、取得し直してください")


def write_folder(
    folder: Path,
    manifest: Manifest,
    files: Mapping[str, bytes],
    *,
    envelope: Envelope | None = None,
    overwrite: bool = False,
) -> None:
    """Write an artifact: all of it appears at once, under its final name.

    The same artifact at the same place is left as it is.

    Args:
        folder: Where; the folder above is made if need be.
        manifest: The manifest of ``files``.
        files: Every other file, by name.
        envelope: Signatures of the manifest.
        overwrite: Whether another artifact may be replaced.

    Raises:
        WrongUse: Something else is there, and it may not be replaced.
        ArtifactError: The disk is full, or the place cannot be written.

    """
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - a link to the folder stays a link
    if _is_same(folder, manifest):
        return
    _check_place(folder, overwrite=overwrite)
    partial: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".partial", dir=folder.parent))
        for name, data in {**files, manifests.NAME: manifest.encoded()}.items():
            _write(partial / name, data)
        if envelope is not None:
            _write(partial / envelopes.NAME, envelope.encoded())
        partial.chmod(0o755)
        _synchronise(partial)
        _put(partial, folder)
        _synchronise(folder.parent)
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)


def verify_folder(folder: Path) -> Manifest:
    """Return the manifest of the artifact in ``folder``, once every file has been found to be what it says, and no other is there.

    Beside the manifest may stand an envelope with signatures of it; whose they are is not asked here.

    Raises:
        NotFound: There is no such folder.
        IntegrityError: A file is missing, added, changed, cut off, or no plain file.
        UntrustedFormat: There is no manifest, but a pickle.

    """
    manifest = read_folder_manifest(folder)
    read_envelope(folder, manifest)
    verify_files(folder, manifest)
    return manifest


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Compare every file of ``folder`` with ``manifest``, which was read from there.

    Raises:
        IntegrityError: A file is missing, added, changed, cut off, or no plain file.

    """
    listed = {file.name for file in manifest.files} | {manifests.NAME}
    found = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name not in listed and entry.name != envelopes.NAME:
                raise _refused(
                    folder / entry.name, Text(en="is not in the manifest", ja="マニフェストにないファイルです")
                )
            found.add(entry.name)
    for name in sorted(listed - found):
        raise _refused(folder / name, Text(en="is missing", ja="ファイルがありません"))
    for file in manifest.files:
        _digest(folder, file)


def read_folder_manifest(folder: Path) -> Manifest:
    """Return the manifest in ``folder``, without looking at the other files.

    Raises:
        NotFound: There is no such folder.
        WrongUse: It is a file.
        IntegrityError: There is no manifest, or it is damaged.
        UntrustedFormat: There is no manifest, but a pickle.

    """
    if folder.is_file():
        with _open(folder) as stream:
            refuse_code(stream.read(), where=str(folder))
        raise WrongUse(
            Text(en="an artifact is a folder, this is a file", ja="成果物はフォルダーです。これはファイルです"),
            Text(en="make an artifact of it with sekisho pack", ja="sekisho pack で成果物にしてください"),
            where=folder,
        )
    if not folder.is_dir():
        raise NotFound(
            Text(en="there is no such artifact", ja="成果物がありません"),
            Text(
                en="check the path, or make one with sekisho pack",
                ja="パスを確認するか、sekisho pack で作成してください",
            ),
            where=folder,
        )
    path = folder / manifests.NAME
    if not os.path.lexists(path):
        for other in sorted(folder.iterdir()):
            if other.is_file() and _begins_as_pickle(other):
                raise a_pickle(str(other))
        raise IntegrityError(
            Text(en="there is no manifest.json", ja="manifest.json がありません"),
            Text(en="make an artifact with sekisho pack", ja="sekisho pack で成果物を作成してください"),
            where=folder,
        )
    with _open(path) as stream:
        data = stream.read(manifests.MOST_BYTES + 1)
    return read_manifest(data, where=str(path))


def read_envelope(folder: Path, manifest: Manifest) -> Envelope | None:
    """Return the envelope with the signatures of ``manifest`` in ``folder``; ``None`` if nobody has signed.

    Raises:
        IntegrityError: The file of that name is anything but an envelope of this very manifest.

    """
    path = folder / envelopes.NAME
    if not os.path.lexists(path):
        return None
    with _open(path) as stream:
        data = stream.read(envelopes.MOST_BYTES + 1)
    return envelopes.read_envelope(data, envelopes.statement_of(manifest), where=str(path))


def write_envelope(folder: Path, envelope: Envelope) -> None:
    """Put signatures beside the manifest: whoever reads meanwhile sees those of before, or these.

    Raises:
        ArtifactError: The folder cannot be written.

    """
    folder = folder.resolve()
    partial = folder.parent / f".{folder.name[:100]}.{secrets.token_hex(4)}.partial"
    try:
        _write(partial, envelope.encoded())
        partial.replace(folder / envelopes.NAME)
        _synchronise(folder)
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        partial.unlink(missing_ok=True)


def read_file(folder: Path, file: File) -> bytes:
    """Return the bytes of one file: those that were read are those that were verified.

    Raises:
        IntegrityError: They are not what the manifest says.

    """
    path = folder / file.name
    with _open(path) as stream:
        if os.fstat(stream.fileno()).st_size != file.size:
            raise _changed(path)
        data = stream.read(file.size + 1)
    if len(data) != file.size or hashlib.sha256(data).hexdigest() != file.sha256:
        raise _changed(path)
    return data


def _digest(folder: Path, file: File) -> None:
    path = folder / file.name
    digest, size = hashlib.sha256(), 0
    with _open(path) as stream:
        if os.fstat(stream.fileno()).st_size != file.size:
            raise _changed(path)
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            digest.update(chunk)
    if size != file.size or digest.hexdigest() != file.sha256:
        raise _changed(path)


def _open(path: Path) -> BinaryIO:
    """Open a plain file, and nothing else: no link is followed, no pipe waited for."""
    try:
        descriptor = os.open(
            path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        )
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EMLINK}:
            raise _refused(path, Text(en="is a symbolic link", ja="シンボリックリンクです")) from None
        raise _unreadable(path, error) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _refused(path, Text(en="is not a plain file", ja="通常のファイルではありません"))
    return os.fdopen(descriptor, "rb")


def _begins_as_pickle(path: Path) -> bool:
    try:
        with _open(path) as stream:
            return is_pickle(stream.read(65_536))
    except ArtifactError:
        return False


def _is_same(folder: Path, manifest: Manifest) -> bool:
    try:
        return verify_folder(folder).digest == manifest.digest
    except (ArtifactError, NotFound):
        return False


def _check_place(folder: Path, *, overwrite: bool) -> None:
    if not os.path.lexists(folder) or (folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir())):
        return
    if folder.is_dir() and (folder / manifests.NAME).is_file():
        if overwrite and not folder.is_symlink():
            return
        raise WrongUse(
            Text(en="another artifact is already there", ja="別の成果物が既にあります"),
            Text(
                en="give a new version and folder, or allow it with overwrite=True (--overwrite)",
                ja="新しいバージョンとフォルダーにするか、overwrite=True（--overwrite）で上書きを許可してください",
            ),
            where=folder,
        )
    raise WrongUse(
        Text(en="something that is not an artifact is already there", ja="成果物ではないものが既にあります"),
        Text(en="choose another folder", ja="別のフォルダーを指定してください"),
        where=folder,
    )


def _put(partial: Path, folder: Path) -> None:
    """Give ``partial`` its final name; an artifact that may be replaced is set aside until the new one stands."""
    if not folder.exists() or not any(folder.iterdir()):
        partial.rename(folder)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".old", dir=folder.parent))
    folder.rename(aside / "old")
    try:
        partial.rename(folder)
    except OSError:
        (aside / "old").rename(folder)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    path.chmod(0o644)


def _synchronise(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _changed(path: Path) -> IntegrityError:
    return _refused(path, Text(en="is not what the manifest says", ja="内容がマニフェストと一致しません"))


def _refused(path: Path, what: Text) -> IntegrityError:
    return IntegrityError(what, _PACK_AGAIN, where=path)


def _unreadable(path: Path, error: OSError) -> ArtifactError:
    return ArtifactError(
        Text(en=f"cannot be read ({error.strerror})", ja=f"読み込めません（{error.strerror}）"),
        Text(en="check that it is there and may be read", ja="存在と読み取り権限を確認してください"),
        where=path,
    )


def _unwritable(folder: Path, error: OSError) -> ArtifactError:
    return ArtifactError(
        Text(
            en=f"the artifact cannot be written here ({error.strerror}); nothing was left behind",
            ja=f"ここには書き込めません（{error.strerror}）。途中のファイルは残していません",
        ),
        Text(en="make room, or choose a folder that you may write", ja="空き容量と書き込み権限を確認してください"),
        where=folder,
    )
