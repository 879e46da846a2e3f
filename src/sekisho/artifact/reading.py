"""Reading an artifact: its files as typed parts that agree with each other. The model itself is left alone."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from sekisho import __version__
from sekisho.artifact import bom as boms
from sekisho.artifact import envelope as envelopes
from sekisho.artifact import folder as folders
from sekisho.artifact import golden as goldens
from sekisho.artifact import lock as locks
from sekisho.artifact import manifest as manifests
from sekisho.artifact import parity as parities
from sekisho.artifact import reference as references
from sekisho.artifact import strict_json
from sekisho.artifact.assembly import METADATA, SIGNATURE, Parts, formats
from sekisho.artifact.content import content_of, refuse_code
from sekisho.artifact.formats import onnx, pickle
from sekisho.artifact.golden import Golden
from sekisho.artifact.metadata import Metadata, metadata_of
from sekisho.artifact.native import EstimatorRuntime
from sekisho.artifact.parity import Parity
from sekisho.artifact.reference import DriftReference
from sekisho.artifact.signature import Output, Signature
from sekisho.artifact.signing import check_envelope
from sekisho.artifact.subject import subject_of
from sekisho.errors import IntegrityError, NotFound
from sekisho.text import Text

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.artifact.formats.interface import Format, Runtime
    from sekisho.artifact.keys import TrustedKeys
    from sekisho.artifact.manifest import Manifest

MOST_MODEL_BYTES: Final = 64 * 1024**3
MOST_BYTES: Final = {references.NAME: 1024**3, locks.NAME: 16 * 1024**2}
"""What a file may hold at most; those that are not named as much as :data:`~sekisho.artifact.strict_json.MOST_BYTES`."""
_NEEDED: Final = (SIGNATURE, METADATA, goldens.NAME, parities.NAME)


def read_parts(
    folder: Path,
    keys: TrustedKeys | None = None,
    *,
    require_signature: bool = False,
    digest: str | None = None,
) -> Parts:
    """Return the parts of the artifact in ``folder``.

    Args:
        folder: Where it is.
        keys: Whose signatures count.
        require_signature: Whether one of them must be there. Signatures are looked at before anything else but the manifest.
        digest: The artifact that must be there; ``None``: whichever is.

    Raises:
        NotFound: There is no such folder.
        IntegrityError: A file is missing, added, changed, cut off, or no plain file; or the contents contradict each other.
        UntrustedFormat: A file is a pickle, whatever its name.

    """
    manifest = folders.read_folder_manifest(folder)
    check_digest(folder, manifest, digest)
    envelope = folders.read_envelope(folder, manifest)
    signers = check_envelope(envelope, keys, required=require_signature, where=str(folder / envelopes.NAME))
    _check_names(folder, manifest)
    folders.verify_files(folder, manifest)

    def read(name: str) -> bytes:
        file = manifest.file(name)
        assert file is not None
        return folders.read_file(folder, file)

    def decoded(name: str, kind: type[Any]) -> Any:
        data = read(name)
        if content_of(data) != "json":
            refuse_code(data, where=str(folder / name))
        return strict_json.decode(data, kind, where=str(folder / name))

    reference = None
    if manifest.file(references.NAME) is not None:
        where = str(folder / references.NAME)
        data = read(references.NAME)
        refuse_code(data, where=where)
        reference = DriftReference.decoded(data, where=where)
    if manifest.file(locks.NAME) is not None:
        locks.read_lock(read(locks.NAME), where=str(folder / locks.NAME))
    for unit in formats().values():
        if manifest.file(unit.file) is not None:
            _check_format(unit, read(unit.file), str(folder / unit.file))
    parts = Parts(
        manifest=manifest,
        signature=decoded(SIGNATURE, Signature),
        metadata=decoded(METADATA, Metadata),
        golden=decoded(goldens.NAME, Golden),
        parity=decoded(parities.NAME, Parity),
        reference=reference,
        envelope=envelope,
        signers=signers,
    )
    _check_agreement(parts, folder)
    if manifest.file(boms.NAME) is not None:
        boms.check_bill(read(boms.NAME), manifest, where=str(folder / boms.NAME))
    return parts


def check_digest(folder: Path, manifest: Manifest, digest: str | None) -> None:
    """Refuse an artifact that is not the one that was asked for.

    Raises:
        IntegrityError: It is another.

    """
    if digest is not None and manifest.digest != digest:
        raise IntegrityError(
            Text(
                en="there is another artifact in this folder than the one that was verified",
                ja="このフォルダーには、検証したものとは別の成果物が入っています",
            ),
            Text(en="start again with the artifact that is there now", ja="今ある成果物で起動し直してください"),
            where=folder,
        )


def read_trusted_pickle(folder: Path) -> tuple[Parts, Runtime]:
    """Return the parts of a folder that holds a pickle and perhaps ``metadata.json``, and its runtime. Its code is run.

    Raises:
        NotFound: There is no pickle.
        ArtifactError: It could not be read.

    """
    found = sorted(path for path in folder.iterdir() if path.suffix in pickle.ENDINGS)
    if not found:
        raise NotFound(
            Text(en="there is neither a manifest nor a pickle", ja="マニフェストも pickle もありません"),
            Text(en="make an artifact with sekisho pack", ja="sekisho pack で成果物を作成してください"),
            where=folder,
        )
    model = pickle.load(found[0], trust=True)
    given: dict[str, Any] = {}
    notes = folder / METADATA
    if notes.is_file():
        given = strict_json.decode(notes.read_bytes(), dict[str, Any], where=str(notes))
    stated = given.get("feature_names")
    subject = subject_of(model, names=stated if isinstance(stated, list) else None)
    assert subject.signature is not None
    metadata = metadata_of(given)
    manifest = manifests.Manifest(
        name=str(given.get("name") or given.get("model_name") or type(model).__name__.lower()),
        version=str(given.get("version") or given.get("model_version") or "0"),
        runtime="pickle",
        files=tuple(
            manifests.File(
                name=path.name.lower(), size=path.stat().st_size, sha256=hashlib.sha256(path.read_bytes()).hexdigest()
            )
            for path in found[:1]
        ),
        written_by=__version__,
    ).sealed()
    reason = Text(en="it is a pickle", ja="pickle です")
    parts = Parts(
        manifest=manifest,
        signature=subject.signature,
        metadata=metadata,
        golden=Golden(),
        parity=Parity(runtime="pickle", proven=False, reason=reason),
        reference=None,
    )
    return parts, EstimatorRuntime(model, subject.signature)


def _check_names(folder: Path, manifest: Manifest) -> None:
    models = {unit.file for unit in formats().values()}
    known = models | {*_NEEDED, references.NAME, locks.NAME, boms.NAME}
    for file in manifest.files:
        if file.size > (MOST_MODEL_BYTES if file.name in models else MOST_BYTES.get(file.name, strict_json.MOST_BYTES)):
            raise _refused(folder / file.name, Text(en=f"has {file.size:,} bytes", ja=f"{file.size:,} バイトあります"))
        if file.name not in known:
            # Content first: a pickle is called a pickle.
            refuse_code(folders.read_file(folder, file), where=str(folder / file.name))
            raise _refused(
                folder / file.name, Text(en="has no place in an artifact", ja="成果物に含められないファイルです")
            )
    for name in _NEEDED:
        if manifest.file(name) is None:
            raise _refused(folder / name, Text(en="is missing", ja="ファイルがありません"))
    serving = formats().get(manifest.runtime)
    if serving is None or manifest.file(serving.file) is None:
        raise _refused(
            folder,
            Text(en=f"there is no model for {manifest.runtime!r}", ja=f"{manifest.runtime!r} のモデルがありません"),
        )


def _check_format(unit: Format, data: bytes, where: str) -> None:
    if not unit.recognises(data):
        refuse_code(data, where=where)
        raise IntegrityError(
            Text(en=f"this is not {unit.id}", ja=f"{unit.id} の形式ではありません"),
            Text(en="pack the model again", ja="モデルをパックし直してください"),
            where=where,
        )
    unit.check(data, where=where)


def _check_agreement(parts: Parts, folder: Path) -> None:
    """Refuse parts that speak of different models."""
    names = set(parts.signature.names)
    output = parts.signature.output
    golden = parts.golden
    if len(names) < len(parts.signature.features):
        raise _refused(folder / SIGNATURE, Text(en="two features share a name", ja="特徴量名が重複しています"))
    if not _is_output(output) or (output.outputs and parts.manifest.runtime == onnx.FORMAT.id):
        raise _refused(folder / SIGNATURE, Text(en="task and classes disagree", ja="タスクとクラスが矛盾しています"))
    if any(set(row) != names for row in golden.rows) or not _are_answers(golden, output):
        raise _refused(folder / goldens.NAME, Text(en="does not fit the signature", ja="入力仕様と一致しません"))
    if parts.reference is not None and not golden.rows:
        raise _refused(
            folder / goldens.NAME,
            Text(en="there is a reference set, but no golden row", ja="参照データがあるのにゴールデン行がありません"),
        )
    described = [(feature.name, feature.kind) for feature in parts.signature.features]
    if parts.reference is not None and [(each.name, each.kind) for each in parts.reference.columns] != described:
        raise _refused(folder / references.NAME, Text(en="does not fit the signature", ja="入力仕様と一致しません"))
    if parts.parity.runtime != parts.manifest.runtime:
        raise _refused(folder / parities.NAME, Text(en="does not fit the manifest", ja="マニフェストと一致しません"))


def _is_output(output: Output) -> bool:
    """Return whether task, classes and outputs agree: several answers have names of their own, and are all numbers or all labels."""
    if output.task != "multi-output":
        return not output.outputs and (output.classes is None) == (output.task == "regression")
    names = [one.name for one in output.outputs]
    return (
        output.classes is None
        and len(names) > 1
        and len(set(names)) == len(names)
        and all(names)
        and all(one.task != "multi-output" and _is_output(one) for one in output.outputs)
        and len({one.task == "regression" for one in output.outputs}) == 1
        and all(one.probabilities == output.probabilities for one in output.outputs)
    )


def _are_answers(golden: Golden, output: Output) -> bool:
    """Return whether the golden answers are such as the output says, each of several by itself."""
    if not output.outputs:
        return _are_single_answers(golden, output)
    width, stated = len(output.outputs), golden.probabilities
    if any(not isinstance(value, tuple) or len(value) != width for value in golden.values):
        return False
    if stated is not None and any(len(row) != output.width for row in stated):
        return False
    return all(
        _are_single_answers(goldens.answers_of(golden, output, place), one) for place, one in enumerate(output.outputs)
    )


def _are_single_answers(golden: Golden, output: Output) -> bool:
    """Return whether the golden answers are such as the output says: one a row, of its classes, with a probability for each class."""
    rows, classes = len(golden.rows), output.classes or ()
    if len(golden.values) != rows:
        return False
    if output.task == "regression":
        plain = all(isinstance(value, int | float) and not isinstance(value, bool) for value in golden.values)
        return plain and golden.probabilities is None
    if any(value not in classes for value in golden.values):
        return False
    if golden.probabilities is None:
        return not (rows and output.probabilities)
    return (
        output.probabilities
        and len(golden.probabilities) == rows
        and all(len(row) == len(classes) for row in golden.probabilities)
    )


def _refused(path: Path, what: Text) -> IntegrityError:
    return IntegrityError(what, Text(en="pack the artifact again", ja="成果物をパックし直してください"), where=path)
