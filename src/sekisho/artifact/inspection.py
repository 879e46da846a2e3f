"""What is in an artifact, as words and numbers: every file is verified, the model is never run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sekisho.artifact import lock as locks
from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.folder import read_file
from sekisho.artifact.formats import skops
from sekisho.artifact.libraries import Mismatch
from sekisho.artifact.lock import Pin
from sekisho.artifact.manifest import File
from sekisho.artifact.metadata import Metadata
from sekisho.artifact.parity import Parity
from sekisho.artifact.signature import Signature

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.artifact.keys import TrustedKeys


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """What :func:`inspect` found.

    Attributes:
        folder: Where it lies.
        name, version, digest: What it is called and known by.
        runtime: The id of the format that answers.
        written_by: The version of Sekisho that wrote it.
        files: Every file with size and digest.
        signature, metadata, parity: As they were packed.
        golden_rows: How many golden rows there are.
        reference_rows: How many rows the reference set had; ``None`` without one.
        lock: The distributions that answering needs; ``None`` if there is no lock.
        signatures: The ids of the keys that are said to have signed it.
        signed_by: Those of them that are trusted, and have.
        library_mismatches: Libraries that its runtime needs, and that are here in other versions than those that saved the model.
        untrusted_types: Types in the skops file that are not on the curated list.

    """

    folder: str
    name: str
    version: str
    digest: str
    runtime: str
    written_by: str
    files: tuple[File, ...]
    signature: Signature
    metadata: Metadata
    parity: Parity
    golden_rows: int
    reference_rows: int | None
    lock: tuple[Pin, ...] | None
    signatures: tuple[str, ...]
    signed_by: tuple[str, ...]
    library_mismatches: tuple[Mismatch, ...]
    untrusted_types: tuple[str, ...]


def inspect(folder: Path, keys: TrustedKeys | None = None) -> Inspection:
    """Return what is in the artifact in ``folder``.

    Args:
        folder: Where it is.
        keys: Whose signatures count.

    Raises:
        NotFound: There is no such folder.
        IntegrityError: A file is missing, added, changed, cut off, or no plain file.
        UntrustedFormat: It is a pickle.

    """
    artifact = ModelArtifact.load(folder, keys=keys)
    lock = artifact.manifest.file(locks.NAME)
    model = artifact.manifest.file(skops.FORMAT.file)
    reference = artifact.reference
    return Inspection(
        folder=str(folder),
        name=artifact.name,
        version=artifact.version,
        digest=artifact.digest,
        runtime=artifact.runtime_name,
        written_by=artifact.manifest.written_by,
        files=artifact.manifest.files,
        signature=artifact.signature,
        metadata=artifact.metadata,
        parity=artifact.parity,
        golden_rows=len(artifact.golden.rows),
        reference_rows=reference.columns[0].rows if reference is not None and reference.columns else None,
        lock=None if lock is None else locks.read_lock(read_file(folder, lock)),
        signatures=artifact.signatures,
        signed_by=artifact.signers,
        library_mismatches=artifact.library_mismatches(),
        untrusted_types=()
        if model is None
        else skops.untrusted_types(read_file(folder, model), where=str(folder / model.name)),
    )
