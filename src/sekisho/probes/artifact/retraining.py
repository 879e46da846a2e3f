"""Whether training again gives the same model: the recorded command, the recorded code and data, in a copy."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.metadata import installed_version
from sekisho.contract.sections import Data, Model, Quality
from sekisho.errors import SekishoError
from sekisho.gate.probe import Progress, probe
from sekisho.probes.resources.artifacts import ModelFiles, files_at
from sekisho.probes.resources.likeness import Likeness, compare, parameters_apart, same_bytes
from sekisho.probes.resources.rerun import Run, run
from sekisho.probes.resources.scratch import InputState, Scratch, lay
from sekisho.probes.resources.strangers import model_made_here, model_of_somebody
from sekisho.probes.resources.tables import TestSet
from sekisho.probes.resources.training import Code, Training
from sekisho.probes.resources.written import read_written
from sekisho.text import Text

NUMERIC: Final = 1e-6
"""Up to this difference between two answers it is the same number."""
CHEAP: Final = 3.0
"""Training that takes no longer is run twice in any case: what depends on chance may come out alike once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherVersion:
    """A library that is here in another version than the one that made the model.

    Attributes:
        name: The distribution.
        recorded: The version that made the model.
        here: The version that trained it again; ``None`` when it is not installed.

    """

    name: str
    recorded: str
    here: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Retraining:
    """What came of training again.

    Attributes:
        command: The command, as it is recorded; empty when there is none.
        code: Where its code was taken from.
        commit: The commit.
        uncommitted: Files of the command that are not in the commit.
        inputs: The files that the model was trained from.
        left_out: Files that hold models: training must not find them.
        runs: Each run.
        likeness: The first run's model beside the one at hand; ``None`` when there is none.
        between_runs: The second run's model beside the first's; ``None`` when training ran once.
        other_versions: Libraries that are here in other versions.
        versions: How many versions were compared.

    """

    command: tuple[str, ...]
    code: Code
    commit: str | None
    uncommitted: tuple[str, ...]
    inputs: tuple[InputState, ...]
    left_out: tuple[str, ...]
    runs: tuple[Run, ...]
    likeness: Likeness | None
    between_runs: Likeness | None
    other_versions: tuple[OtherVersion, ...]
    versions: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What models are compared with."""

    test: TestSet | None
    data: Data
    quality: Quality


@probe("artifact/retraining", title=Text(en="Train the model again", ja="モデルを学習し直す"), seconds=20)
def retraining(
    terms: Model,
    training: Training,
    files: ModelFiles,
    artifact: ModelArtifact | None,
    test: TestSet | None,
    data: Data,
    quality: Quality,
    progress: Progress,
) -> Retraining:
    """Lay a copy, compare the data, run the command once or twice, and compare what it wrote."""
    recorded = read_written(files, artifact).versions
    here = {name: installed_version(name) for name in recorded}
    others = [
        OtherVersion(name=name, recorded=version, here=here[name])
        for name, version in sorted(recorded.items())
        if here[name] != version
    ]
    fact: dict[str, object] = {
        "command": training.command,
        "code": training.code,
        "commit": training.commit,
        "other_versions": tuple(others),
        "versions": len(recorded),
    }
    if not training.command or training.code == "unknown commit":
        return _nothing(fact, training)
    judged = Judged(test=test, data=data, quality=quality)
    with tempfile.TemporaryDirectory(prefix="sekisho-training-") as place:
        work = _Work(terms, training, files, Path(place).resolve(), progress)
        if not work.start():
            return _nothing(fact | {"code": "unknown commit"}, training)
        return Retraining(**fact | work.all(artifact, judged))  # type: ignore[arg-type]


def _nothing(fact: Mapping[str, object], training: Training) -> Retraining:
    inputs = tuple(
        InputState(file=each.file, state="not recorded") for each in training.inputs if each.digest is not None
    )
    empty = {"uncommitted": (), "left_out": (), "runs": (), "likeness": None, "between_runs": None}
    return Retraining(**{**fact, **empty, "inputs": inputs})  # type: ignore[arg-type]


class _Work:
    """The runs in one temporary folder."""

    def __init__(self, terms: Model, training: Training, files: ModelFiles, place: Path, progress: Progress) -> None:
        self._terms, self._training = terms, training
        self._files, self._place, self._progress = files, place, progress
        self._scratch: Scratch | None = None
        self.runs: list[Run] = []

    def start(self) -> bool:
        """Lay the first copy; return whether that could be done."""
        self._scratch = lay(self._training, self._files, self._place / "first")
        return self._scratch is not None

    def all(self, artifact: ModelArtifact | None, judged: Judged) -> dict[str, object]:
        """Run what must be run and return what was seen."""
        scratch = self._scratch
        assert scratch is not None
        fact: dict[str, object] = {
            "uncommitted": self._uncommitted(scratch),
            "inputs": scratch.inputs,
            "left_out": scratch.left_out,
            "likeness": None,
            "between_runs": None,
        }
        if not any(each.state in {"changed", "missing"} for each in scratch.inputs):
            fact |= self._compared(scratch, artifact, judged)
        return fact | {"runs": tuple(self.runs)}

    def _compared(self, scratch: Scratch, artifact: ModelArtifact | None, judged: Judged) -> dict[str, object]:
        first = self._train(scratch)
        if first is None:
            return {}
        made = _artifact(first)
        found = _likeness(self._files, first, artifact, made, judged, trusted=False)
        self._progress.advance(0.5)
        if _sure(found) and self.runs[0].seconds > CHEAP:
            return {"likeness": found}
        again = lay(self._training, self._files, self._place / "second")
        second = None if again is None else self._train(again)
        if second is None:
            return {"likeness": found}
        between = _likeness(first, second, made, _artifact(second), judged, trusted=True)
        return {"likeness": found, "between_runs": between}

    def _train(self, scratch: Scratch) -> ModelFiles | None:
        number = len(self.runs)

        def tick(gone: float) -> None:
            self._progress.advance(0.05 + 0.45 * number + 0.4 * gone)

        done = run(
            self._training.command,
            scratch,
            self._place / f"run-{number}",
            artifact=self._terms.artifact,
            limit=self._terms.training_seconds_limit,
            tick=tick,
        )
        self.runs.append(done)
        return files_at(scratch.root / self._terms.artifact) if done.fault is None else None

    def _uncommitted(self, scratch: Scratch) -> tuple[str, ...]:
        if self._training.code != "commit":
            return ()
        return tuple(
            word
            for word in self._training.command
            if (self._training.project.root / word).is_file()
            and not Path(word).is_absolute()
            and not (scratch.root / word).exists()
        )


def _artifact(files: ModelFiles) -> ModelArtifact | None:
    try:
        return ModelArtifact.load(files.path)
    except SekishoError:
        return None


def _sure(found: Likeness) -> bool:
    """Return whether a second run can tell nothing more."""
    if found.bytes_same or (found.parameters is not None and found.parameters <= NUMERIC):
        return True
    return found.unlike is None and not found.labels_differ and (found.difference or 0.0) <= NUMERIC


def _likeness(
    first: ModelFiles,
    second: ModelFiles,
    one: ModelArtifact | None,
    other: ModelArtifact | None,
    judged: Judged,
    *,
    trusted: bool,
) -> Likeness:
    """Compare two models.

    With ``trusted``, both come from the project's own command, which has run here already: then even a pickle is read, confined as that was.
    """
    same = same_bytes(first, second, one, other)
    apart = parameters_apart(first, second) if not same and one is None and other is None else None
    if apart is not None and (apart <= NUMERIC or not trusted):
        return Likeness(bytes_same=False, unlike="not readable", parameters=apart)
    if (one is None) is not (other is None):
        return Likeness(bytes_same=same, unlike="not readable")
    if one is None or other is None:
        names = judged.test.table.names if judged.test is not None else ()
        reader = model_made_here if trusted else model_of_somebody
        one, other = reader(first, names), reader(second, names)
    if one is None or other is None:
        return Likeness(bytes_same=same, unlike="not readable")
    return compare(one, other, same=same, test=judged.test, data=judged.data, quality=judged.quality)
