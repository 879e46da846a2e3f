"""A folder of somebody else's: a model file, and a ``metadata.json`` beside it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from sekisho.artifact.imports.interface import Found, Importer
from sekisho.artifact.packing import may_run_code, read_model
from sekisho.errors import NotFound
from sekisho.text import Text

METADATA: Final = ("metadata.json", "model_metadata.json")
MOST_BYTES: Final = 8 * 1024 * 1024
MODELS: Final = (
    *(".skops", ".onnx", ".ubj", ".xgb", ".lgb", ".cbm", ".cb", ".safetensors", ".json", ".txt"),
    *(".pkl", ".pickle", ".joblib", ".sav", ".pt", ".pth"),
)
"""Endings of model files; the safer a format, the earlier it is looked for."""
_RENAMED: Final = {
    "author": "owner",
    "hyperparameters": "parameters",
    "params": "parameters",
    "trained_at": "training_date",
    "train_date": "training_date",
}
_MANY: Final = ("feature_names", "features", "target_names", "classes")


class FolderImporter(Importer):
    """``model.pkl`` and ``metadata.json``, as tutorials lay them."""

    id = "folder"

    def takes(self, source: str) -> bool:
        """Take a folder that is none of MLflow's."""
        return Path(source).is_dir() and not Path(source, "MLmodel").is_file()

    def read(self, source: str, *, trust: bool, trusted_types: tuple[str, ...]) -> Found:
        """Read the safest model in the folder and what is written beside it."""
        folder = Path(source)
        model = read_model(_model_file(folder), trust=trust, trusted_types=trusted_types)
        written = _written(folder)
        metadata, left = fields_of(written)
        name = written.get("name", written.get("model_name"))
        version = written.get("version", written.get("model_version"))
        remarks = (
            Text(
                en=f"not taken over from the metadata, because their form is another: {', '.join(left)}",
                ja=f"形式が合わないため引き継がなかったメタデータ: {', '.join(left)}",
            ),
        )
        return Found(
            model=model,
            name=str(name) if isinstance(name, str) else None,
            version=str(version) if isinstance(version, str | int | float) else None,
            metadata=metadata,
            training={"date": metadata.get("training_date")},
            remarks=remarks if left else (),
        )


def fields_of(written: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what somebody wrote as fields of our metadata, and the names of what could not be taken over."""
    from sekisho.artifact.metadata import metadata_of

    fields: dict[str, Any] = {}
    left = []
    for key, value in written.items():
        name = _RENAMED.get(key, key)
        if name in {"name", "version", "model_name", "model_version", *_MANY} or value is None:
            continue
        try:
            if name == "training_date" and not _is_date(value):
                raise ValueError
            read = metadata_of({name: value})
        except Exception:  # whatever a stranger wrote under a name of ours
            left.append(key)
            continue
        if msgspec.structs.asdict(read) != msgspec.structs.asdict(metadata_of(None)):
            fields[name] = value
        else:
            left.append(key)
    return fields, left


def _is_date(value: object) -> bool:
    try:
        dt.datetime.fromisoformat(str(value))
    except ValueError:
        return False
    return True


def _model_file(folder: Path) -> Path:
    """Return the model: of several the one in the safest format, and of these the one that is named so."""
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.is_symlink()]
    names = {*METADATA, "manifest.json", "signature.json", "config.json"}
    models = [path for path in files if path.suffix.lower() in MODELS and path.name.lower() not in names]
    models = [path for path in models if path.suffix != ".txt" or not path.name.startswith(("requirements", "README"))]
    if not models:
        raise NotFound(
            Text(en="there is no model file in this folder", ja="このフォルダーにモデルファイルがありません"),
            Text(
                en="name the file, or a folder with model.skops, model.onnx or model.pkl",
                ja="ファイルを直接指定するか、model.skops・model.onnx・model.pkl のあるフォルダーを指定してください",
            ),
            where=folder,
        )
    return min(models, key=_rank)


def _rank(path: Path) -> tuple[bool, int, bool, str]:
    with path.open("rb") as file:
        risky = may_run_code(file.read(65_536))
    return risky, MODELS.index(path.suffix.lower()), not path.stem.lower().startswith("model"), path.name


def _written(folder: Path) -> Mapping[str, Any]:
    for name in METADATA:
        path = folder / name
        if path.is_file() and path.stat().st_size <= MOST_BYTES:
            try:
                read = msgspec.json.decode(path.read_bytes())
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            if isinstance(read, Mapping):
                return {str(key): value for key, value in read.items()}
    return {}


FOLDER: Final = FolderImporter()
