"""What is known of a model besides its bytes: when, from what, by what and on what it was made."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib import metadata as distributions
from pathlib import Path
from typing import Any, Final

import msgspec

from sekisho.artifact import boosting
from sekisho.artifact.column import Scalar
from sekisho.errors import WrongUse
from sekisho.text import Text

_LIBRARIES: Final = ("numpy", "scipy", "pandas", "scikit-learn", "skops", "onnx", "onnxruntime", "skl2onnx")
_LIBRARY_OF_BUILD: Final = {"xgboost-cpu": "xgboost"}
"""Distributions that bring another's package, at the same version."""


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The code that trained the model.

    Attributes:
        commit: The git commit, in hexadecimal.
        dirty: Whether tracked files differed from it.

    """

    commit: str
    dirty: bool


class Hardware(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The machine that trained the model."""

    processor: str
    cores: int
    memory_bytes: int
    system: str


class Dataset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One set of rows that took part.

    Attributes:
        name: What it was for, such as ``reference`` or ``training``.
        digest: SHA-256: of a table's cells (as :attr:`Table.digest <sekisho.artifact.table.Table.digest>`), or of a file's bytes.
        rows: How many rows, where that is known.
        file: Its file, as it was given.

    """

    name: str
    digest: str
    rows: int | None = None
    file: str | None = None


class Metric(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A figure that somebody gave. Without evidence it is a claim.

    Attributes:
        name: Such as ``accuracy``.
        value: The figure.
        evidence: The ids of the evidence that shows it.

    """

    name: str
    value: float
    evidence: tuple[str, ...] = ()


class Metadata(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it. ``None`` and empty mean that nobody has stated it, and the boxes that need it say so.

    Attributes:
        description: What the model is for, in a sentence.
        owner: Who answers for it.
        model_type: The class of the model.
        training_date: The day, ``YYYY-MM-DD``, or the moment in RFC 3339.
        training_command: The command that trains it again, as a list of words.
        training_seconds: How long training took.
        seeds: Every seed, by what it is for.
        parameters: The parameters of the estimator that are plain values.
        source: The code; ``None`` outside a git repository.
        data: The sets of rows.
        python: The version of Python.
        libraries: The versions of the libraries, by distribution.
        hardware: The machine.
        metrics: Figures as given.
        notes: Anything else that was given.
        lock_missing: Why there is no ``requirements.lock``.

    """

    description: str | None = None
    owner: str | None = None
    model_type: str | None = None
    training_date: str | None = None
    training_command: tuple[str, ...] = ()
    training_seconds: float | None = None
    seeds: dict[str, int] = {}
    parameters: dict[str, Scalar] = {}
    source: Source | None = None
    data: tuple[Dataset, ...] = ()
    python: str | None = None
    libraries: dict[str, str] = {}
    hardware: Hardware | None = None
    metrics: tuple[Metric, ...] = ()
    notes: dict[str, Scalar] = {}
    lock_missing: Text | None = None

    def missing(self) -> tuple[str, ...]:
        """Return the names of the fields that a deployment needs and nobody has stated."""
        needed = ("training_date", "training_command", "seeds", "source", "data", "python", "libraries", "hardware")
        return tuple(name for name in needed if not getattr(self, name))


def metadata_of(given: Metadata | Mapping[str, Any] | None) -> Metadata:
    """Return ``given`` as typed metadata.

    A mapping may use the names of the fields; ``metrics`` may map names to figures, ``seed`` is one seed, ``author`` is the owner. Single
    values under other names become notes, and lists and mappings under them are left out.

    Raises:
        WrongUse: A known field has the wrong type, or the training date is no date.

    """
    if given is None:
        return Metadata()
    metadata = given if isinstance(given, Metadata) else _typed(given)
    if metadata.training_date is not None:
        _check_date(metadata.training_date)
    return metadata


def surroundings(model: object, folder: Path | None = None) -> dict[str, Any]:
    """Return the fields of :class:`Metadata` that this process can see for itself.

    Args:
        model: The fitted model.
        folder: Where its code lies: the working folder if not given.

    """
    return {
        "model_type": model_type(model),
        "parameters": _parameters(model),
        "source": _source(folder or Path.cwd()),
        "python": platform.python_version(),
        "libraries": library_versions(model),
        "hardware": _hardware(),
    }


def model_type(model: object) -> str:
    """Return the class of a model; of a pipeline or a search that of the estimator at its end."""
    steps = getattr(model, "steps", None)
    if isinstance(steps, Sequence) and steps:
        return model_type(steps[-1][1])
    named = getattr(model, "model_type", None)
    if isinstance(named, str):
        return named  # of a class of ours that stands for one of another library
    best = getattr(model, "best_estimator_", None)
    return model_type(best) if best is not None else type(model).__name__


def library_versions(model: object) -> dict[str, str]:
    """Return the versions of the libraries that make and read models, and of those that ``model`` comes from."""
    kinds = {*type(model).__mro__, *type(getattr(model, "module", None)).__mro__}
    own = {name for kind in kinds for name in distributions_of(kind.__module__.partition(".")[0])} - {"sekisho"}
    boosters = (boosting.library_of(value) for value in boosting.parts(model))
    own = {_LIBRARY_OF_BUILD.get(name, name) for name in own} | {unit.distributions[0] for unit in boosters if unit}
    found = {name: installed_version(name) for name in sorted({*_LIBRARIES, *own})}
    return {name: version for name, version in found.items() if version is not None}


def installed_version(distribution: str) -> str | None:
    """Return the version of a distribution, or of another build of the same library; ``None`` if none is installed."""
    builds = [name for name, library in _LIBRARY_OF_BUILD.items() if library == distribution]
    for name in (distribution, *builds):
        with contextlib.suppress(distributions.PackageNotFoundError):
            return distributions.version(name)
    return None


def distributions_of(package: str) -> tuple[str, ...]:
    """Return the distributions that bring an importable package."""
    return tuple(_packages().get(package, ()))


@functools.cache
def _packages() -> Mapping[str, Sequence[str]]:
    return distributions.packages_distributions()


def _typed(given: Mapping[str, Any]) -> Metadata:
    known = {field.name for field in msgspec.structs.fields(Metadata)}
    fields = {name: value for name, value in given.items() if name in known}
    notes = {name: value for name, value in given.items() if name not in known and isinstance(value, Scalar)}
    metrics = fields.get("metrics")
    if isinstance(metrics, Mapping):
        fields["metrics"] = [{"name": name, "value": value} for name, value in metrics.items()]
    if isinstance(notes.get("seed"), int):
        fields.setdefault("seeds", {"seed": notes.pop("seed")})
    if "author" in notes:
        fields.setdefault("owner", notes.pop("author"))
    date = fields.get("training_date")
    if isinstance(date, dt.date):
        fields["training_date"] = date.isoformat()
    if notes:
        fields["notes"] = {**notes, **fields.get("notes", {})}
    try:
        return msgspec.convert(fields, Metadata)
    except msgspec.ValidationError as error:
        raise WrongUse(
            Text(en=f"the metadata do not fit: {error}", ja=f"メタデータの型が合いません: {error}"),
            Text(
                en="see sekisho.artifact.metadata.Metadata", ja="sekisho.artifact.metadata.Metadata を参照してください"
            ),
        ) from None


def _check_date(words: str) -> None:
    try:
        dt.datetime.fromisoformat(words)
    except ValueError:
        raise WrongUse(
            Text(en=f"{words!r} is not a date", ja=f"{words!r} は日付ではありません"),
            Text(en="write training_date as YYYY-MM-DD", ja="training_date は YYYY-MM-DD で書いてください"),
        ) from None


def _parameters(model: object) -> dict[str, Scalar]:
    ask = getattr(model, "get_params", None)
    if not callable(ask):
        return {}
    found = ask(deep=True).items()
    return {
        name: _parameter(value)
        for name, value in sorted(found)
        if value is None or isinstance(value, bool | int | float | str)
    }


def _parameter(value: Scalar) -> Scalar:
    """Return a parameter as a JSON value: NaN and infinity as words, NumPy's own float and string as Python's."""
    if isinstance(value, float):
        return float(value) if abs(value) < float("inf") else str(float(value))
    return str(value) if isinstance(value, str) else value


def _source(folder: Path) -> Source | None:
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return None
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return Source(commit=commit, dirty=changed is None or bool(changed))


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],  # noqa: S607 - whatever git the user has
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _hardware() -> Hardware:
    return Hardware(
        processor=platform.processor() or platform.machine(),
        cores=os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        system=f"{platform.system()} {platform.release()}",
    )
