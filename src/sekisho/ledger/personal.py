"""What becomes of a personal value before it is written: nothing, a mask, a keyed hash, or a ciphertext.

In the book, what was treated is a string that says how: ``mask:``, ``hash:KEY:DIGEST``, ``sealed:KEY:BASE64``. A null stays a null.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from sekisho.errors import LedgerError, MissingExtra, WrongUse
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.ledger.chunks import PredictionRecord
    from sekisho.ledger.keys import Keyring, LedgerKey
    from sekisho.ledger.values import Scalar

Treatment = Literal["drop", "mask", "hash", "encrypt"]
"""What is done with the values of personal features: leave them out, say only that there was one, keep a keyed hash, encrypt."""
MASK: Final = "mask:"
HASH: Final = "hash:"
SEALED: Final = "sealed:"
_NONCE: Final = 12


def treatment(how: Treatment, keys: Keyring | None) -> Callable[[str, Scalar], Scalar] | None:
    """Return what makes of a feature's name and value what is written; ``None`` if nothing is.

    Raises:
        MissingExtra: The library that encrypts is not installed.
        WrongUse: A key is needed, and there is none.

    """
    if how == "drop":
        return None
    if how == "mask":
        return lambda _, value: None if value is None else MASK
    if keys is None:
        raise WrongUse(
            Text(en=f'personal = "{how}" needs a key', ja=f'personal = "{how}" には鍵が必要です'),
            Text(
                en="make one with sekisho ledger key ID, and name the file in ledger.key_file",
                ja="sekisho ledger key ID で作り、ファイルを ledger.key_file に指定してください",
            ),
        )
    key = keys.first
    if how == "hash":
        return lambda _, value: None if value is None else f"{HASH}{key.digest('value', value)}"
    return _sealing(key)


def without_treated(record: PredictionRecord) -> PredictionRecord:
    """Return a record without the values that are not what the model was given."""
    treated = (MASK, HASH, SEALED)
    if not any(isinstance(value, str) and value.startswith(treated) for value in record.features.values()):
        return record
    kept = {
        name: value
        for name, value in record.features.items()
        if not (isinstance(value, str) and value.startswith(treated))
    }
    return replace(record, features=kept)


def opened(name: str, value: Scalar, keys: Keyring) -> Scalar:
    """Return what was encrypted; everything else as it is.

    Args:
        name: The feature.
        value: What stands in the book.
        keys: The keys, among them the one that it was encrypted with.

    Raises:
        LedgerError: None of the keys fits, or the value was changed or belongs to another feature.

    """
    if not isinstance(value, str) or not value.startswith(SEALED):
        return value
    from cryptography.exceptions import InvalidTag

    which, _, text = value.removeprefix(SEALED).partition(":")
    for key in keys.keys:
        if key.id == which:
            try:
                data = base64.b64decode(text, validate=True)
                return _cast(_cipher(key).decrypt(data[:_NONCE], data[_NONCE:], name.encode()))
            except (InvalidTag, ValueError, binascii.Error, msgspec.DecodeError):
                break
    raise LedgerError(
        Text(en="a value cannot be decrypted", ja="値を復号できません"),
        Text(
            en="give the key file that it was written with; else it was changed",
            ja="書き込み時の鍵ファイルを指定してください。それでも失敗する場合は改変されています",
        ),
        where=f"key {which[:32]}",
    )


def _sealing(key: LedgerKey) -> Callable[[str, Scalar], Scalar]:
    cipher = _cipher(key)

    def seal(name: str, value: Scalar) -> Scalar:
        if value is None:
            return None
        nonce = os.urandom(_NONCE)
        data = nonce + cipher.encrypt(nonce, msgspec.json.encode(value), name.encode())
        return f"{SEALED}{key.id}:{base64.b64encode(data).decode()}"

    return seal


def _cipher(key: LedgerKey) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise MissingExtra("cryptography", "sign") from None
    return AESGCM(key.encryption)


def _cast(data: bytes) -> Scalar:
    return msgspec.json.decode(data, type=float | int | bool | str | None)
