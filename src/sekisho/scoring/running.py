"""The work itself: one thread reads, several score, and what they made is written in the order of the input."""

from __future__ import annotations

import gzip
import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sekisho.errors import InvalidInput, ModelFailed, SekishoError, WrongUse
from sekisho.scoring.planning import cut_off
from sekisho.scoring.scorer import Scored, Scorer
from sekisho.scoring.work import Mark
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from sekisho.scoring.engine import Engine
    from sekisho.scoring.layout import Layout
    from sekisho.scoring.planning import Plan
    from sekisho.scoring.scorer import BadRow
    from sekisho.scoring.tables import OpenTable, Piece
    from sekisho.scoring.work import Sink

AHEAD: Final = 2
"""Pieces that wait besides those that are being scored."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What becomes of rows that cannot be answered.

    Attributes:
        most_bad: How many there may be; ``None``: any number.
        aside: Whether they are set aside.

    """

    most_bad: int | None
    aside: bool


class BadInput(WrongUse):
    """A row does not fit, and the caller has not said that such rows may be set aside; or there are too many."""


class UnansweredRow(SekishoError):
    """The model failed at a row, and the caller has not said that such rows may be set aside; or there are too many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Task:
    number: int
    piece: Piece
    future: Future[tuple[Scored, bytes]]


def run(plan: Plan, engine: Engine, sink: Sink, limits: Limits, listener: Callable[[int, float], None] | None) -> None:
    """Score what is left of the input.

    Args:
        plan: What is scored.
        engine: The model.
        sink: Where the rows go; its mark says what is behind already.
        limits: What becomes of rows that cannot be answered.
        listener: Told how far it is.

    Raises:
        BadInput: A row does not fit.
        UnansweredRow: The model failed at a row.

    """
    scorer = Scorer(engine, plan.signature.output, plan.schema, plan.quoted)

    def work(table: OpenTable, layout: Layout, content: Any) -> tuple[Scored, bytes]:
        scored = scorer.score(table.block(content, layout))
        return scored, plan.pack(plan.format.encode(scored.batch))

    waiting: deque[_Task] = deque()
    with ThreadPoolExecutor(engine.workers, thread_name_prefix="score") as pool:
        try:
            for number, table, layout, piece in _pieces(plan, sink.mark):
                waiting.append(
                    _Task(number=number, piece=piece, future=pool.submit(work, table, layout, piece.content))
                )
                if len(waiting) >= engine.workers + AHEAD:
                    _commit(plan, waiting.popleft(), sink, limits, listener)
            while waiting:
                _commit(plan, waiting.popleft(), sink, limits, listener)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _pieces(plan: Plan, mark: Mark) -> Iterator[tuple[int, OpenTable, Layout, Piece]]:
    for number in range(mark.file, len(plan.inputs)):
        where = plan.inputs[number].shown
        try:
            table, layout = plan.open(number)
            with closing(table):
                for piece in table.pieces(layout, mark.at if number == mark.file else 0):
                    yield number, table, layout, piece
        except InvalidInput as error:
            raise WrongUse(error.what, error.remedy, where=where) from None
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise cut_off(where) from None


def _commit(plan: Plan, task: _Task, sink: Sink, limits: Limits, listener: Callable[[int, float], None] | None) -> None:
    """Write the rows of one piece, the next in order."""
    scored, content = task.future.result()
    before = sink.mark
    before_here = before.file_rows if task.number == before.file else 0
    shown = plan.inputs[task.number].shown
    bad = before.bad + len(scored.bad)
    if limits.most_bad is not None and bad > limits.most_bad:
        raise _stopped(scored.bad[limits.most_bad - before.bad], before_here, shown, limits)
    mark = Mark(
        file=task.number,
        at=task.piece.ends,
        file_rows=before_here + scored.count,
        rows=before.rows + scored.count,
        bad=bad,
    )
    aside = b"".join(_line(row, before_here, shown) for row in scored.bad) if limits.aside else b""
    sink.append(content, aside, mark)
    if listener is not None:
        listener(mark.rows, (task.number + task.piece.share) / len(plan.inputs))


def _line(row: BadRow, before: int, shown: str) -> bytes:
    error = row.error
    told = {
        "file": shown,
        "row": before + row.place + 1,
        "code": error.code,
        "field": error.field if isinstance(error, InvalidInput) else None,
        "reason": f"{error.what} → {_remedy(error)}",
        "values": row.content,
    }
    return msgspec.json.encode(told) + b"\n"


def _remedy(error: InvalidInput | ModelFailed) -> Text:
    if isinstance(error, InvalidInput):
        return error.remedy
    return Text(
        en="look at the values of this row: the model fails at them",
        ja="この行の値を確認してください。モデルが処理できていません",
    )


def _stopped(row: BadRow, before: int, shown: str, limits: Limits) -> SekishoError:
    """Return the error that names a row, and never its values."""
    error, number = row.error, before + row.place + 1
    mended = _remedy(error)
    field = error.field if isinstance(error, InvalidInput) else None
    named = "" if field is None else f", {field}"
    what = Text(en=f"row {number:,}{named}: {error.what.en}", ja=f"{number:,} 行目{named}: {error.what.ja}")
    if limits.aside:
        what = Text(
            en=f"more than {limits.most_bad:,} rows cannot be answered; {what.en}",
            ja=f"推論できない行が {limits.most_bad:,} 行を超えました。{what.ja}",
        )
        remedy = Text(
            en=f"{mended.en}; or raise --max-bad, and go on with --resume",
            ja=f"{mended.ja}。または --max-bad を上げ、--resume で続けてください",
        )
    else:
        remedy = Text(
            en=f"{mended.en}; or set such rows aside with --bad-rows FILE",
            ja=f"{mended.ja}。または --bad-rows ファイル名 で、そのような行を別にしてください",
        )
    kind = BadInput if isinstance(error, InvalidInput) else UnansweredRow
    return kind(what, remedy, where=shown)
