"""The manifest: every file of an artifact with its size and SHA-256. Its own digest is the artifact's name.

Nothing is left out of it and nothing is ignored: a file that it does not list makes the artifact unreadable.
"""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from sekisho.artifact import strict_json
from sekisho.errors import IntegrityError, WrongUse
from sekisho.text import Text

NAME: Final = "manifest.json"
ENVELOPE: Final = "manifest.dsse.json"
"""Signatures of the manifest: the one file that it cannot list."""
FORMAT: Final = 1
MOST_BYTES: Final = 1024 * 1024

FileName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$(?!\n)")]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
ModelName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$(?!\n)")]
Version = Annotated[str, Meta(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}$(?!\n)")]


class File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file: its name inside the folder, its size in bytes, and its SHA-256 in hexadecimal."""

    name: FileName
    size: Annotated[int, Meta(ge=0)]
    sha256: Digest


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an artifact is.

    Attributes:
        format: The number of this layout; a reader refuses a higher one.
        name: The model's name.
        version: The model's version, as its makers count.
        runtime: The id of the format that answers: ``onnx`` when parity is proven.
        files: Every other file of the folder, sorted by name.
        written_by: The version of Sekisho that wrote it.
        seal: SHA-256 of the canonical JSON with an empty seal: a byte that changes by accident is seen here too. It is no signature: whoever
            can write can seal.

    """

    format: Literal[1] = FORMAT
    name: ModelName
    version: Version
    runtime: str
    files: tuple[File, ...]
    written_by: str
    seal: str = ""

    def sealed(self) -> Manifest:
        """Return the same manifest with the seal that fits it."""
        bare = msgspec.structs.replace(self, seal="")
        return msgspec.structs.replace(bare, seal=hashlib.sha256(bare.encoded()).hexdigest())

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of this manifest, in hexadecimal: the digest of the whole artifact."""
        return hashlib.sha256(self.encoded()).hexdigest()

    def encoded(self) -> bytes:
        """Return the canonical JSON: the bytes of ``manifest.json``."""
        return strict_json.encode(self)

    def file(self, name: str) -> File | None:
        """Return the entry of one file."""
        return next((file for file in self.files if file.name == name), None)


def manifest_of(files: dict[str, bytes], *, name: str, version: str, runtime: str, written_by: str) -> Manifest:
    """Return the manifest of ``files``, given by name.

    Raises:
        WrongUse: The name or version holds what a folder, a label or a command line could not carry.

    """
    check_named(name, version)
    entries = tuple(
        File(name=file, size=len(data), sha256=hashlib.sha256(data).hexdigest()) for file, data in sorted(files.items())
    )
    return Manifest(name=name, version=version, runtime=runtime, files=entries, written_by=written_by).sealed()


def check_named(name: str, version: str) -> None:
    """Refuse a name or version that holds what a folder, a label or a command line could not carry.

    Raises:
        WrongUse: It does.

    """
    _check("name", name, r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
    _check("version", version, r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}")


def read_manifest(data: bytes, *, where: str) -> Manifest:
    """Return the manifest in ``data``.

    Raises:
        IntegrityError: It is not a manifest of a format that this version reads, or its bytes are not canonical.

    """

    class Head(msgspec.Struct):
        format: int

    if len(data) <= MOST_BYTES:
        _newer(strict_json.decode(data, Head, where=where).format, where)
    manifest = strict_json.decode(data, Manifest, where=where, most_bytes=MOST_BYTES)
    if manifest.encoded() != data or manifest != manifest.sealed():
        raise IntegrityError(
            Text(
                en="the manifest is not as it was written: form or seal do not fit",
                ja="マニフェストが書かれたときのままではありません（形式または封印の不一致）",
            ),
            Text(en="pack the artifact again", ja="成果物をパックし直してください"),
            where=where,
        )
    names = [file.name for file in manifest.files]
    if names != sorted(set(names)) or {NAME, ENVELOPE} & set(names):
        raise IntegrityError(
            Text(en="files are listed twice or out of order", ja="ファイルの一覧に重複または順序の誤りがあります"),
            Text(en="pack the artifact again", ja="成果物をパックし直してください"),
            where=where,
        )
    return manifest


def _newer(number: int, where: str) -> None:
    if number > FORMAT:
        raise IntegrityError(
            Text(
                en=f"format {number} is newer than this Sekisho reads ({FORMAT})",
                ja=f"形式 {number} は、この Sekisho が読める形式（{FORMAT}）より新しいものです",
            ),
            Text(en="upgrade sekisho", ja="sekisho を更新してください"),
            where=where,
        )


def _check(what: str, value: str, pattern: str) -> None:
    if not re.fullmatch(pattern, value):
        raise WrongUse(
            Text(
                en=f"the {what} must match {pattern}",
                ja=f"{'名前' if what == 'name' else 'バージョン'}は {pattern} の形にしてください",
            ),
            Text(en="use letters, digits, dots, dashes", ja="英数字・ドット・ハイフンを使ってください"),
        )
