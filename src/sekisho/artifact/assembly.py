"""Putting an artifact together: from a fitted model and its reference set to the bytes of every file."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from sekisho import __version__, shelf
from sekisho.artifact import bom as boms
from sekisho.artifact import golden as goldens
from sekisho.artifact import lock as locks
from sekisho.artifact import manifest as manifests
from sekisho.artifact import parity as parities
from sekisho.artifact import reference as references
from sekisho.artifact import strict_json
from sekisho.artifact.formats.interface import Format, NotConvertible, Outputs, Runtime
from sekisho.artifact.golden import Golden
from sekisho.artifact.metadata import Dataset, Metadata, surroundings
from sekisho.artifact.parity import Attempt, Parity
from sekisho.artifact.reference import DriftReference
from sekisho.artifact.several import values_of
from sekisho.artifact.signature import Note, Output, Signature, learn_signature
from sekisho.artifact.table import Table
from sekisho.artifact.trials import Trial, trials
from sekisho.errors import CannotPack, MissingExtra, ModelFailed, SekishoError
from sekisho.text import Text, verbatim

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sekisho.artifact.envelope import Envelope
    from sekisho.artifact.manifest import Manifest
    from sekisho.artifact.subject import Subject

SHELF: Final = "sekisho.artifact.formats"
SIGNATURE: Final = "signature.json"
METADATA: Final = "metadata.json"

_CHECKED_ROWS: Final = 500
_POOL_ROWS: Final = 20_000
"""Golden rows are chosen among as many."""

Listener = Callable[[float, Text], None]
"""Told how much is done, 0 to 1, and what comes next."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """What the caller wants of an artifact.

    Attributes:
        name, version: Its name and version.
        metadata: What is known of it.
        notes: What people know of features, by name.
        trusted_types: Types that skops may hold beyond the curated list.
        lock: Whether to lock the requirements.
        listener: Told of progress.

    """

    name: str
    version: str
    metadata: Metadata = field(default_factory=Metadata)
    notes: Mapping[str, Note] = field(default_factory=dict)
    trusted_types: frozenset[str] = frozenset()
    lock: bool = True
    listener: Listener = lambda fraction, text: None  # noqa: ARG005


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Parts:
    """The contents of an artifact, read.

    Attributes:
        manifest: Names, sizes and digests of the files.
        signature, metadata, golden, parity: As in their files.
        reference: The drift reference; ``None`` if it was packed without a reference set.
        envelope: The signatures beside the manifest; ``None`` if nobody has signed.
        signers: The ids of the trusted keys among them.

    """

    manifest: Manifest
    signature: Signature
    metadata: Metadata
    golden: Golden
    parity: Parity
    reference: DriftReference | None
    envelope: Envelope | None = None
    signers: tuple[str, ...] = ()


@functools.cache
def formats() -> dict[str, Format]:
    """Return every format on the shelf, by id."""
    return shelf.units(SHELF, Format)  # type: ignore[type-abstract]


def assemble(subject: Subject, wishes: Wishes) -> tuple[Parts, dict[str, bytes]]:
    """Return the parts of an artifact and the bytes of its files, the manifest apart.

    Args:
        subject: The model and its reference set.
        wishes: The rest.

    Raises:
        CannotPack: No format keeps the model, or it cannot answer its own reference set.

    """
    model, features = subject.model, subject.features
    unit = _format_of(model)
    listener = wishes.listener
    listener(0.0, Text(en="Learning the signature", ja="入力仕様を学習しています"))
    signature = subject.signature or learn_signature(features or Table(columns=()), subject.output, wishes.notes)
    listener(0.1, Text(en="Saving the model", ja="モデルを保存しています"))
    files = {unit.file: unit.write(model, trusted=wishes.trusted_types)}
    original = unit.original(model, files[unit.file], signature, trusted=wishes.trusted_types)
    golden, parity = Golden(), _without_reference(unit)
    if features is not None:
        listener(0.2, Text(en="Asking the model about its reference set", ja="参照データに対する答えを記録しています"))
        _check_restoring(subject, original)
        prepared = _prepare(original, signature, features)
        signature = _with_range(signature, prepared)
        golden = _golden(prepared)
        listener(
            0.5, Text(en="Compiling, and proving the answers equal", ja="コンパイルし、答えの一致を検証しています")
        )
        graph, parity = _compiled(unit, model, signature, prepared)
        if graph is not None:
            files[formats()["onnx"].file] = graph
        elif not unit.answers:
            raise _without_answers(parity)
    listener(0.9, Text(en="Locking the requirements", ja="依存ライブラリを固定しています"))
    metadata = _completed(model, features, wishes)
    metadata = _locked(model, metadata, files, native=parity.runtime != "onnx", wanted=wishes.lock)
    reference = None if features is None else DriftReference.of(features)
    files |= _encoded(signature, metadata, golden, parity, reference)
    named = {"name": wishes.name, "version": wishes.version, "runtime": parity.runtime, "written_by": __version__}
    files[boms.NAME] = boms.bill_of(manifests.manifest_of(files, **named), signature, metadata, files.get(locks.NAME))
    manifest = manifests.manifest_of(files, **named)
    listener(1.0, Text(en="Done", ja="完了"))
    parts = Parts(
        manifest=manifest, signature=signature, metadata=metadata, golden=golden, parity=parity, reference=reference
    )
    return parts, files


def _format_of(model: Any) -> Format:
    for unit in formats().values():
        if unit.keeps(model):
            return unit
    raise CannotPack(
        Text(
            en=f"no format keeps a {type(model).__module__}.{type(model).__name__}",
            ja=f"{type(model).__module__}.{type(model).__name__} を保存できる形式がありません",
        ),
        Text(
            en="give a fitted model of scikit-learn, XGBoost, LightGBM, CatBoost, PyTorch or statsmodels, or an ONNX model",
            ja="学習済みの scikit-learn・XGBoost・LightGBM・CatBoost・PyTorch・statsmodels のモデルか ONNX を渡してください",
        ),
    )


def _prepare(original: Runtime, signature: Signature, features: Table) -> tuple[Trial, ...]:
    """Return the trials, golden rows first.

    Raises:
        CannotPack: The model answers no row of its own reference set.

    """
    pool = features.take(np.sort(np.random.default_rng(0).permutation(features.rows)[:_POOL_ROWS]))
    try:
        labels = original.run(pool.arrays()).values
    except ModelFailed:
        labels = None
    prepared = tuple(trials(original, signature, features, goldens.choose(pool, labels, signature)))
    if not any(trial.real and trial.answers is not None for trial in prepared):
        raise CannotPack(
            Text(
                en="the model cannot answer the rows of its reference set", ja="モデルが参照データの行に答えられません"
            ),
            Text(
                en="give the columns as it was trained on them, with the same names and dtypes",
                ja="学習時と同じ列名・同じ型で渡してください",
            ),
        )
    return prepared


def _check_restoring(subject: Subject, original: Runtime) -> None:
    """Ask the model about its reference set as it was given, and as it is restored from the signature: saved, read, column by column.

    Raises:
        CannotPack: The answers differ.

    """
    features, given, model = subject.features, subject.given, subject.model
    if given is None or features is None or not hasattr(model, "predict"):
        return
    rows = np.sort(np.random.default_rng(0).permutation(features.rows)[:_CHECKED_ROWS])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            direct = _direct(model, given.iloc[rows] if hasattr(given, "iloc") else given[rows], subject.output)
    except Exception:
        return
    try:
        restored = original.run(features.take(rows).arrays()).values
    except ModelFailed:
        restored = None
    if restored is None or not _same(direct, restored):
        raise CannotPack(
            Text(
                en="the model answers differently once it is saved and its columns are restored from the signature",
                ja="保存後に入力仕様から列を復元すると、モデルの答えが変わります",
            ),
            Text(
                en="train on plain columns: numbers, strings, booleans, categories, datetimes",
                ja="数値・文字列・真偽値・カテゴリ・日時の通常の列で学習してください",
            ),
        )


def _direct(model: Any, given: Any, output: Output) -> NDArray[np.generic]:
    answered = model.predict(given)
    return values_of(answered, output) if output.outputs else np.ravel(answered)


def _same(direct: NDArray[np.generic], restored: NDArray[np.generic]) -> bool:
    """Return whether answers are equal; numbers may differ by what another layout of the same rows in memory makes of their last digits."""
    if direct.dtype.kind == "f" and restored.dtype.kind == "f":
        return bool(
            np.allclose(direct.astype(np.float64), restored.astype(np.float64), rtol=1e-9, atol=1e-12, equal_nan=True)
        )
    return bool(np.all(restored == direct))


def _with_range(signature: Signature, prepared: tuple[Trial, ...]) -> Signature:
    output = signature.output
    if not output.numeric:
        return signature
    answers = np.concatenate([trial.answers.values for trial in prepared if trial.real and trial.answers is not None])
    columns = answers.T if output.outputs else [answers]
    ranged = tuple(
        msgspec.structs.replace(one, minimum=float(column.min()), maximum=float(column.max()))
        for one, column in zip(output.each, columns, strict=True)
    )
    output = msgspec.structs.replace(output, outputs=ranged) if output.outputs else ranged[0]
    return msgspec.structs.replace(signature, output=output)


def _golden(prepared: tuple[Trial, ...]) -> Golden:
    trial = next(trial for trial in prepared if trial.real and trial.answers is not None)
    answers: Outputs | None = trial.answers
    assert answers is not None
    rows = trial.rows.take(slice(0, goldens.ROWS))
    probabilities = None if answers.probabilities is None else answers.probabilities[: goldens.ROWS]
    kept = Outputs(values=answers.values[: goldens.ROWS], probabilities=probabilities)
    return goldens.golden_of(rows, kept, tolerance=parities.TOLERANCE)


def _compiled(
    unit: Format, model: Any, signature: Signature, prepared: tuple[Trial, ...]
) -> tuple[bytes | None, Parity]:
    """Return the graph that is proven to answer as ``model`` does, if there is one, and what was found."""
    onnx = formats()["onnx"]
    if unit is onnx:
        return None, Parity(
            runtime=onnx.id,
            proven=False,
            reason=Text(
                en="the model came as ONNX: there is no original to compare it with",
                ja="最初から ONNX のため、比較する元のモデルがありません",
            ),
        )
    if signature.output.outputs:
        reason = Text(
            en="it gives several answers a row, and answers by its own library",
            ja="1行に複数の答えを返すため、元のライブラリで推論します",
        )
        return None, Parity(runtime=unit.id, proven=False, reason=reason)
    attempts: tuple[Attempt, ...] = ()
    try:
        graph, attempts = parities.find_equal(
            unit.compile(model, signature),
            lambda data: onnx.read(data, signature, trusted=frozenset(), where=onnx.file),
            prepared,
            signature,
        )
    except MissingExtra as error:
        return None, Parity(runtime=unit.id, proven=False, reason=error.what)
    except NotConvertible as error:
        reason = Text(en=f"it has no ONNX form that is known here: {error}", ja=f"ONNX に変換できません: {error}")
        return None, Parity(runtime=unit.id, proven=False, reason=reason)
    if graph is not None:
        return graph, Parity(runtime=onnx.id, proven=True, attempts=attempts)
    last = attempts[-1].reason or verbatim("")
    reason = Text(en=f"no ONNX form answers as it does: {last.en}", ja=f"同じ答えになる ONNX がありません: {last.ja}")
    return None, Parity(runtime=unit.id, proven=False, attempts=attempts, reason=reason)


def _without_answers(parity: Parity) -> CannotPack:
    """Return the error for a model that only ONNX could answer for, and does not."""
    reason = parity.reason or verbatim("")
    return CannotPack(
        Text(en=f"only ONNX can answer for it, and {reason.en}", ja=f"ONNX でしか推論できませんが、{reason.ja}"),
        Text(
            en="export it to ONNX yourself, and pack that", ja="自分で ONNX に書き出し、その ONNX をパックしてください"
        ),
    )


def _without_reference(unit: Format) -> Parity:
    reason = Text(
        en="there is no reference set to prove equal answers on", ja="答えの一致を確かめる参照データがありません"
    )
    return Parity(runtime=unit.id, proven=False, reason=reason)


def _completed(model: Any, features: Table | None, wishes: Wishes) -> Metadata:
    """Return the metadata with what this process can see, where nobody has said otherwise."""
    given = wishes.metadata
    seen = surroundings(model)
    if features is not None:
        seen["data"] = (*given.data, Dataset(name="reference", digest=features.digest, rows=features.rows))
    missing = {name: value for name, value in seen.items() if name == "data" or not getattr(given, name)}
    return msgspec.structs.replace(given, **missing)


def _locked(model: Any, metadata: Metadata, files: dict[str, bytes], *, native: bool, wanted: bool) -> Metadata:
    """Add the lock to ``files``, or say in the metadata why there is none."""
    if not wanted:
        reason = Text(en="not asked for", ja="指定により作成していません")
        return msgspec.structs.replace(metadata, lock_missing=reason)
    try:
        files[locks.NAME] = locks.write_lock(model, native=native)
    except SekishoError as error:
        return msgspec.structs.replace(metadata, lock_missing=error.what)
    return metadata


def _written(signature: Signature) -> bytes:
    """Return a signature as JSON: of one answer a row as it always was, for those who know of no other."""
    plain = msgspec.to_builtins(signature)
    if not signature.output.outputs:
        del plain["output"]["outputs"]
    return strict_json.encode(plain)


def _encoded(
    signature: Signature, metadata: Metadata, golden: Golden, parity: Parity, reference: DriftReference | None
) -> dict[str, bytes]:
    files = {
        SIGNATURE: _written(signature),
        METADATA: strict_json.encode(metadata),
        goldens.NAME: strict_json.encode(golden),
        parities.NAME: strict_json.encode(parity),
    }
    if reference is not None:
        files[references.NAME] = reference.encoded()
    return files
