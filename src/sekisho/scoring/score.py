"""Scoring a table: pieces are read by one thread, scored by many, and written in their order.

The way of the data: :mod:`~sekisho.scoring.inputs` says what is read, a format cuts it into pieces, a worker reads and judges a piece
(:mod:`~sekisho.scoring.blocks`), asks the model (:mod:`~sekisho.scoring.scorer`) and encodes the answers, and
:mod:`~sekisho.scoring.work` keeps them until the whole output can appear at once.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from sekisho.artifact.artifact import ModelArtifact
from sekisho.errors import SekishoError, WrongUse
from sekisho.predict.fence import Fence
from sekisho.scoring.engine import Engine
from sekisho.scoring.inputs import STANDARD, check_places, format_of, inputs_of
from sekisho.scoring.layout import Wishes
from sekisho.scoring.machine import peak_memory, versions_that_count
from sekisho.scoring.planning import Plan, plan_of, require_arrow
from sekisho.scoring.running import Limits, UnansweredRow, run
from sekisho.scoring.standard import StandardOutput, check_standard
from sekisho.scoring.work import WorkFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.artifact.signature import Signature


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a table.

    Attributes:
        output: Where the answers are.
        model, model_version, artifact: Whose answers they are; the artifact by its digest.
        rows: All rows of the input.
        answered: Those in the output.
        bad_rows: Those without an answer.
        resumed_rows: Those that an earlier run had finished.
        seconds: How long this run took, with loading the model.
        rows_per_second: What it scored in that time.
        peak_memory_bytes: The most memory that its process held.
        workers: How many threads, or processes of a native model, answered.

    """

    output: str
    model: str
    model_version: str
    artifact: str
    rows: int
    answered: int
    bad_rows: int
    resumed_rows: int
    seconds: float
    rows_per_second: float
    peak_memory_bytes: int
    workers: int


def score_file(
    artifact: ModelArtifact | Path | str,
    source: Path | str,
    out: Path | str,
    *,
    keep: Sequence[str] = (),
    keep_all: bool = False,
    ignore_others: bool = False,
    header: bool | None = None,
    input_format: str | None = None,
    output_format: str | None = None,
    bad_rows: Path | str | None = None,
    max_bad: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    workers: int | None = None,
    signature: Signature | None = None,
    fence: Fence | None = None,
    listener: Callable[[int, float], None] | None = None,
) -> Summary:
    """Answer every row of a table, in constant memory; the output appears whole or not at all.

    Args:
        artifact: The model: an artifact, or its folder.
        source: A file, a folder, a pattern such as ``parts/*.csv``, or ``-`` for standard input.
        out: A file, or ``-`` for standard output.
        keep: Columns that are passed through.
        keep_all: Whether all columns are.
        ignore_others: Whether columns that are neither features nor kept are left out rather than refused.
        header: Whether CSV begins with the names of its columns; ``None``: look and see.
        input_format: ``csv``, ``jsonl``, ``parquet`` or ``arrow``; ``None``: by the suffix.
        output_format: The same for the output.
        bad_rows: Where rows without an answer are written, with the reason; ``None``: the first one stops everything.
        max_bad: How many there may be.
        resume: Whether to go on where an earlier run was interrupted.
        overwrite: Whether to replace an output, or begin anew.
        workers: Threads, or processes of a native model; ``None``: one a core.
        signature: The signature with other policies than the artifact states.
        fence: The limits of processes of a native model.
        listener: Told how many rows are behind, and about what part of the whole that is.

    Raises:
        WrongUse: The columns do not fit, a row does not, or the output is there already.
        SekishoError: The model cannot be loaded, or fails.

    """
    began = time.monotonic()
    require_arrow()
    loaded = artifact if isinstance(artifact, ModelArtifact) else ModelArtifact.load(artifact)
    wishes = Wishes(keep=tuple(keep), keep_all=keep_all, ignore_others=ignore_others, header=header)
    target = None if str(out) == STANDARD else Path(out)
    aside = None if bad_rows is None else Path(bad_rows)
    inputs = inputs_of(str(source), input_format)
    check_places(inputs, target, aside)
    plan = plan_of(loaded, signature or loaded.signature, inputs, format_of(output_format, target), wishes, target)
    limits = Limits(most_bad=0 if aside is None else max_bad, aside=aside is not None)
    with closing(plan):
        sink: StandardOutput | WorkFolder
        if target is None:
            check_standard(plan, resume=resume)
            sink = StandardOutput(plan.head)
        else:
            sink = WorkFolder(target, _identity(plan, limits), plan.head, resume=resume, overwrite=overwrite)
        with closing(sink):
            resumed = sink.mark.rows
            try:
                with closing(Engine(loaded, plan.signature, workers=workers, fence=fence or Fence(memory=0))) as engine:
                    run(plan, engine, sink, limits, listener)
                summary = _summary(plan, sink, str(out), engine.workers, resumed, time.monotonic() - began)
                _publish(plan, sink, summary, aside)
            except SekishoError as error:
                if isinstance(sink, WorkFolder) and not _can_go_on(sink, limits, error):
                    sink.discard()
                raise
    return summary


def _can_go_on(sink: WorkFolder, limits: Limits, error: SekishoError) -> bool:
    """Return whether going on could help: not where a row must be mended first, and not where nothing is finished."""
    is_a_row = isinstance(error, WrongUse | UnansweredRow)
    return sink.mark.rows > 0 and (limits.aside or not is_a_row)


def _identity(plan: Plan, limits: Limits) -> dict[str, Any]:
    """Return what must be the same for work to be gone on with."""
    wishes = plan.wishes
    return {
        "artifact": plan.artifact.digest,
        "policies": hashlib.sha256(msgspec.json.encode(plan.signature)).hexdigest(),
        "options": {
            "format": plan.format.id,
            "packed": plan.packed,
            "keep": wishes.keep,
            "keep_all": wishes.keep_all,
            "ignore_others": wishes.ignore_others,
            "header": wishes.header,
            "aside": limits.aside,
        },
        "inputs": [each.identity() for each in plan.inputs],
        "versions": versions_that_count(),
    }


def _summary(
    plan: Plan, sink: StandardOutput | WorkFolder, out: str, workers: int, resumed: int, seconds: float
) -> Summary:
    mark = sink.mark
    return Summary(
        output=out,
        model=plan.artifact.name,
        model_version=plan.artifact.version,
        artifact=f"sha256:{plan.artifact.digest}",
        rows=mark.rows,
        answered=mark.rows - mark.bad,
        bad_rows=mark.bad,
        resumed_rows=resumed,
        seconds=round(seconds, 3),
        rows_per_second=round((mark.rows - resumed) / seconds, 1),
        peak_memory_bytes=peak_memory(),
        workers=workers,
    )


def _publish(plan: Plan, sink: StandardOutput | WorkFolder, summary: Summary, aside: Path | None) -> None:
    if isinstance(sink, StandardOutput):
        sink.finish(aside)
        return
    whole = plan.format.finish(sink.rows, sink.folder / "whole", plan.schema)
    plan.check_unchanged()
    note = {
        **plan.facts,
        "rows": summary.rows,
        "answered": summary.answered,
        "bad_rows": summary.bad_rows,
        "inputs": [each.identity() for each in plan.inputs],
        "columns": plan.schema.names,
    }
    beside = sink.out.with_name(f"{sink.out.name}.sekisho.json")
    content = msgspec.json.format(msgspec.json.encode(note), indent=2) + b"\n"
    sink.publish(whole, beside={beside: content}, aside=aside)
