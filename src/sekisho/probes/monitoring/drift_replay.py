"""How often the drift detector alarms when nothing has changed, and how often it notices when something has."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sekisho.artifact.artifact import ModelArtifact
from sekisho.contract.project import Project
from sekisho.contract.sections import Monitoring
from sekisho.gate.probe import Progress, probe
from sekisho.probes.resources.detector import Asked, DetectorFailed, DetectorInForce, OwnDetector, foreign_detector
from sekisho.probes.resources.detector_child import Question
from sekisho.probes.resources.tables import TrainingSet
from sekisho.probes.resources.windows import CHANGES, Windows
from sekisho.probes.statistics.exact import lower_bound, silent_trials_needed, upper_bound
from sekisho.text import Text
from sekisho.watch.drift.correction import alpha_per_look

CONFIDENCE: Final = 0.95
SURE: Final = 0.999
"""How sure it must be that a detector alarms too often, to stop early."""
POWER: Final = 0.9
LEAST: Final = 29
"""Windows of each change: as many as prove the power when all are noticed."""
MOST: Final = 100
FAST: Final = 4
"""How many times the least number of clean windows are replayed at most, when some of them alarm."""
LONGEST: Final = 90.0
"""Seconds for the clean windows of a slow detector."""
SEED: Final = 20_240_601


@dataclass(frozen=True, kw_only=True, slots=True)
class Noticed:
    """How often one change was noticed.

    Attributes:
        change: Its name in :data:`~sekisho.probes.resources.windows.CHANGES`.
        windows: In how many windows it was made.
        caught: In how many the detector alarmed.
        low: The lower bound of the power, at 95 %, one-sided.
        missed: The columns in which it was missed.

    """

    change: str
    windows: int
    caught: int
    low: float
    missed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftReplay:
    """What the detector said of windows about which the truth is known.

    Attributes:
        detector: ``sekisho`` or the name in the contract.
        window_rows: Rows of a window.
        budget: The share of clean windows that may alarm.
        clean: Windows in which nothing had changed.
        alarms: How many of them alarmed all the same.
        low, high: The bounds of that share, at 95 %, one-sided each.
        changes: Every change that the columns allow.
        seconds_per_window: How long the detector took.
        failure: The class of what the project's detector raised, or why it ended; ``None`` when it answered every time.

    """

    detector: str
    window_rows: int
    budget: float
    clean: int
    alarms: int
    low: float
    high: float
    changes: tuple[Noticed, ...]
    seconds_per_window: float
    failure: str | None


@probe(
    "monitoring/drift-replay",
    title=Text(en="Replay windows with and without drift", ja="ドリフトの有無が分かる窓を再生"),
    seconds=6,
)
def drift_replay(
    in_force: DetectorInForce,
    monitoring: Monitoring,
    training: TrainingSet | None,
    artifact: ModelArtifact | None,
    progress: Progress,
) -> DriftReplay:
    """Resample the training set into windows, clean and changed, and ask the detector in force about each."""
    budget = alpha_per_look(monitoring.false_alarms_per_30_days, monitoring.windows_per_day)
    changes: list[Noticed] = []
    clean = alarms = 0
    failure = None
    began = time.monotonic()
    if training is not None:
        table = training.table if artifact is None else training.table.select(artifact.signature.names)
        windows = Windows(table, monitoring.window_rows, smallest_effect=monitoring.smallest_effect)
        try:
            with _detector(in_force.project, training, artifact, windows) as detector:
                changes += _power(detector, windows, progress)
                clean, alarms = _false_alarms(detector, budget, progress)
        except DetectorFailed as error:
            failure = error.kind
    asked = clean + sum(each.windows for each in changes)
    return DriftReplay(
        detector=monitoring.detector or "sekisho",
        window_rows=monitoring.window_rows,
        budget=budget,
        clean=clean,
        alarms=alarms,
        low=lower_bound(alarms, clean, CONFIDENCE),
        high=upper_bound(alarms, clean, CONFIDENCE),
        changes=tuple(changes),
        seconds_per_window=round((time.monotonic() - began) / max(asked, 1), 6),
        failure=failure,
    )


@contextlib.contextmanager
def _detector(
    project: Project, training: TrainingSet, artifact: ModelArtifact | None, windows: Windows
) -> Iterator[Asked]:
    monitoring = project.contract.monitoring
    if monitoring.detector is None:
        kept = None if artifact is None else artifact.reference
        yield OwnDetector(training.table if kept is None else kept, windows, monitoring)
        return
    with foreign_detector(project, training) as detector:
        yield detector


def _power(detector: Asked, windows: Windows, progress: Progress) -> Iterator[Noticed]:
    """Make each change in one column after the other, until it is sure whether it is noticed often enough."""
    for step, change in enumerate(CHANGES):
        columns = windows.columns(change)
        caught, missed, count = 0, set(), 0
        while columns and count < MOST:
            column = columns[count % len(columns)]
            if detector.alarms(Question(seed=SEED + count, change=change, column=column)):
                caught += 1
            else:
                missed.add(column)
            count += 1
            progress.advance(0.3 * (step + count / MOST) / len(CHANGES))
            if count >= LEAST and lower_bound(caught, count, CONFIDENCE) >= POWER:
                break
            if upper_bound(caught, count, CONFIDENCE) < POWER:
                break
        if count:
            low = lower_bound(caught, count, CONFIDENCE)
            yield Noticed(change=change, windows=count, caught=caught, low=low, missed=tuple(sorted(missed)))


def _false_alarms(detector: Asked, budget: float, progress: Progress) -> tuple[int, int]:
    """Replay clean windows until it is sure whether the budget is kept, or time is up."""
    least = silent_trials_needed(budget, CONFIDENCE)
    deadline = time.monotonic() + LONGEST
    alarms = count = 0
    while count < FAST * least and time.monotonic() < deadline:
        alarms += detector.alarms(Question(seed=2 * SEED + count))
        count += 1
        if count % 20 == 0:
            progress.advance(0.3 + 0.7 * min(1.0, count / least))
            if lower_bound(alarms, count, SURE) > budget:
                break
        if count >= least and upper_bound(alarms, count, CONFIDENCE) <= budget:
            break
    return count, alarms
