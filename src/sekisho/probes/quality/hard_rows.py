"""Rows that somebody knows to be hard, each with its right answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.signature import Output
from sekisho.artifact.table import Scalar, read_table
from sekisho.contract.project import Project
from sekisho.errors import NotMeasured, SekishoError
from sekisho.gate.probe import probe
from sekisho.probes.resources.artifacts import file_digest
from sekisho.probes.resources.asking import Told, opened
from sekisho.probes.resources.labels import SEVERAL, spelling
from sekisho.probes.resources.odd_rows import shown
from sekisho.probes.resources.service import Service
from sekisho.text import Text

MOST_SHOWN: Final = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class WrongRow:
    """A hard row that was not answered right.

    Attributes:
        row: Its index in the file, from 0.
        wanted: The right answer.
        given: What was answered, or what came of it.

    """

    row: int
    wanted: str
    given: str


@dataclass(frozen=True, kw_only=True, slots=True)
class HardRows:
    """What became of the hard rows.

    Attributes:
        file: Its name in the project.
        digest: SHA-256 of the file, in hexadecimal; empty when it cannot be read.
        rows: How many rows it has.
        wrong: How many were not answered right.
        examples: Some of them.
        problem, problem_ja: Why they could not be asked for; empty when they were.

    """

    file: str
    digest: str
    rows: int
    wrong: int
    examples: tuple[WrongRow, ...]
    problem: str
    problem_ja: str


@probe("quality/hard-rows", title=Text(en="Ask for hard rows", ja="難しい行を推論"), seconds=1)
def hard_rows(project: Project, service: Service | None, artifact: ModelArtifact | None) -> HardRows:
    """Ask for every row of ``quality.hard_rows``.

    Raises:
        NotMeasured: The contract names none, or there is nobody to ask.

    """
    contract = project.contract
    file = contract.quality.hard_rows
    if file is None:
        raise NotMeasured(
            Text(en="quality.hard_rows is not stated", ja="quality.hard_rows が指定されていません"),
            Text(en="name a table of hard rows", ja="難しい行の表を指定してください"),
        )
    path = project.path(file)
    try:
        table = read_table(path, texts=() if artifact is None else artifact.signature.texts)
    except SekishoError as error:
        return _unusable(file, "", error.what)
    digest = file_digest(path)
    with opened(service, artifact, deadline_ms=contract.serving.deadline_ms) as asker:
        if asker is None:
            return _unusable(file, digest, Text(en="there is nobody to ask", ja="問い合わせ先がありません"))
        if asker.signature.output.outputs:
            return _unusable(file, digest, SEVERAL)
        target, names = contract.data.target, asker.signature.names
        missing = [name for name in (*names, target) if name not in table.names]
        if missing or target is None or not table.rows:
            listed = ", ".join(str(name) for name in missing if name is not None) or "data.target"
            return _unusable(file, digest, Text(en=f"it lacks {listed}", ja=f"{listed} がありません"))
        told = asker.ask(table.select(names).records())
        wanted = table.column(target).scalars()
    wrong = [
        WrongRow(row=place, wanted=shown(right), given=each.words if each.answer is None else shown(each.answer.label))
        for place, (right, each) in enumerate(zip(wanted, told, strict=True))
        if not _is_right(right, each, asker.signature.output, contract.quality.hard_tolerance)
    ]
    return HardRows(
        file=file,
        digest=digest,
        rows=table.rows,
        wrong=len(wrong),
        examples=tuple(wrong[:MOST_SHOWN]),
        problem="",
        problem_ja="",
    )


def _is_right(wanted: Scalar, told: Told, output: Output, tolerance: float) -> bool:
    if told.answer is None or wanted is None:
        return False
    given = told.answer.label
    if output.task != "regression":
        return spelling(given) == spelling(wanted)
    numbers = isinstance(given, int | float) and isinstance(wanted, int | float)
    return numbers and abs(float(given) - float(wanted)) <= tolerance  # type: ignore[arg-type]


def _unusable(file: str, digest: str, why: Text) -> HardRows:
    return HardRows(file=file, digest=digest, rows=0, wrong=0, examples=(), problem=why.en, problem_ja=why.ja)
