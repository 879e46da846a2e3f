"""The drift detector in force: Sekisho's own, or the one that the contract names."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Protocol

import msgspec

from sekisho import __version__
from sekisho.contract.project import Project
from sekisho.contract.sections import Monitoring
from sekisho.gate.probe import resource
from sekisho.probes.resources.detector_child import Question, Reply, Specification
from sekisho.probes.resources.files import project_files
from sekisho.probes.resources.process import surroundings
from sekisho.probes.resources.tables import TrainingSet
from sekisho.probes.resources.windows import Windows
from sekisho.text import Text
from sekisho.watch.drift.correction import alpha_per_look
from sekisho.watch.drift.detector import DriftDetector

LARGEST_SOURCE: Final = 4 * 1024 * 1024
"""Bytes; larger files of the project are data."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectorInForce:
    """Which detector is in force.

    Attributes:
        project: The project that it works for.
        digest: SHA-256 of what it is made of, in hexadecimal.

    """

    project: Project
    digest: str


@resource(title=Text(en="Find the drift detector", ja="ドリフト検知器を確認"))
def detector_in_force(project: Project) -> Iterator[DetectorInForce]:
    """Yield ``monitoring.detector``, which may be made of any file of the project but its data; else Sekisho's own."""
    digest = hashlib.sha256(f"detector 1 {__version__} {project.contract.monitoring.detector}".encode())
    for path in project_files(project.root) if project.contract.monitoring.detector else ():
        if path.stat().st_size <= LARGEST_SOURCE:
            digest.update(
                f"{path.relative_to(project.root)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode()
            )
    yield DetectorInForce(project=project, digest=digest.hexdigest())


class Asked(Protocol):
    """A detector that can be asked about windows."""

    def alarms(self, question: Question) -> bool:
        """Return whether it alarms.

        Raises:
            DetectorFailed: It raised, or ended.

        """
        ...


class DetectorFailed(Exception):
    """The project's own detector raised or ended; ``kind`` names the class of what it raised, or ``exit``."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class OwnDetector:
    """Sekisho's detector, with the chance of a false alarm that the contract's budget leaves to one window.

    Args:
        reference: What it compares with.
        windows: Where the windows come from.
        monitoring: The budget and the smallest change that counts.

    """

    def __init__(self, reference: object, windows: Windows, monitoring: Monitoring) -> None:
        self._detector = DriftDetector(reference, smallest_effect=monitoring.smallest_effect)
        self._windows = windows
        self._alpha = alpha_per_look(monitoring.false_alarms_per_30_days, monitoring.windows_per_day)

    def alarms(self, question: Question) -> bool:
        """Return whether it alarms."""
        if question.change is None:
            window = self._windows.clean(question.seed)
        else:
            window = self._windows.changed(question.change, question.column, question.seed)
        return self._detector.detect_drift(window, threshold=self._alpha).detected


class ForeignDetector:
    """The project's own detector, in a process of its own that must answer in time."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._to: IO[bytes] = process.stdin
        self._from: IO[bytes] = process.stdout
        self._read()

    def alarms(self, question: Question) -> bool:
        """Return whether it alarms.

        Raises:
            DetectorFailed: It raised, or ended.

        """
        try:
            self._to.write(msgspec.json.encode(question) + b"\n")
            self._to.flush()
        except OSError as error:
            raise DetectorFailed("exit") from error
        return self._read().alarm

    def _read(self) -> Reply:
        line = self._from.readline()
        if not line:
            raise DetectorFailed("exit")
        reply = msgspec.json.decode(line, type=Reply)
        if reply.error is not None:
            raise DetectorFailed(reply.error)
        return reply


@contextlib.contextmanager
def foreign_detector(project: Project, training: TrainingSet) -> Iterator[ForeignDetector]:
    """Run ``monitoring.detector`` in the project's folder inside a ``with`` block.

    Raises:
        DetectorFailed: It cannot be imported.

    """
    monitoring = project.contract.monitoring
    log = project.state / "detector.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="sekisho-") as folder, log.open("wb") as errors:
        table = Path(folder) / "reference.parquet"
        training.table.to_pandas().to_parquet(table)
        specification = Specification(
            detector=str(monitoring.detector),
            table=str(table),
            rows=monitoring.window_rows,
            smallest_effect=monitoring.smallest_effect,
        )
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "sekisho.probes.resources.detector_child",
                msgspec.json.encode(specification).decode(),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=project.root,
            env=surroundings(),
        )
        try:
            yield ForeignDetector(process)
        finally:
            process.kill()  # it holds nothing that a clean end would save
            with contextlib.suppress(OSError):
                process.communicate()
