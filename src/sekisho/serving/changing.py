"""Changes of what a running service serves: one after the other, on all workers or on none.

A wish is first examined beside everything that answers. What is found good is *prepared* by every worker: loaded and proven there, while the
version of before answers. Once all have it, the new lineup is written down, which decides the change: a worker that starts from then on
serves it. Then every worker *commits*, in one turn of its event loop; no connection notices, and no request is left without an answer.
Whatever fails before that point, the version of before serves on; a worker that does not follow after it is ended, and comes back with the
new lineup.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from sekisho.errors import NotFound, RegistryError
from sekisho.serving.examination import Candidate, Examiner, reason_of
from sekisho.serving.layout import Code, Order, Outcome, encode
from sekisho.serving.metrics.cells import Cells, Family, Layout, forget
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sekisho.artifact.signature import Signature
    from sekisho.serving.candidates import Rehearsals
    from sekisho.serving.layout import RunFolder, Wish, Word
    from sekisho.serving.lineup import Lineup, Served
    from sekisho.serving.processes import Child
    from sekisho.serving.settings import ServingSettings
    from sekisho.serving.sources import Source

MOST_WAITING: Final = 32
"""Wishes that wait for their turn; more are turned away."""
MOST_REMEMBERED: Final = 20
"""Versions of a model that are remembered as those that were live before."""
SECONDS_TO_COMMIT: Final = 10.0
"""A worker that does not follow within this time hangs, and is ended."""
Why = tuple[Text, Text]
"""Why something was not done, and what to do about it."""


@dataclass(kw_only=True, eq=False, slots=True)
class _Change:
    """The wish whose turn it is.

    Attributes:
        wish: What is asked.
        tell: Told what became of it.
        began: When its turn came, in seconds of the monotonic clock.
        phase: How far it has come.
        found: What the examination said.
        candidate: The version that takes over.
        lineup: What is served then.
        before: The version that was live.
        waited: The processes that prepare it, and then those that have not committed yet.
        done: Those that have prepared it.
        ends: When the phase has taken too long.

    """

    wish: Wish
    tell: Callable[[Outcome], None]
    began: float
    phase: Literal["examining", "preparing", "committing"] = "examining"
    found: Candidate | Exception | None = None
    candidate: Candidate | None = None
    lineup: Lineup | None = None
    before: Served | None = None
    waited: set[Any] = field(default_factory=set)
    done: set[Any] = field(default_factory=set)
    ends: float = 0.0

    @property
    def number(self) -> int:
        """The number of the lineup; 0 before there is one."""
        return 0 if self.lineup is None else self.lineup.number


class Changes:
    """Grants wishes.

    Args:
        settings: How the service runs.
        run: The folder that its processes share.
        sources: Where the versions of each model come from, by name.
        rehearsals: Tries models behind a fence.
        signatures: What every version that is served takes and gives, by digest.
        say: Writes a line to the log.
        changed: Told the name of a model whose live version is another now.

    Attributes:
        lineup: What is served.

    """

    def __init__(
        self,
        settings: ServingSettings,
        run: RunFolder,
        *,
        sources: Mapping[str, Source],
        rehearsals: Rehearsals,
        signatures: dict[str, Signature],
        say: Callable[..., None],
        changed: Callable[[str], None],
    ) -> None:
        self.lineup = run.lineup
        self._settings = settings
        self._run = run
        self._examiner = Examiner(settings, sources, rehearsals, signatures)
        self._say = say
        self._changed = changed
        self._waiting: deque[tuple[Wish, Callable[[Outcome], None]]] = deque()
        self._change: _Change | None = None
        self._number = self.lineup.number
        self._before: dict[str, list[Served]] = {name: [] for name in self.lineup.names}
        families = (_family(self.lineup.names),)
        self._cells = Cells(run.metrics, "changes", 0, Layout(families))

    @property
    def is_busy(self) -> bool:
        """Whether there is something to do soon."""
        return self._change is not None or bool(self._waiting)

    def ask(self, wish: Wish, tell: Callable[[Outcome], None]) -> None:
        """Take a wish; ``tell`` is called once, in the thread that calls :meth:`step`. For any thread."""
        self._waiting.append((wish, tell))

    def step(self, workers: Sequence[Child], now: float) -> None:
        """Go on as far as possible; to be called again and again."""
        while len(self._waiting) > MOST_WAITING:
            wish, tell = self._waiting.pop()
            self._tell(wish, tell, "interrupted", seconds=0.0, why=_CROWDED)
        change = self._change
        if change is None:
            if self._waiting:
                self._begin(*self._waiting.popleft(), now)
        elif change.phase == "examining":
            if change.found is not None and not self._waits_for(change, workers, now):
                self._judge(change, change.found, workers, now)
        elif change.phase == "preparing":
            self._await_prepared(change, workers, now)
        else:
            self._await_committed(change, workers, now)

    def heard(self, worker: Child, word: Word, workers: Sequence[Child]) -> None:
        """Take what a worker says of a change."""
        change = self._change
        if change is None or word.number != change.number:
            return
        if word.state == "prepared":
            change.done.add(worker.process)
        elif word.state == "committed":
            change.waited.discard(worker.process)
        elif word.what is not None and word.remedy is not None and change.phase == "preparing":
            self._abandon(change, workers, "refused", (_text(word.what), _text(word.remedy)))

    # The phases

    def _begin(self, wish: Wish, tell: Callable[[Outcome], None], now: float) -> None:
        change = self._change = _Change(wish=wish, tell=tell, began=now)
        lineup = self.lineup
        before = self._before[wish.name][-1] if self._before[wish.name] else None

        def examine() -> None:
            try:
                change.found = self._examiner.examine(wish, lineup, before)
            except Exception as error:  # whatever is wrong with it, the version of before serves on
                change.found = error

        threading.Thread(target=examine, name="examine", daemon=True).start()

    def _waits_for(self, change: _Change, workers: Sequence[Child], now: float) -> bool:
        """Whether a version that is good must wait for workers that are being started."""
        change.ends = change.ends or now + self._settings.start_seconds
        is_due = all(one.state == "ready" for one in workers) or now > change.ends
        return isinstance(change.found, Candidate) and not is_due

    def _judge(self, change: _Change, found: Candidate | Exception, workers: Sequence[Child], now: float) -> None:
        if isinstance(found, Exception):
            reason = reason_of(found)
            code: Code = "unknown" if isinstance(found, NotFound) else "refused"
            if isinstance(found, RegistryError):
                code = "interrupted"  # it may be there again in a moment
            self._finish(change, code, (reason.what, reason.remedy))
            return
        live = self.lineup.live(change.wish.name)
        if found.served.is_same(live):
            self._finish(change, "unchanged")
            return
        change.candidate = found
        self._number += 1  # a worker must not take one change for another, even if nothing came of the one before
        keep = self._settings.keep_previous
        change.lineup = self.lineup.with_live(found.served, keep=keep, number=self._number)
        change.phase, change.ends = "preparing", now + self._settings.start_seconds + SECONDS_TO_COMMIT
        change.waited = {one.process for one in workers}
        for one in workers:
            _send(one, Order(do="prepare", number=change.number, lineup=change.lineup))

    def _await_prepared(self, change: _Change, workers: Sequence[Child], now: float) -> None:
        processes = {one.process for one in workers}
        if processes != change.waited or not all(one.state == "ready" for one in workers):
            self._abandon(change, workers, "interrupted", _DIED)
        elif processes <= change.done:
            self._commit(change, workers, now)
        elif now > change.ends:
            self._abandon(change, workers, "refused", _LATE)

    def _commit(self, change: _Change, workers: Sequence[Child], now: float) -> None:
        assert change.lineup is not None
        assert change.candidate is not None
        try:
            self._run.keep(change.lineup)
        except OSError:
            self._abandon(change, workers, "interrupted", _NO_ROOM)
            return
        before, self.lineup = self.lineup.live(change.wish.name), change.lineup
        change.before = before
        remembered = self._before[change.wish.name]
        if change.wish.deed == "rollback":
            remembered.pop()
        else:
            remembered.append(before)
            del remembered[:-MOST_REMEMBERED]
        if change.candidate.signature is not None:
            self._examiner.signatures[change.candidate.served.digest] = change.candidate.signature
        change.phase, change.ends = "committing", now + SECONDS_TO_COMMIT
        for one in workers:
            _send(one, Order(do="commit", number=change.number))

    def _await_committed(self, change: _Change, workers: Sequence[Child], now: float) -> None:
        # A process that has died meanwhile is followed by one that has read the new lineup.
        left = [one for one in workers if one.process is not None and one.process in change.waited]
        if not left:
            if all(one.state == "ready" for one in workers) or now > change.ends:
                self._finish(change, "activated")
                self._changed(change.wish.name)
                with suppress(OSError):
                    forget(
                        self._run.metrics, {"service", "requests", "changes", *(one.key for one in self.lineup.models)}
                    )
        elif now > change.ends:
            for one in left:
                self._say("error", "worker does not follow", process=one.name)
                assert one.process is not None
                one.process.kill()
            change.ends = now + self._settings.start_seconds

    # Its end

    def _abandon(self, change: _Change, workers: Sequence[Child], code: Code, why: Why) -> None:
        for one in workers:
            _send(one, Order(do="abandon", number=change.number))
        self._finish(change, code, why)

    def _finish(self, change: _Change, code: Code, why: Why | None = None) -> None:
        self._change = None
        seconds = round(monotonic() - change.began, 3)
        self._tell(change.wish, change.tell, code, seconds=seconds, why=why, before=change.before)

    def _tell(
        self,
        wish: Wish,
        tell: Callable[[Outcome], None],
        code: Code,
        *,
        seconds: float,
        why: Why | None = None,
        before: Served | None = None,
    ) -> None:
        live = self.lineup.live(wish.name)
        place = self._cells.counter("ml_model_changes")[wish.name, code]
        self._cells.values[place] += 1.0
        self._say(
            "info" if why is None else "error",
            f"change {code}",
            model=wish.name,
            deed=wish.deed,
            version=live.version,
            digest=live.digest,
            by=wish.by,
            seconds=seconds,
            **({} if before is None else {"before": before.version}),
            **({} if why is None else {"asked": wish.version, "why": why[0].en}),
        )
        tell(
            Outcome(
                code=code,
                live=live,
                before=before,
                seconds=seconds,
                what=None if why is None else (why[0].en, why[0].ja),
                remedy=None if why is None else (why[1].en, why[1].ja),
            )
        )


def _text(words: tuple[str, str]) -> Text:
    return Text(en=words[0], ja=words[1])


def _send(worker: Child, order: Order) -> None:
    if worker.control is not None:
        with suppress(OSError):
            worker.control.sendall(encode(order))


def _family(names: Sequence[str]) -> Family:
    return Family(
        name="ml_model_changes",
        kind="counter",
        help="Changes of the live version that somebody asked for, by what became of them.",
        labels=("model", "outcome"),
        values=tuple((name, code) for name in names for code in get_args(Code)),
    )


_AGAIN: Final = Text(en="ask again", ja="もう一度試してください")
_CROWDED: Final = (Text(en="too many changes wait for their turn", ja="待っている切り替えが多すぎます"), _AGAIN)
_DIED: Final = (Text(en="a worker ended meanwhile", ja="途中でワーカーが終了しました"), _AGAIN)
_NO_ROOM: Final = (Text(en="the change could not be written down", ja="切り替えを記録できませんでした"), _AGAIN)
_LATE: Final = (
    Text(en="the workers could not load it in time", ja="ワーカーが時間内に読み込めませんでした"),
    Text(en="give it more time: serving.start_seconds", ja="serving.start_seconds を延ばしてください"),
)
