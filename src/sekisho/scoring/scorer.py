"""From the rows of a piece to the rows of the answer. What cannot be answered stands apart, with its reason."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sekisho.artifact.runtime import Outputs
from sekisho.errors import DeadlineExceeded, InvalidInput, ModelFailed
from sekisho.predict.answers import invalid_output
from sekisho.predict.predictor import Prepared
from sekisho.scoring.answers import AnswerColumns
from sekisho.scoring.engine import MOST_ROWS
from sekisho.scoring.text_lines import unquoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sekisho.artifact.signature import Output
    from sekisho.predict.scrutiny import Flag
    from sekisho.scoring.blocks import Block
    from sekisho.scoring.engine import Engine


Errors = dict[int, InvalidInput | ModelFailed]
"""Rows without an answer, by index, each with its reason."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BadRow:
    """A row that is not answered.

    Attributes:
        place: Its index in its piece.
        error: Why.
        content: The row as a JSON value.

    """

    place: int
    error: InvalidInput | ModelFailed
    content: Any


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Scored:
    """A piece that was scored.

    Attributes:
        count: How many rows it has.
        batch: The answers, as a record batch.
        bad: The rows without one, in order.

    """

    count: int
    batch: Any
    bad: tuple[BadRow, ...]


class Scorer:
    """Scores blocks of rows. Thread-safe.

    Args:
        engine: The model.
        output: What it answers.
        schema: The columns of the answer: those that are passed through, then those of the model.
        quoted: Those passed through that come as JSON and leave as plain texts, by place.

    """

    def __init__(self, engine: Engine, output: Output, schema: Any, quoted: frozenset[int] = frozenset()) -> None:
        self._engine = engine
        self._answers = AnswerColumns(output)
        self._schema = schema
        self._quoted = quoted

    def score(self, block: Block) -> Scored:
        """Return the answers to a block."""
        import pyarrow as pa

        errors: Errors = dict(block.faults())
        columns: list[Any] = [pa.array([], type=field.type) for field in self._schema]
        places = _without(np.arange(block.count), errors) if errors else None
        count = block.count - len(errors)
        if count:
            found = self._answer(block, places, count)
            errors |= found.errors
            if found.errors:
                places = _without(np.arange(block.count), errors)
            if found.columns:
                kept = block.kept(slice(0, None) if places is None else places)
                kept = [unquoted(pa, one) if at in self._quoted else one for at, one in enumerate(kept)]
                columns = [*kept, *found.columns]
        bad = tuple(BadRow(place=place, error=errors[place], content=block.content(place)) for place in sorted(errors))
        return Scored(count=block.count, batch=pa.record_batch(columns, schema=self._schema), bad=bad)

    def _answer(self, block: Block, places: NDArray[np.int64] | None, count: int) -> _Found:
        """Answer the rows at ``places``; some of them may turn out to be without an answer."""
        errors: Errors = {}
        while True:
            rows = block.rows(slice(0, None) if places is None else places)
            at = np.arange(count) if places is None else places
            prepared = self._engine.predictor.prepare(rows)
            findings = prepared.findings
            if findings is not None and findings.refusals:
                new: Errors = {int(at[row]): why for row, why in findings.refusals.items()}
            else:
                answers, new = self._run(prepared, at)
                if not new:
                    flags = {} if findings is None else findings.flags
                    return _Found(columns=[*answers, _flag_column(flags, count)], errors=errors)
            errors |= new
            places = _without(at, new)
            count = len(places)
            if not count:
                return _Found(columns=[], errors=errors)

    def _run(self, prepared: Prepared, at: NDArray[np.int64]) -> tuple[list[Any], Errors]:
        """Return the columns of answers, or the rows that have none."""
        errors: Errors = {}
        outputs = []
        for start, ends in _even(prepared.rows, MOST_ROWS):
            outputs += self._ask(prepared, start, ends, at, errors)
        if errors:
            return [], errors
        whole = outputs[0] if len(outputs) == 1 else _joined(outputs)
        answered = self._answers.read(whole, prepared.rows)
        if answered.unsound.any():
            return [], {int(at[row]): invalid_output() for row in np.flatnonzero(answered.unsound)}
        return answered.columns, {}

    def _ask(self, prepared: Prepared, start: int, ends: int, at: NDArray[np.int64], errors: Errors) -> list[Outputs]:
        """Ask the model; if it fails, halve the rows until those that it fails at stand alone."""
        arrays = tuple(array[start:ends] for array in prepared.arrays)
        try:
            outputs = self._engine.run(Prepared(rows=ends - start, arrays=arrays, findings=None))
            if len(outputs.values) != ends - start:
                raise invalid_output()
            return [outputs]
        except DeadlineExceeded:
            raise  # each half would take as long
        except ModelFailed as error:
            if ends - start == 1:
                errors[int(at[start])] = error
                return []
        middle = (start + ends) // 2
        return [
            *self._ask(prepared, start, middle, at, errors),
            *self._ask(prepared, middle, ends, at, errors),
        ]


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class _Found:
    columns: list[Any]
    errors: Errors


def _without(places: NDArray[np.int64], errors: dict[int, Any]) -> NDArray[np.int64]:
    return places[~np.isin(places, np.fromiter(errors, dtype=np.int64, count=len(errors)))]


def _even(rows: int, most: int) -> list[tuple[int, int]]:
    """Return runs of about the same length, so that none is so short that a library computes it in another way."""
    runs = -(-rows // most)
    ends = [rows * number // runs for number in range(runs + 1)]
    return list(itertools.pairwise(ends))


def _joined(outputs: Sequence[Outputs]) -> Outputs:
    stated = [one.probabilities for one in outputs if one.probabilities is not None]
    return Outputs(
        values=np.concatenate([one.values for one in outputs]),
        probabilities=np.concatenate(stated) if stated else None,
    )


def _flag_column(flags: dict[int, list[Flag]], rows: int) -> Any:
    import pyarrow as pa

    if not flags:
        return pa.repeat(pa.scalar("", type=pa.string()), rows)
    words = [""] * rows
    for row, found in flags.items():
        words[row] = ",".join(map(str, found))
    return pa.array(words, type=pa.string())
