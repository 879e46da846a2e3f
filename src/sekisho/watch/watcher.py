"""One look after another at the last rows of the book, inside a budget of false alarms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sekisho.artifact.table import Table
from sekisho.watch.drift.detector import DriftDetector
from sekisho.watch.settings import WatchSettings
from sekisho.watch.windows import Window, last_window

if TYPE_CHECKING:
    from sekisho.artifact.artifact import ModelArtifact
    from sekisho.artifact.column import Kind
    from sekisho.watch.drift.report import DriftReport


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Look:
    """What one look has seen.

    Attributes:
        window: The rows.
        report: The verdict on them.

    """

    window: Window
    report: DriftReport


class Watcher:
    """Looks at the last rows that one artifact answered.

    Args:
        artifact: The artifact, with its drift reference.
        settings: What is watched.

    Attributes:
        title: The model's name and version.
        nothing: The report on no rows at all, for the time before the first ones.

    """

    def __init__(self, artifact: ModelArtifact, settings: WatchSettings) -> None:
        self.settings = settings
        self.model = artifact.digest
        self.title = f"{artifact.name} {artifact.version}"
        self.detector = DriftDetector(artifact, smallest_effect=settings.smallest_effect)
        signature = artifact.signature
        unwritten = {feature.name for feature in signature.features if feature.personal}.union(settings.ignored)
        self._kinds: Mapping[str, Kind] = {
            name: kind for name, kind in self.detector.kinds.items() if name not in unwritten
        }
        # A feature may have the name of the answer; several answers are no column of their own.
        answers = set() if signature.output.outputs else {signature.output.name}
        self._answer = next(iter(answers & {*self._kinds} - {*signature.names}), None)
        self.nothing = self.detector.detect_drift(Table(columns=()), settings.alpha, columns=tuple(self._kinds))
        self._last: Look | None = None

    def look(self) -> Look:
        """Judge the last rows; rows that were judged already are not judged again.

        Raises:
            LedgerError: The book cannot be read.

        """
        window = last_window(
            self.settings.ledger,
            self.settings.window_rows,
            model=self.model,
            kinds=self._kinds,
            answer=self._answer,
        )
        if self._last is None or window.newest != self._last.window.newest:
            report = self.detector.detect_drift(window.table, self.settings.alpha, columns=window.table.names)
            self._last = Look(window=window, report=report)
        return self._last
