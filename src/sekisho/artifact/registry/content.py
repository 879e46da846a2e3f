"""The files of versions in a store: each is there once, under its own SHA-256."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from sekisho.artifact import envelope as envelopes
from sekisho.artifact import manifest as manifests
from sekisho.artifact.manifest import Manifest, read_manifest
from sekisho.errors import ArtifactError, IntegrityError
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from sekisho.artifact.registry.state import Held
    from sekisho.artifact.stores.interface import Store

CONTENT: Final = "content/"


def content_key(digest: str) -> str:
    """Return the key of the content with a digest."""
    return f"{CONTENT}{digest[:2]}/{digest}"


def read_held_manifest(store: Store, held: Held) -> Manifest:
    """Return the manifest of a version.

    Raises:
        IntegrityError: It is missing or damaged.

    """
    key = content_key(held.digest)
    data = store.read(key, most_bytes=manifests.MOST_BYTES)
    where = f"{store.location}/{key}"
    if data is None:
        raise missing(where)
    if hashlib.sha256(data).hexdigest() != held.digest:
        raise changed(where)
    return read_manifest(data, where=where)


def files_of(store: Store, held: Held) -> dict[str, tuple[str, int]]:
    """Return the digest and the largest possible size of every file of a version, by name.

    Raises:
        IntegrityError: The manifest is missing or damaged.

    """
    manifest = read_held_manifest(store, held)
    files = {file.name: (file.sha256, file.size) for file in manifest.files}
    files[manifests.NAME] = (held.digest, manifests.MOST_BYTES)
    if held.envelope is not None:
        files[manifests.ENVELOPE] = (held.envelope, envelopes.MOST_BYTES)
    return files


def is_complete(store: Store, held: Held, present: Collection[str]) -> bool:
    """Return whether all content of a version is there, by its key; ``present`` are the keys of all content."""
    try:
        files = files_of(store, held)
    except ArtifactError:
        return False
    return all(content_key(digest) in present for digest, _ in files.values())


def copy_content(store: Store, digest: str, most_bytes: int, path: Path) -> None:
    """Copy content to a new file; the bytes that are written are those that were verified.

    Raises:
        IntegrityError: It is missing, or not what its digest says.

    """
    key = content_key(digest)
    where = f"{store.location}/{key}"
    chunks = store.chunks(key)
    if chunks is None:
        raise missing(where)
    found, size = hashlib.sha256(), 0
    with path.open("xb") as stream:
        for chunk in chunks:
            size += len(chunk)
            if size > most_bytes:
                raise changed(where)
            found.update(chunk)
            stream.write(chunk)
    if found.hexdigest() != digest:
        raise changed(where)


def missing(where: str) -> IntegrityError:
    """Return the error for content that is not there."""
    return _refused(where, Text(en="this content of a version is missing", ja="バージョンのファイルが欠けています"))


def changed(where: str) -> IntegrityError:
    """Return the error for content that is not what its name says."""
    return _refused(where, Text(en="is not what its digest says", ja="内容がダイジェストと一致しません"))


def _refused(where: str, what: Text) -> IntegrityError:
    return IntegrityError(
        what,
        Text(
            en="push the same artifact again: that mends it",
            ja="同じ成果物を sekisho registry push で登録し直すと修復されます",
        ),
        where=where,
    )
