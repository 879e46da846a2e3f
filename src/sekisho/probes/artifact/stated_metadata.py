"""What is written about the model, whether it is complete, and whether the written figures are the measured ones."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite, sqrt
from pathlib import Path
from typing import Final, Literal

from sekisho.artifact.artifact import ModelArtifact
from sekisho.contract.project import Project
from sekisho.contract.sections import Quality
from sekisho.errors import SekishoError
from sekisho.gate.probe import probe
from sekisho.probes.resources.artifacts import ModelFiles, file_digest
from sekisho.probes.resources.scored import Scored
from sekisho.probes.resources.written import SYNONYMS, Written, read_written
from sekisho.probes.statistics.answers import Answers
from sekisho.probes.statistics.estimates import Resampling, estimate
from sekisho.probes.statistics.intervals import Interval
from sekisho.probes.statistics.metrics import METRICS, Metric, fits
from sekisho.probes.statistics.metrics import SYNONYMS as OTHER_WORDS
from sekisho.text import Text

ROUNDING: Final = 0.005
"""How far a written figure may be outside the interval, because figures are written rounded."""
NOT_TEST: Final = re.compile(r"train|fit|baseline|dummy|previous|champion|threshold|target|minimum|required")
"""A figure under such a name is not that of the test set."""

Repository = Literal["none", "unknown commit", "dirty", "clean", "not stated"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One field of a complete description.

    Attributes:
        name: Such as ``training_date``.
        value: What is written, shortened; ``None`` when nothing is.

    """

    name: str
    value: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A figure that is written down.

    Attributes:
        name: Where it is written, such as ``metrics.accuracy``.
        metric: The metric it is taken for.
        stated: What is written.
        measured: The same metric on the test set; ``None`` when it could not be measured.
        agrees: Whether the written figure can be the measured one; ``None`` when it could not be measured.

    """

    name: str
    metric: str
    stated: float
    measured: Interval | None
    agrees: bool | None


@dataclass(frozen=True, kw_only=True, slots=True)
class StatedMetadata:
    """What is written about the model.

    Attributes:
        files: Where; empty when nothing is written.
        fields: Every field that a complete description has.
        date_fault: What is wrong with the training date: ``no date``, ``in the future``, or nothing.
        seed_needed: Whether training used chance, as far as the parameters tell.
        repository: ``none`` when the project is under no version control; else whether the stated commit exists in it, and whether
            the files differed from it when the model was trained.
        data_matches: Whether the file that trained the model is the one that ``data.training`` names, byte for byte; ``None`` when
            the artifact names no file of that name.
        claims: The figures.

    """

    files: tuple[str, ...]
    fields: tuple[Field, ...]
    date_fault: str | None
    seed_needed: bool
    repository: Repository
    data_matches: bool | None
    claims: tuple[Claim, ...]


@probe("artifact/stated-metadata", title=Text(en="Read the model's metadata", ja="モデルのメタデータを確認"), seconds=1)
def stated_metadata(
    project: Project,
    quality: Quality,
    files: ModelFiles,
    artifact: ModelArtifact | None,
    scored: Scored | None,
) -> StatedMetadata:
    """Read the fields, look up the commit, and measure every written figure again."""
    written = read_written(files, artifact)
    stated = {name: written.find(name) for name in SYNONYMS}
    date = stated["training_date"]
    return StatedMetadata(
        files=written.files,
        fields=tuple(
            Field(name=name, value=None if value is None else str(value)[:200]) for name, value in stated.items()
        ),
        date_fault=None if date is None else _date_fault(str(date)),
        seed_needed=_seed_needed(written),
        repository=_repository(project, stated["code"], written),
        data_matches=_data_matches(project, artifact),
        claims=tuple(_claims(written, scored, quality)),
    )


def _date_fault(date: str) -> str | None:
    try:
        moment = dt.datetime.fromisoformat(date.strip())
    except ValueError:
        return "no date"
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    # A day for time zones: a date without one may be tomorrow's already.
    return "in the future" if moment > dt.datetime.now(dt.UTC) + dt.timedelta(days=1) else None


def _seed_needed(written: Written) -> bool:
    """Return whether a parameter for a seed was left open, or nothing is known of the parameters."""
    parameters = written.group("parameters") or written.group("hyperparameters") or written.group("params")
    named = {path for path in written.entries if ".parameters." in f".{path}" and path.endswith("random_state")}
    if not parameters and not named:
        return True
    return any(written.entries[path] is None for path in named)


def _repository(project: Project, commit: object, written: Written) -> Repository:
    root = ["git", "-C", str(project.root)]
    if _git(*root, "rev-parse", "--git-dir") is None:
        return "none"
    if not isinstance(commit, str) or not commit:
        return "not stated"
    if _git(*root, "cat-file", "-e", f"{commit}^{{commit}}") is None:
        return "unknown commit"
    dirty = next((value for path, value in written.entries.items() if path.endswith("dirty")), False)
    return "dirty" if dirty else "clean"


def _git(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def _data_matches(project: Project, artifact: ModelArtifact | None) -> bool | None:
    """Return whether the file that trained the model, as its artifact says, is the one that ``data.training`` names."""
    relative = project.contract.data.training
    if artifact is None or relative is None or not project.path(relative).is_file():
        return None
    path = project.path(relative)
    same = [each.digest for each in artifact.metadata.data if each.file and Path(each.file).name == path.name]
    return file_digest(path) in same if same else None


def _claims(written: Written, scored: Scored | None, quality: Quality) -> Iterator[Claim]:
    answers: Answers | None = None
    if scored is not None:
        try:
            answers = scored.answers
        except SekishoError:
            answers = None
    how = Resampling(confidence=quality.confidence, resamples=quality.resamples, seed=quality.seed)
    for path, metric, stated in _figures(written):
        measured = None
        if answers is not None and fits(metric, answers) is None and isfinite(metric.of(answers)):
            measured = estimate(metric, answers, (), how).interval
        yield Claim(
            name=path,
            metric=metric.name,
            stated=stated,
            measured=measured,
            agrees=None if measured is None else _agrees(stated, measured, metric),
        )


def _figures(written: Written) -> Iterator[tuple[str, Metric, float]]:
    """Yield every written figure whose name is that of a metric, with words such as ``test_`` before it."""
    for path, value in written.entries.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            continue
        if NOT_TEST.search(path) or ".parameters." in f".{path}":
            continue
        metric = _metric(path.rpartition(".")[2])
        if metric is None:
            continue
        percent = metric.reads != "values" and metric.name != "log_loss" and 1 < value <= 100
        yield path, metric, value / 100 if percent else float(value)


def _metric(name: str) -> Metric | None:
    key = re.sub(r"[\s-]+", "_", name)
    key = re.sub(r"^(test|holdout|eval|evaluation|val|validation|cv|mean)_", "", key)
    key = re.sub(r"_(test|holdout|eval|val|percent|pct)$", "", key)
    return METRICS.get(OTHER_WORDS.get(key, key))


def _agrees(stated: float, measured: Interval, metric: Metric) -> bool:
    """Return whether a figure that was found on other rows of the same kind can be the measured one.

    Two measurements differ by the square root of two times what one of them does.
    """
    slack = ROUNDING if metric.reads != "values" else 0.01 * abs(measured.point)
    low = measured.point - sqrt(2) * (measured.point - measured.low) - slack
    high = measured.point + sqrt(2) * (measured.high - measured.point) + slack
    return low <= stated <= high
