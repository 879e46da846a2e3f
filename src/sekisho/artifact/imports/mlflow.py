"""A model of MLflow: a run, a registered model, or a folder with an ``MLmodel`` file.

The folder is read by its own file (https://mlflow.org/docs/latest/ml/model/); MLflow's code that loads models is never called, because it
unpickles. A run is asked for through MLflow's client, at ``MLFLOW_TRACKING_URI`` or in ``./mlruns``.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from sekisho.artifact.imports.interface import Found, Importer
from sekisho.artifact.packing import read_model
from sekisho.artifact.signature import Note
from sekisho.artifact.table import Table
from sekisho.errors import ArtifactError, MissingExtra, NotFound, SekishoError
from sekisho.text import Text

SCHEME: Final = "mlflow:"
FLAVORS: Final = (
    ("onnx", "data"),
    ("sklearn", "pickled_model"),
    ("xgboost", "data"),
    ("lightgbm", "data"),
    ("catboost", "data"),
)
"""The flavors that are read, and the key that names their file."""
MOST_BYTES: Final = 8 * 1024 * 1024
_SETTINGS: Final = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_ALLOW_FILE_STORE": "true"}
"""Nothing is sent to MLflow's makers, and what lies in a folder may still be read."""


class MLflowImporter(Importer):
    """``mlflow:RUN_ID``, ``mlflow:models:/name/version``, or a folder with an ``MLmodel`` file."""

    id = "mlflow"

    def takes(self, source: str) -> bool:
        """Take the scheme, and a folder of MLflow's."""
        return source.startswith(SCHEME) or Path(source, "MLmodel").is_file()

    def read(self, source: str, *, trust: bool, trusted_types: tuple[str, ...]) -> Found:
        """Read the model, and its run where that can be asked."""
        if not source.startswith(SCHEME):
            return _found(Path(source), None, None, trust=trust, trusted_types=trusted_types)
        with tempfile.TemporaryDirectory(prefix="sekisho-mlflow-") as place, _settings():
            fetched = _fetch(source.removeprefix(SCHEME), place)
            try:
                return _found(fetched.folder, fetched.run, fetched, trust=trust, trusted_types=trusted_types)
            except SekishoError as error:
                if error.where is not None and error.where.startswith(place):  # the copy will be gone
                    error.where = source + error.where.removeprefix(place)
                raise


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fetched:
    """What came from the tracking store: the folder of the model, its run, and what the registry calls it."""

    folder: Path
    run: Any
    name: str | None
    version: str | None


def _found(folder: Path, run: Any, fetched: _Fetched | None, *, trust: bool, trusted_types: tuple[str, ...]) -> Found:
    described = _described(folder)
    path, flavor, settings = _model_file(folder, described)
    trusted_types = (*trusted_types, *(() if not trust else settings.get("skops_trusted_types") or ()))
    model = read_model(path, trust=trust, trusted_types=trusted_types)
    metadata, training = _of_run(run) if run is not None else ({}, {})
    notes = {
        f"{flavor}_version": str(settings[key]) for key in settings if key in {f"{flavor}_version", "sklearn_version"}
    }
    example = _example(folder, described)
    words = Text(
        en="metrics of the run are taken over as claims, not as evidence",
        ja="run のメトリクスは証拠ではなく申告値として引き継ぎます",
    )
    return Found(
        model=model,
        name=(fetched.name if fetched is not None else None) or (None if fetched is not None else folder.name),
        version=fetched.version if fetched is not None else None,
        metadata={**metadata, "notes": {**metadata.get("notes", {}), **notes, **_identity(described)}},
        training={"date": _moment(described.get("utc_time_created")), **training},
        notes=_notes(described),
        example=example,
        remarks=(words,) if metadata.get("metrics") else (),
    )


# The folder


def _described(folder: Path) -> Mapping[str, Any]:
    import yaml

    path = folder / "MLmodel"
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError
        read = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        read = None
    if not isinstance(read, Mapping) or not isinstance(read.get("flavors"), Mapping):
        raise ArtifactError(
            Text(en="this MLmodel file cannot be read", ja="この MLmodel ファイルを読み取れません"),
            Text(en="log the model to MLflow again", ja="モデルを MLflow に記録し直してください"),
            where=path,
        )
    return read


def _model_file(folder: Path, described: Mapping[str, Any]) -> tuple[Path, str, Mapping[str, Any]]:
    """Return the file of the model, its flavor, and what MLflow says of that; the file lies inside the folder."""
    for flavor, key in FLAVORS:
        settings = described["flavors"].get(flavor)
        if not isinstance(settings, Mapping) or not isinstance(settings.get(key), str):
            continue
        path = folder / settings[key]
        if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
            return path, flavor, settings
    known = ", ".join(flavor for flavor, _ in FLAVORS)
    raise ArtifactError(
        Text(
            en=f"none of its flavors is read here: {', '.join(map(str, described['flavors']))}",
            ja=f"読める flavor がありません: {', '.join(map(str, described['flavors']))}",
        ),
        Text(en=f"log the model as one of {known}", ja=f"次のいずれかで記録してください: {known}"),
        where=folder / "MLmodel",
    )


def _identity(described: Mapping[str, Any]) -> dict[str, str]:
    names = {"run_id": "mlflow_run", "model_id": "mlflow_model", "mlflow_version": "mlflow_version"}
    return {note: str(described[name]) for name, note in names.items() if described.get(name)}


def _notes(described: Mapping[str, Any]) -> dict[str, Note]:
    """Return what the signature says of nulls: an input that is not required may be missing."""
    inputs = (described.get("signature") or {}).get("inputs")
    try:
        columns = json.loads(inputs) if isinstance(inputs, str) else []
    except ValueError:
        return {}
    return {
        each["name"]: Note(nullable=True)
        for each in columns
        if isinstance(each, Mapping) and isinstance(each.get("name"), str) and each.get("required") is False
    }


def _example(folder: Path, described: Mapping[str, Any]) -> Table | None:
    """Return the rows that were logged with the model, if they are a table with names."""
    said = described.get("saved_input_example_info")
    name = said.get("artifact_path") if isinstance(said, Mapping) else None
    path = folder / str(name)
    if not isinstance(name, str) or not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        return None
    try:
        read = json.loads(path.read_bytes())
        rows = [dict(zip(read["columns"], row, strict=True)) for row in read["data"]]
        return Table.of(rows)
    except (ValueError, TypeError, KeyError, SekishoError):
        return None


# The run


def _fetch(source: str, place: str) -> _Fetched:
    """Bring the folder of a model from the tracking store to ``place``.

    Raises:
        NotFound: MLflow does not know it, or cannot be reached.
        MissingExtra: mlflow is not installed.

    """
    try:
        import mlflow
        from mlflow.artifacts import download_artifacts
        from mlflow.tracking import MlflowClient
    except ImportError:
        raise MissingExtra("mlflow", "mlflow") from None
    try:
        where = os.environ.get("MLFLOW_TRACKING_URI") or (
            Path("mlruns").resolve().as_uri() if Path("mlruns").is_dir() else mlflow.get_tracking_uri()
        )
        client = MlflowClient(tracking_uri=where, registry_uri=os.environ.get("MLFLOW_REGISTRY_URI") or where)
        mlflow.set_tracking_uri(where)
        uri, name, version = _address(source, client)
        folder = Path(download_artifacts(artifact_uri=uri, dst_path=place))
        folder = (
            folder
            if (folder / "MLmodel").is_file()
            else next((each.parent for each in folder.rglob("MLmodel")), folder)
        )
        run_id = _described(folder).get("run_id")
        run = client.get_run(str(run_id)) if run_id else None
    except SekishoError:
        raise
    except Exception as error:  # whatever store, driver or network say
        raise NotFound(
            Text(
                en=f"MLflow does not give it: {' '.join(str(error).split())[:200]}",
                ja=f"MLflow から取得できません: {' '.join(str(error).split())[:200]}",
            ),
            Text(
                en="check the name and MLFLOW_TRACKING_URI (a database needs the whole mlflow package)",
                ja="名前と MLFLOW_TRACKING_URI を確認してください（データベースの場合は mlflow 本体が必要です）",
            ),
            where=source,
        ) from error
    return _Fetched(folder=folder, run=run, name=name, version=version)


def _address(source: str, client: Any) -> tuple[str, str | None, str | None]:
    """Return where the artifacts are, and name and version of a registered model."""
    registered = re.fullmatch(r"models:/(?P<name>[^/@]+)(?:/(?P<version>[^/]+)|@(?P<alias>[^/]+))", source)
    if registered is not None:
        version = registered["version"]
        if registered["alias"]:
            version = str(client.get_model_version_by_alias(registered["name"], registered["alias"]).version)
        return f"models:/{registered['name']}/{version}", registered["name"], version
    if ":" in source:
        return source, None, None
    outputs = getattr(client.get_run(source).outputs, "model_outputs", None) or ()
    if outputs:
        return f"models:/{outputs[0].model_id}", None, None
    for each in client.list_artifacts(source):
        if each.is_dir and any(
            Path(inner.path).name == "MLmodel" for inner in client.list_artifacts(source, each.path)
        ):
            return f"runs:/{source}/{each.path}", None, None
    raise NotFound(
        Text(en="this run has logged no model", ja="この run にモデルが記録されていません"),
        Text(en="log it with mlflow.<flavor>.log_model", ja="mlflow.<flavor>.log_model で記録してください"),
        where=source,
    )


def _of_run(run: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a run says, as fields of the metadata and of the training."""
    tags, parameters = dict(run.data.tags), dict(run.data.params)
    commit, script = tags.get("mlflow.source.git.commit"), tags.get("mlflow.source.name", "")
    seeds = {
        name: int(value)
        for name, value in parameters.items()
        if re.search(r"(^|_)(seed|random_state)$", name) and str(value).lstrip("-").isdigit()
    }
    digests, files = _inputs(run)
    metadata: dict[str, Any] = {
        "metrics": dict(run.data.metrics),
        "notes": {f"mlflow_parameter_{name}": value for name, value in parameters.items()},
        "data": digests,
        "description": tags.get("mlflow.note.content"),
        "owner": tags.get("mlflow.user"),
    }
    if commit:
        metadata["source"] = {"commit": commit, "dirty": tags.get("mlflow.source.git.dirty") == "true"}
    seconds = (run.info.end_time - run.info.start_time) / 1_000 if run.info.end_time else None
    training = {
        "command": ["python", script] if script.endswith(".py") else [],
        "date": dt.datetime.fromtimestamp(run.info.start_time / 1_000, dt.UTC).isoformat(timespec="seconds"),
        "seconds": seconds,
        "seeds": seeds,
        "data": files,
    }
    return metadata, training


def _inputs(run: Any) -> tuple[list[dict[str, Any]], list[Path]]:
    """Return the datasets of a run: MLflow's digests, and the files that still lie here."""
    digests, files = [], []
    for each in getattr(run.inputs, "dataset_inputs", None) or ():
        dataset = each.dataset
        digests.append({"name": dataset.name, "digest": f"mlflow:{dataset.digest}"})
        try:
            address = urlsplit(str(json.loads(dataset.source).get("uri", "")))
        except (ValueError, AttributeError):
            continue
        path = Path(unquote(address.path))
        if address.scheme in {"", "file"} and path.is_file():
            files.append(path)
    return digests, files


def _moment(said: object) -> str | None:
    try:
        return dt.datetime.fromisoformat(str(said)).replace(tzinfo=dt.UTC).isoformat(timespec="seconds")
    except ValueError:
        return None


@contextlib.contextmanager
def _settings() -> Iterator[None]:
    """Set what MLflow reads from the environment, and keep its advice to itself, for as long as it is asked."""
    before = {name: os.environ.get(name) for name in _SETTINGS}
    os.environ.update({name: value for name, value in _SETTINGS.items() if before[name] is None})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)


MLFLOW: Final = MLflowImporter()
