"""What is written about a model, by Sekisho or by anybody else, under whatever names they use."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from sekisho.artifact.artifact import ModelArtifact
from sekisho.probes.resources.artifacts import ModelFiles

MOST_BYTES: Final = 8 * 1024 * 1024
ENDINGS: Final = (".json", ".yaml", ".yml", ".toml")

SYNONYMS: Final[Mapping[str, tuple[str, ...]]] = {
    "name": ("name", "model_name", "model.name", "model_id", "title"),
    "version": ("version", "model_version", "model.version"),
    "training_date": (
        *("training_date", "trained_at", "trained_on", "train_date", "training_time", "training_timestamp"),
        *("date_trained", "training.date", "training.finished_at", "created_at", "creation_date", "created"),
    ),
    "data": (
        *("data_digest", "data_hash", "data_sha256", "dataset_digest", "dataset_hash", "dataset_sha256"),
        *("training_data_digest", "training_data_hash", "training_data_sha256", "data.digest", "data.sha256"),
        *("training_data.digest", "training_data.sha256", "training_data.hash", "dataset.digest", "dataset.sha256"),
        *("dataset.hash", "data.hash", "data_version", "dataset_version", "training.data_digest"),
    ),
    "code": (
        *("git_commit", "commit", "commit_hash", "commit_sha", "git_sha", "git_hash", "git_revision", "code_version"),
        *("source.commit", "git.commit", "code.commit", "source_commit", "revision", "mlflow.source.git.commit"),
    ),
    "seed": ("seed", "seeds", "random_state", "random_seed", "training.seed"),
    "libraries": (
        *("libraries", "library_versions", "dependencies", "packages", "requirements", "package_versions"),
        *("framework_version", "framework_versions", "sklearn_version", "scikit_learn_version", "environment.packages"),
        *("versions", "environment", "software"),
    ),
}
"""What each field of a complete description may be called, the plainest name first; a dot is one level down."""

MANY: Final = frozenset({"libraries", "seed", "data"})
"""Fields that may be a group of values."""
UNMISTAKABLE: Final = frozenset({"training_date", "code", "seed", "data"})
"""Fields whose names mean the same on every level; a name or a version may be that of something else."""

Value = str | int | float | bool | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """What is written about a model.

    Attributes:
        files: Where it stands, from the folder of the model; empty when nothing is written.
        entries: Every value by its path, with dots between the levels, in lower case.

    """

    files: tuple[str, ...]
    entries: Mapping[str, Value]

    def find(self, field: str) -> Value:
        """Return what is written for a field of :data:`SYNONYMS`; ``None`` when nothing is.

        Of a group of values, such as library versions, it is all of them in one line.
        """
        for name in SYNONYMS[field]:
            value = self.entries.get(name)
            if value not in {None, ""}:
                return value
            group = self.group(name) if field in MANY else {}
            if group:
                return ", ".join(f"{key} {value}" for key, value in group.items())
        if field in UNMISTAKABLE:
            inside = [f".{name}" for name in SYNONYMS[field]]
            for path, value in self.entries.items():
                if path.endswith(tuple(inside)) and value not in {None, ""}:
                    return value
        return None

    def group(self, name: str) -> dict[str, Value]:
        """Return the values below a name, by what follows it."""
        found: dict[str, Value] = {}
        for path, value in self.entries.items():
            before, inside, after = f".{path}".partition(f".{name}.")
            if inside and value not in {None, ""} and before.count(".") <= 2:
                found[after] = value
        return found

    @property
    def versions(self) -> dict[str, str]:
        """The versions of libraries that are written down, by the normal name of their distribution."""
        found: dict[str, str] = {}
        for group in ("libraries", "library_versions", "dependencies", "packages", "package_versions", "requirements"):
            for name, value in self.group(group).items():
                if isinstance(value, str):
                    found.setdefault(distribution(name), value)
        for path, value in self.entries.items():
            name = path.rpartition(".")[2].removesuffix("_version")
            if path.endswith("_version") and distribution(name) in _DISTRIBUTIONS and isinstance(value, str):
                found.setdefault(distribution(name), value)
        return {
            name: version.strip().lstrip("=v ") for name, version in found.items() if _VERSION.match(version.strip())
        }


_VERSION: Final = re.compile(r"^[=v ]*\d+(\.\w+)+")
_DISTRIBUTIONS: Final = frozenset(
    [
        "catboost",
        "joblib",
        "lightgbm",
        "numpy",
        "onnx",
        "onnxruntime",
        "pandas",
        "scikit-learn",
        "scipy",
        "skops",
        "tensorflow",
        "torch",
        "xgboost",
    ]
)
_NAMED: Final = {"sklearn": "scikit-learn", "pytorch": "torch", "scikit-learn-version": "scikit-learn"}


def distribution(name: str) -> str:
    """Return the normal name of a distribution (PEP 503), also for the name that it is imported by."""
    normal = re.sub(r"[-_.]+", "-", name).lower().strip("-")
    return _NAMED.get(normal, normal)


def read_written(files: ModelFiles, artifact: ModelArtifact | None) -> Written:
    """Return what is written about the model: in its artifact, else in the files beside it."""
    if artifact is not None:
        own = {"name": artifact.name, "version": artifact.version, **msgspec.to_builtins(artifact.metadata)}
        return Written(files=("metadata.json",), entries=dict(_flat(own, "")))
    places = [path for path in _places(files) if path.is_file() and path.stat().st_size <= MOST_BYTES]
    entries: dict[str, Value] = {}
    read = []
    for path in places:
        content = _content(path)
        if isinstance(content, Mapping):
            read.append(path.name)
            entries |= {key: value for key, value in _flat(content, "") if key not in entries}
    return Written(files=tuple(read), entries=entries)


def _places(files: ModelFiles) -> Iterator[Path]:
    stem = files.path.stem.lower() if files.path.is_file() else ""
    for path in sorted(files.root.iterdir()):
        name = path.name.lower()
        if not name.endswith(ENDINGS):
            continue
        described = "metadata" in name or name.startswith(("model_info", "model-info", "model.yaml", "model_card"))
        if described or (stem and name in {f"{stem}{ending}" for ending in ENDINGS} and path != files.path):
            yield path


def _content(path: Path) -> Any:
    try:
        if path.suffix == ".json":
            return msgspec.json.decode(path.read_bytes())
        if path.suffix == ".toml":
            import tomllib

            return tomllib.loads(path.read_text("utf-8"))
        import yaml

        return yaml.safe_load(path.read_text("utf-8"))
    except Exception:  # whatever a reader says of a file that is not of its kind
        return None


def _flat(value: object, path: str) -> Iterator[tuple[str, Value]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{str(key).strip().lower()}".lstrip("."))
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            yield from _item(inner, path, place)
    elif isinstance(value, dt.date):
        yield path, value.isoformat()
    elif value is None or isinstance(value, str | int | float):
        yield path, value


def _item(inner: object, path: str, place: int) -> Iterator[tuple[str, Value]]:
    """Yield an entry of a list: one with a name under it, so that ``[{"name": "accuracy", "value": 0.9}]`` is a figure."""
    if isinstance(inner, Mapping) and isinstance(inner.get("name"), str):
        rest = {key: each for key, each in inner.items() if key != "name"}
        only = rest.get("value", rest.get("version"))
        name = str(inner["name"]).strip().lower()
        yield from _flat(only if only is not None else rest, f"{path}.{name}".lstrip("."))
        yield from (
            (f"{path}.{key}", each)
            for key, each in rest.items()
            if key in {"digest", "sha256"} and isinstance(each, str)
        )
    else:
        yield from _flat(inner, f"{path}.{place}".lstrip("."))
