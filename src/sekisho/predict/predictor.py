"""The predictor: from validated rows to answers, with what stood out on the way.

The four steps are public, because a service takes them apart: it prepares the rows of several callers together, runs them as one
batch, and gives each caller their own answers::

    prepared = predictor.prepare(rows)      # arrays, and what stands out in the rows
    outputs = predictor.run(prepared)       # the model
    answers = predictor.read(outputs)       # JSON values, checked

:meth:`Predictor.predict` takes all of them, for everybody else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from sekisho.artifact.formats.onnx import OnnxRuntime
from sekisho.errors import ModelFailed
from sekisho.predict.answers import Answers, answer_reader, invalid_output, model_failed
from sekisho.predict.columnar import ColumnarRows
from sekisho.predict.lanes import Lane, lanes_of_columns, lanes_of_graph
from sekisho.predict.rows import RowReader
from sekisho.predict.scrutiny import Findings, Scrutiny

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from sekisho.artifact.formats.interface import Columns, Outputs, Runtime
    from sekisho.artifact.signature import Signature
    from sekisho.predict.rows import Row


class Prepared(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """Rows made ready for the model.

    Attributes:
        rows: How many.
        arrays: Their cells, lane by lane.
        findings: What stands out; ``None`` if nothing does. Rows that are refused must not be run.

    """

    rows: int
    arrays: tuple[NDArray[Any], ...]
    findings: Findings | None


class Predictor:
    """Answers rows by the rules of ``signature``.

    Args:
        signature: What goes in and what comes out.
        runtime: A model that may run in this process; ``None`` if it runs elsewhere, and :meth:`columns` are sent there.

    """

    def __init__(self, signature: Signature, runtime: Runtime | None) -> None:
        self.signature = signature
        self.reader = RowReader(signature)
        self._answers = answer_reader(signature.output)
        lanes = lanes_of_graph(signature, runtime.groups) if isinstance(runtime, OnnxRuntime) else None
        self._lanes = lanes_of_columns(signature) if lanes is None else lanes
        self._run: Callable[[Prepared], Outputs] = self._run_elsewhere
        if runtime is not None:
            self._run = self._run_columns if lanes is None else self._run_lanes
        self._runtime: Any = runtime
        self._scrutiny = Scrutiny(signature, self._lanes, native=lanes is None)

    def prepare(self, rows: Sequence[Row]) -> Prepared:
        """Make rows ready for the model, and look at every value that it does not know.

        Args:
            rows: At least one, as :class:`~sekisho.predict.rows.RowReader` reads them.

        """
        arrays = tuple([lane.fill(rows) for lane in self._lanes])
        return Prepared(rows=len(rows), arrays=arrays, findings=self._scrutiny.examine(rows, arrays))

    def by_columns(self, prepared: Prepared) -> ColumnarRows:
        """Return the rows as columns, without looking at them again: what is kept of many rows is kept so."""
        columns: dict[int, NDArray[Any]] = {}
        for lane, array in zip(self._lanes, prepared.arrays, strict=True):
            columns |= {place: array[:, at] for at, place in enumerate(lane.places)}
        features = self.signature.features
        return ColumnarRows(features, [columns[place] for place in range(len(features))])

    def run(self, prepared: Prepared) -> Outputs:
        """Ask the model. Thread-safe.

        Raises:
            ModelFailed: It raised.

        """
        return self._run(prepared)

    def columns(self, prepared: Prepared) -> Columns:
        """Return one array a feature, for a runtime that takes columns."""
        columns: dict[str, NDArray[Any]] = {}
        for lane, array in zip(self._lanes, prepared.arrays, strict=True):
            columns |= lane.columns(array)
        return columns

    def read(self, outputs: Outputs, rows: int) -> Answers:
        """Return the model's answers to ``rows`` rows as JSON values.

        Raises:
            ModelFailed: There are fewer or more answers than rows (``invalid_output``).

        """
        return self._answers.read(outputs, rows)

    def predict(self, rows: Sequence[Row]) -> tuple[Answers, Findings | None]:
        """Answer rows: prepare, run, read.

        Raises:
            InvalidInput: A row is refused; the first one is named.
            ModelFailed: The model raised, or gave an answer that cannot be.

        """
        prepared = self.prepare(rows)
        if prepared.findings is not None and prepared.findings.refusals:
            raise prepared.findings.refusals[min(prepared.findings.refusals)]
        answers = self.read(self.run(prepared), prepared.rows)
        if answers.unsound:
            raise invalid_output()
        return answers, prepared.findings

    def _run_lanes(self, prepared: Prepared) -> Outputs:
        lanes: Sequence[Lane] = self._lanes
        feeds = {lane.name: lane.feed(array) for lane, array in zip(lanes, prepared.arrays, strict=True) if lane.name}
        return _guarded(self._runtime.run_groups, feeds)

    def _run_columns(self, prepared: Prepared) -> Outputs:
        return _guarded(self._runtime.run, self.columns(prepared))

    def _run_elsewhere(self, prepared: Prepared) -> Outputs:  # noqa: ARG002
        raise RuntimeError("this model runs in another process")


def _guarded(run: Callable[[Any], Outputs], given: Any) -> Outputs:
    try:
        return run(given)
    except ModelFailed:
        raise
    except Exception as error:
        raise model_failed(type(error).__name__) from error
