"""The project's own drift detector, asked about one window after the other in a process of its own.

Run as ``python -m sekisho.probes.resources.detector_child SPECIFICATION`` in the project's folder. The specification is JSON (:class:`Specification`).
Each line of standard input is a :class:`Question` in JSON; each is answered by one line of JSON on the original standard output,
whatever the detector prints.

A detector is ``module:callable``. It is called with the reference and the window (or the window alone, if it takes one
argument), both as pandas data frames. An alarm is: true; an object or mapping whose ``drift_detected``, ``drift``,
``detected`` or ``alarm`` is true; a mapping in which any value is such; or a list of columns that is not empty.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from sekisho.artifact.table import Table, read_table
from sekisho.probes.resources.windows import Change, Windows

if TYPE_CHECKING:
    import pandas as pd

_ALARMS: Final = ("drift_detected", "is_drift", "drift", "detected", "alarm", "drifted")


class Specification(msgspec.Struct, frozen=True, kw_only=True):
    """What the detector is and what it looks at.

    Attributes:
        detector: ``module:callable``.
        table: The Parquet file of the reference.
        rows: Rows of a window.
        smallest_effect: As in :class:`~sekisho.probes.resources.windows.Windows`.

    """

    detector: str
    table: str
    rows: int
    smallest_effect: float


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One window: clean when ``change`` is ``None``."""

    seed: int
    change: Change | None = None
    column: str = ""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What the detector said; ``error`` is the class of what it raised."""

    alarm: bool = False
    error: str | None = None


def is_alarm(said: object) -> bool:
    """Return whether what a detector returned is an alarm."""
    if said is None or isinstance(said, str):
        return bool(said)
    if isinstance(said, Mapping):
        for name in _ALARMS:
            if name in said:
                return is_alarm(said[name])
        return any(is_alarm(value) for value in said.values() if isinstance(value, Mapping) or _is_truth(value))
    for name in _ALARMS:
        if hasattr(said, name):
            return is_alarm(getattr(said, name))
    if isinstance(said, list | tuple | set | frozenset):
        return any(is_alarm(each) for each in said) if any(isinstance(e, Mapping) for e in said) else len(said) > 0
    return bool(said)


def _is_truth(value: object) -> bool:
    return type(value).__name__ in {"bool", "bool_"}


def main() -> int:
    """Answer questions until there are no more."""
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what the detector prints goes where its warnings go
    specification = msgspec.json.decode(sys.argv[1], type=Specification)
    sys.path.insert(0, str(Path.cwd()))
    table = read_table(specification.table)
    windows = Windows(table, specification.rows, smallest_effect=specification.smallest_effect)
    try:
        detector = _Detector(specification.detector, table)
    except Exception as error:  # whatever the project's module raises
        out.write(msgspec.json.encode(Reply(error=type(error).__name__)) + b"\n")
        return 1
    out.write(msgspec.json.encode(Reply()) + b"\n")
    for line in sys.stdin.buffer:
        question = msgspec.json.decode(line, type=Question)
        out.write(msgspec.json.encode(_answer(detector, windows, question)) + b"\n")
    return 0


def _answer(detector: _Detector, windows: Windows, question: Question) -> Reply:
    if question.change is not None:
        reference, window = None, windows.changed(question.change, question.column, question.seed)
    elif detector.takes_reference:
        reference, window = windows.split(question.seed)
    else:
        reference, window = None, windows.clean(question.seed)
    try:
        return Reply(alarm=is_alarm(detector.ask(window, reference)))
    except Exception as error:  # whatever the project's detector raises
        return Reply(error=type(error).__name__)


class _Detector:
    """The callable that the contract names, and how it is called."""

    def __init__(self, name: str, reference: Table) -> None:
        module, _, attribute = name.partition(":")
        found: object = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
        assert callable(found)
        self._call: Callable[..., object] = found
        self._reference = frame_of(reference)
        required = [
            parameter
            for parameter in inspect.signature(found).parameters.values()
            if parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}
            and parameter.default is parameter.empty
        ]
        self.takes_reference = len(required) != 1

    def ask(self, window: Table, reference: Table | None) -> object:
        """Return what the detector says of a window; ``reference=None`` stands for the whole one."""
        if not self.takes_reference:
            return self._call(frame_of(window))
        frame = self._reference.copy(deep=False) if reference is None else frame_of(reference)
        return self._call(frame, frame_of(window))


def frame_of(table: Table) -> pd.DataFrame:
    """Return a table as most code reads one: numbers with nulls as floats, not as pandas' nullable types."""
    frame = table.to_pandas()
    for column in table.columns:
        if column.dtype == "Int64":
            frame[column.name] = frame[column.name].astype("float64")
        elif column.dtype == "boolean":
            frame[column.name] = frame[column.name].astype("object")
    return frame


if __name__ == "__main__":
    sys.exit(main())
