"""The private Ed25519 keys that sign: made for their owner's eyes only, and read from nowhere else."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sekisho.artifact.keys import NOT_ED25519, PUBLIC_ENDING, content_of_key, library, no_key
from sekisho.errors import ArtifactError, WrongUse
from sekisho.text import Text

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_PLAIN: Final = b"-----BEGIN PRIVATE KEY-----"
_ENCRYPTED: Final = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"


def new_key(private_path: Path | str, passphrase: bytes | None = None) -> Path:
    """Make a key: the private half in ``private_path`` for its owner's eyes only, the public half beside it, ending in ``.pub``.

    Args:
        private_path: Where; nothing is overwritten.
        passphrase: Encrypts the private half.

    Returns:
        Where the public half is.

    Raises:
        WrongUse: Something is there already, or the passphrase is empty.
        ArtifactError: The place cannot be written.
        MissingExtra: ``cryptography`` is not installed.

    """
    library()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if passphrase is not None and not passphrase:
        raise WrongUse(
            Text(en="the passphrase is empty", ja="パスフレーズが空です"),
            Text(en="give one, or none at all", ja="パスフレーズを指定するか、指定そのものを外してください"),
        )
    private = Path(private_path)
    public = private.with_name(private.name + PUBLIC_ENDING)
    locked = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    shown = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    if os.path.lexists(public):
        raise _there(public)
    _create(private, secret, 0o600)
    try:
        _create(public, shown, 0o644)
    except BaseException:
        private.unlink(missing_ok=True)
        raise
    return public


def read_private_key(path: Path | str, passphrase: bytes | None = None) -> Ed25519PrivateKey:
    """Return the private key in a PEM file.

    Raises:
        NotFound: There is no such file.
        WrongUse: It holds no Ed25519 private key, the passphrase is wrong, or others may read it and it is not encrypted.
        MissingExtra: ``cryptography`` is not installed.

    """
    library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    path = Path(path)
    data, mode = content_of_key(path)
    if data.startswith(_PLAIN) and mode & 0o077:
        raise WrongUse(
            Text(en="others may read this private key", ja="この秘密鍵は他のユーザーにも読める状態です"),
            Text(
                en="chmod 600 it, or make one with a passphrase",
                ja="chmod 600 にするか、パスフレーズ付きの鍵を作ってください",
            ),
            where=path,
        )
    if not data.startswith((_PLAIN, _ENCRYPTED)):
        raise no_key(path, Text(en="this is not a private key in PEM", ja="PEM 形式の秘密鍵ではありません"))
    try:
        key = load_pem_private_key(data, passphrase if data.startswith(_ENCRYPTED) else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise WrongUse(
            Text(
                en="the private key cannot be read: it is damaged, or the passphrase is not right",
                ja="秘密鍵を読み込めません（破損、またはパスフレーズの誤り）",
            ),
            Text(en="give its passphrase, or another key", ja="正しいパスフレーズか、別の鍵を指定してください"),
            where=path,
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise no_key(path, NOT_ED25519)
    return key


def _create(path: Path, data: bytes, mode: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError:
        raise _there(path) from None
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(descriptor, mode)
            stream.write(data)
            stream.flush()
            os.fsync(descriptor)
    except BaseException as error:
        with contextlib.suppress(OSError):
            path.unlink()
        if isinstance(error, OSError):
            raise _unwritable(path, error) from error
        raise


def _there(path: Path) -> WrongUse:
    return WrongUse(
        Text(en="something is already there", ja="既にファイルがあります"),
        Text(en="choose another name: a key is never overwritten", ja="別の名前にしてください。鍵は上書きされません"),
        where=path,
    )


def _unwritable(path: Path, error: OSError) -> ArtifactError:
    return ArtifactError(
        Text(en=f"the key cannot be written ({error.strerror})", ja=f"鍵を書き込めません（{error.strerror}）"),
        Text(en="choose a folder that you may write", ja="書き込めるフォルダーを指定してください"),
        where=path,
    )
