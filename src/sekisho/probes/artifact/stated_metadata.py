"""What is written about the model, whether it is complete, and whether the written figures are the measured ones."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite, sqrt
from pathlib import Path
from typing import Final, Literal

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.table import Column
from sekisho.contract.project import Project
from sekisho.contract.sections import Quality
from sekisho.errors import SekishoError
from sekisho.gate.probe import probe
from sekisho.gate.runner import LEDGER_NAME
from sekisho.ledger.evidence import EvidenceBook
from sekisho.probes.resources.artifacts import ModelFiles, file_digest
from sekisho.probes.resources.descriptions import is_placeholder, malformed, of_another_model
from sekisho.probes.resources.repository import commit_of, git
from sekisho.probes.resources.scored import Scored
from sekisho.probes.resources.tables import TrainingSet
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

_SHA256: Final = re.compile(r"^(?:sha256[:=-])?([0-9a-fA-F]{64})$")
_OF_TRAINING_FILE: Final = re.compile(
    r"(^|\.|_)(training|train)_?(data|set|file|dataset)?.*(sha256|digest|hash|checksum)$"
)

Repository = Literal["none", "unknown commit", "not reachable", "shallow", "dirty", "clean", "not stated"]


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
        placeholders: Fields whose words say nothing, such as ``TODO``.
        malformed: Fields whose value is of another kind than it must be.
        of_another_model: Entries that cannot be said of this model.
        date_fault: What is wrong with the training date: ``no date``, ``in the future``, ``before its data``, or nothing.
        seed_needed: Whether training used chance, as far as the parameters tell.
        repository: ``none`` when the project is under no version control; else whether the stated commit exists in it and can be reached
            from a branch or tag, and whether the files differed from it when the model was trained.
        data_matches: Whether the file that trained the model is the one that ``data.training`` names, byte for byte; ``None`` when
            no file of that name is stated.
        stale: Other files that trained the model and are not what they were.
        claims: The figures.
        unknown_evidence: Figures that name evidence which the ledger does not hold.

    """

    files: tuple[str, ...]
    fields: tuple[Field, ...]
    date_fault: str | None
    seed_needed: bool
    repository: Repository
    data_matches: bool | None
    claims: tuple[Claim, ...]
    placeholders: tuple[str, ...] = ()
    malformed: tuple[str, ...] = ()
    of_another_model: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    unknown_evidence: tuple[str, ...] = ()


@probe("artifact/stated-metadata", title=Text(en="Read the model's metadata", ja="モデルのメタデータを確認"), seconds=1)
def stated_metadata(
    project: Project,
    quality: Quality,
    files: ModelFiles,
    artifact: ModelArtifact | None,
    scored: Scored | None,
    training: TrainingSet | None = None,
) -> StatedMetadata:
    """Read the fields, look up the commit, and measure every written figure again."""
    written = read_written(files, artifact)
    stated = {name: written.find(name) for name in SYNONYMS}
    date = stated["training_date"]
    placeholders = tuple(name for name, value in stated.items() if is_placeholder(name, value))
    signature = artifact.signature if artifact is not None else scored.signature if scored is not None else None
    return StatedMetadata(
        files=written.files,
        fields=tuple(
            Field(name=name, value=None if value is None else str(value)[:200]) for name, value in stated.items()
        ),
        placeholders=placeholders,
        malformed=tuple(malformed(written)),
        of_another_model=tuple(of_another_model(written, signature)),
        date_fault=None if date is None or "training_date" in placeholders else _date_fault(str(date), training),
        seed_needed=_seed_needed(written),
        repository=_repository(project, stated["code"], written),
        data_matches=_data_matches(project, artifact, written),
        stale=tuple(_stale(project, artifact)),
        claims=tuple(_claims(written, scored, quality)),
        unknown_evidence=tuple(_unknown_evidence(project, artifact)),
    )


def _date_fault(date: str, training: TrainingSet | None) -> str | None:
    try:
        moment = dt.datetime.fromisoformat(date.strip())
    except ValueError:
        return "no date"
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    # A day for time zones: a date without one may be tomorrow's already.
    day = dt.timedelta(days=1)
    if moment > dt.datetime.now(dt.UTC) + day:
        return "in the future"
    last = None if training is None or training.times is None else _last(training.times)
    return "before its data" if last is not None and moment + day < last else None


def _last(times: Column) -> dt.datetime | None:
    """Return the last moment of a column of moments or of years; ``None`` when it is neither."""
    present = times.values[~times.null]
    if not len(present):
        return None
    if times.kind == "datetime":
        latest = present.max().astype("datetime64[us]").item()
        return latest.replace(tzinfo=dt.UTC) if isinstance(latest, dt.datetime) else None
    if times.kind == "integer" and present.min() >= 1900 and present.max() <= 2200:
        return dt.datetime(int(present.max()), 1, 1, tzinfo=dt.UTC)
    if times.kind not in {"category", "text"}:
        return None
    try:
        latest = max(dt.datetime.fromisoformat(str(each)).replace(tzinfo=dt.UTC) for each in present)
    except ValueError:
        return None
    return latest


def _seed_needed(written: Written) -> bool:
    """Return whether a parameter for a seed was left open, or nothing is known of the parameters."""
    parameters = written.group("parameters") or written.group("hyperparameters") or written.group("params")
    named = {path for path in written.entries if ".parameters." in f".{path}" and path.endswith("random_state")}
    if not parameters and not named:
        return True
    return any(written.entries[path] is None for path in named)


def _repository(project: Project, commit: object, written: Written) -> Repository:
    if commit_of(project.root, "HEAD") is None:
        return "none"
    if not isinstance(commit, str) or not commit or is_placeholder("code", commit):
        return "not stated"
    name = commit_of(project.root, commit)
    if name is None:
        shallow = git(project.root, "rev-parse", "--is-shallow-repository") == "true"
        return "shallow" if shallow else "unknown commit"
    reached = git(project.root, "for-each-ref", "--count=1", "--contains", name)
    if not reached and git(project.root, "merge-base", "--is-ancestor", name, "HEAD") is None:
        return "not reachable"
    dirty = next((value for path, value in written.entries.items() if path.endswith("dirty")), False)
    return "dirty" if dirty else "clean"


def _data_matches(project: Project, artifact: ModelArtifact | None, written: Written) -> bool | None:
    """Return whether the file that trained the model, as is written, is the one that ``data.training`` names."""
    relative = project.contract.data.training
    if relative is None or not project.path(relative).is_file():
        return None
    path = project.path(relative)
    if artifact is not None:
        same = [each.digest for each in artifact.metadata.data if each.file and Path(each.file).name == path.name]
        return file_digest(path) in same if same else None
    stated = [str(value) for name, value in written.entries.items() if _OF_TRAINING_FILE.search(name)]
    hashes = [found[1].lower() for each in stated if (found := _SHA256.match(each.strip())) is not None]
    return file_digest(path) in hashes if hashes else None


def _stale(project: Project, artifact: ModelArtifact | None) -> Iterator[str]:
    """Yield the files of the project that trained the model and are gone or not what they were, ``data.training`` apart."""
    if artifact is None:
        return
    named = Path(project.contract.data.training or "").name
    for each in artifact.metadata.data:
        if not each.file or Path(each.file).name == named:
            continue
        path = project.root / each.file
        if path.is_relative_to(project.root) and path.is_file() and file_digest(path) != each.digest:
            yield each.file


def _unknown_evidence(project: Project, artifact: ModelArtifact | None) -> Iterator[str]:
    """Yield the figures whose evidence nobody has: neither is it in the ledger, nor does it speak of such a figure."""
    if artifact is None or not any(metric.evidence for metric in artifact.metadata.metrics):
        return
    known: set[str] = set()
    book = project.state / LEDGER_NAME
    if book.is_file():
        with EvidenceBook(book) as ledger:
            known = {hashlib.sha256(row.body).hexdigest() for row in ledger.rows()}
    for metric in artifact.metadata.metrics:
        if any(each not in known for each in metric.evidence):
            yield f"metrics.{metric.name}"


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
    for path, written_value in written.entries.items():
        value = _number(written_value)
        if value is None or not isfinite(value):
            continue
        if NOT_TEST.search(path) or ".parameters." in f".{path}":
            continue
        metric = _metric(path.rpartition(".")[2])
        if metric is None:
            continue
        percent = metric.reads != "values" and metric.name != "log_loss" and 1 < value <= 100
        yield path, metric, value / 100 if percent else float(value)


def _number(value: object) -> float | None:
    """Return a number, or one that is written as a word, such as ``"0.95"`` or ``"95 %"``."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    words = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([%％]?)\s*", value) if isinstance(value, str) else None
    if isinstance(value, str):
        return None if words is None else float(words[1]) / (100 if words[2] else 1)
    return float(value)


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
