"""``sekisho.pack``: an artifact at the end of a training script, in one call."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sekisho.artifact import boosting
from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.content import content_of, refuse_code
from sekisho.artifact.formats import onnx, skops
from sekisho.artifact.metadata import Dataset, Metadata, metadata_of
from sekisho.artifact.unpickling import resave
from sekisho.contract.nearest import nearest
from sekisho.errors import NotFound, UntrustedFormat, WrongUse
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.artifact.assembly import Listener
    from sekisho.artifact.signature import Note

_TRAINING: Final = ("command", "seed", "seeds", "data", "date", "seconds")


def pack(
    model: Any,
    reference: object,
    target: object = None,
    *,
    folder: Path | str,
    name: str,
    version: str = "1.0.0",
    metadata: Metadata | Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    notes: Mapping[str, Note] | None = None,
    trusted_types: tuple[str, ...] = (),
    lock: bool = True,
    overwrite: bool = False,
    listener: Listener | None = None,
) -> ModelArtifact:
    """Pack a fitted model and write the artifact.

    Args:
        model: A fitted estimator, or an ONNX model.
        reference: The rows that it was trained on, every one of them: the signature, the drift reference and the proof of parity come
            from here. Anything that :meth:`Table.of <sekisho.artifact.table.Table.of>` takes.
        target: The name of the answer's column in ``reference``, or the answers themselves; where the model gives several answers a row,
            a list of names, a data frame, or an array of shape ``(n, outputs)``.
        folder: Where the artifact is written.
        name: The model's name.
        version: Its version.
        metadata: What else is known of it.
        training: How it came about: ``command`` (a list of words), ``seed`` or ``seeds``, ``data`` (the file or files it was trained from),
            ``date`` (today if the key is not there), ``seconds``.
        notes: What people know of features, by name.
        trusted_types: Types that skops may hold beyond the curated list.
        lock: Whether to lock the requirements.
        overwrite: Whether another artifact in ``folder`` may be replaced.
        listener: Told of progress.

    Returns:
        The artifact, saved.

    Raises:
        CannotPack: The model cannot be saved safely, or does not fit its reference set.
        WrongUse: Something else is in ``folder``, or an argument is not what it must be.
        ArtifactError: The disk is full, or the place cannot be written.

    """
    artifact = ModelArtifact(
        model,
        _with_training(metadata_of(metadata), training),
        reference=reference,
        target=target,
        name=name,
        version=version,
        notes=notes,
        trusted_types=trusted_types,
        lock=lock,
        listener=listener,
    )
    return artifact.save(folder, overwrite=overwrite)


def read_model(path: Path | str, *, trust: bool = False, trusted_types: tuple[str, ...] = ()) -> Any:
    """Return the model in a file, as :func:`pack` takes it. What it is is told by its content, not by its name.

    Args:
        path: A file of skops, ONNX, XGBoost (UBJ, JSON), LightGBM (text) or CatBoost (cbm); a pickle or joblib file only with ``trust``.
        trust: Whether a pickle may be read, which runs its code: in a confined process of its own, that hands back a safe format. It is
            logged.
        trusted_types: Types that a skops file may hold beyond the curated list.

    Raises:
        NotFound: There is no such file.
        UntrustedFormat: It is a pickle, and nobody has said that it may be read; or some other format that is not safe.
        IntegrityError: It is damaged.

    """
    path = Path(path)
    if not path.is_file():
        raise NotFound(
            Text(en="there is no such file", ja="ファイルがありません"),
            Text(en="check the path", ja="パスを確認してください"),
            where=path,
        )
    data = path.read_bytes()
    if may_run_code(data):
        data = resave(path, trust=trust, trusted_types=trusted_types).data
    return model_in(data, where=str(path), trusted_types=trusted_types)


def model_in(data: bytes, *, where: str, trusted_types: tuple[str, ...] = ()) -> Any:
    """Return the model in the bytes of a safe format, as :func:`pack` takes it.

    Raises:
        UntrustedFormat: It is a format that runs code, or none that is known here.
        IntegrityError: It is damaged.

    """
    if onnx.FORMAT.recognises(data):
        onnx.FORMAT.check(data, where=where)
        return data
    if skops.FORMAT.recognises(data):
        return skops.load(data, trusted=frozenset(trusted_types), where=where)
    for unit in boosting.units().values():
        if unit.recognises(data):
            return boosting.read(unit, data, where=where)
    refuse_code(data, where=where)
    if where.lower().endswith(".onnx"):  # it says what it should have been
        onnx.FORMAT.check(data, where=where)
    raise UntrustedFormat(
        Text(en="this is no format that is known here", ja="未対応の形式です"),
        Text(
            en="save the model as skops, ONNX, or in the own format of XGBoost, LightGBM or CatBoost",
            ja="モデルを skops、ONNX、または XGBoost・LightGBM・CatBoost の独自形式で保存してください",
        ),
        where=where,
    )


def may_run_code(data: bytes) -> bool:
    """Return whether reading ``data`` would run code that it holds: a pickle, compressed or not, or an archive around one."""
    content = content_of(data)
    return content in {"pickle", "compressed"} or (content == "zip" and b"data.pkl" in data)


def _with_training(metadata: Metadata, training: Mapping[str, Any] | None) -> Metadata:
    if training is None:
        return metadata
    for key in training:
        if key not in _TRAINING:
            close = nearest(key, _TRAINING) or ", ".join(_TRAINING)
            raise WrongUse(
                Text(en=f"training has no {key!r}", ja=f"training に {key!r} という項目はありません"),
                Text(en=f"use {close}", ja=f"{close} を使ってください"),
            )
    today = dt.datetime.now(dt.UTC).date().isoformat()
    fields: dict[str, Any] = {
        "training_date": training.get("date", metadata.training_date or today),
        "training_command": tuple(training.get("command") or metadata.training_command),
        "training_seconds": training.get("seconds", metadata.training_seconds),
        "seeds": {**metadata.seeds, **_seeds(training)},
        "data": (*metadata.data, *_files(training.get("data"))),
    }
    return metadata_of({**msgspec.structs.asdict(metadata), **fields})


def _seeds(training: Mapping[str, Any]) -> dict[str, int]:
    seeds = dict(training.get("seeds") or {})
    if training.get("seed") is not None:
        seeds["seed"] = training["seed"]
    return seeds


def _files(given: Any) -> tuple[Dataset, ...]:
    """Return the files that a model was trained from, with their digests."""
    if given is None:
        return ()
    paths = [given] if isinstance(given, str | Path) else list(given)
    found = []
    for path in map(Path, paths):
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError:
            raise NotFound(
                Text(en="the training data cannot be read", ja="学習データを読み込めません"),
                Text(en="check the path in training", ja="training のパスを確認してください"),
                where=path,
            ) from None
        found.append(Dataset(name="training", digest=digest, file=str(path)))
    return tuple(found)
