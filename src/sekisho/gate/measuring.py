"""Running a plan: resources are opened and probes measure, side by side where that disturbs nothing.

At most two tasks run at once; an exclusive probe runs alone. A resource is opened when what it needs is there and closed,
in reverse order, when all is done or the run is interrupted.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import queue
import time
from collections.abc import Mapping
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from sekisho.errors import SekishoError
from sekisho.gate.evidence import fact_digest
from sekisho.gate.listener import End, Listener
from sekisho.gate.outcome import Absent, Outcome, Present, crashed, nobody_gives, overran, refused
from sekisho.gate.probe import Probe, Progress, Resource
from sekisho.gate.task import GRACE, HeldTask, Task

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.gate.check import Need
    from sekisho.gate.graph import Maker, Plan
    from sekisho.gate.keeping import Keeper

log = logging.getLogger(__name__)

SIDE_BY_SIDE: Final = 2
"""How many tasks may run at once."""


class Measuring:
    """One run of a plan. A context manager: leaving it ends what still runs and closes every resource.

    Args:
        plan: What is to be made.
        given: What is there already, by type.
        keeper: Where evidence is kept.
        listener: Who hears how far it is.
        root: The folder of the project; errors show places relative to it.
        options: What the command that measures again must be given besides the boxes.
        patience: Seconds without progress after which a probe is given up, beyond ten times what it is expected to take.

    """

    def __init__(
        self,
        plan: Plan,
        given: Mapping[type, Present],
        keeper: Keeper,
        listener: Listener,
        *,
        root: Path,
        options: str = "",
        patience: float = 60.0,
    ) -> None:
        self.outcomes: dict[type, Outcome] = dict(given)
        self._plan = plan
        self._keeper = keeper
        self._root = root
        self._listener = listener
        self._options = options
        self._patience = patience
        self._finished: queue.SimpleQueue[Task] = queue.SimpleQueue()
        self._running: dict[Task, tuple[Maker, dt.datetime]] = {}
        self._held: list[HeldTask] = []
        self._left_behind: list[Task] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.closed()
        # Unwound in reverse: what runs is asked to end, resources close, and what is still there is killed.
        with contextlib.ExitStack() as stack:
            working, grace = (*self._running, *self._left_behind), min(GRACE, self._patience)
            for task in working:
                stack.callback(task.end, grace)
            for held in self._held:
                stack.callback(_close, held)
            for task in working:
                stack.callback(task.wait, grace)
            for task in working:
                task.cancel()

    def run(self) -> Mapping[type, Outcome]:
        """Make all that the plan holds, and return what came of it."""
        self._listener.planned(tuple(self._plan.makers.values()))
        sorter = self._plan.sorter()
        ready: list[type] = []
        while sorter.is_active():
            ready = sorted((*ready, *sorter.get_ready()), key=self._turn)
            for kind in tuple(ready):
                maker = self._plan.makers[kind]
                if self._may_start(maker):
                    ready.remove(kind)
                    outcome = self._begin(maker)
                    if outcome is not None:
                        self._settle(maker, outcome, End.REUSED)
                        sorter.done(kind)
            if self._running:
                sorter.done(*(maker.gives for maker in self._await()))
        return self.outcomes

    def _turn(self, kind: type) -> tuple[int, float]:
        """Order what is ready: probes that disturb nobody, long ones first; then resources; then exclusive probes."""
        maker = self._plan.makers[kind]
        if isinstance(maker, Resource):
            return 1, 0.0
        return (2, maker.seconds) if maker.exclusive else (0, -maker.seconds)

    def _may_start(self, maker: Maker) -> bool:
        if not self._running:
            return True
        exclusive = [other for other, _ in self._running.values() if isinstance(other, Probe) and other.exclusive]
        if exclusive or (isinstance(maker, Probe) and maker.exclusive):
            return False
        return len(self._running) < SIDE_BY_SIDE

    def _begin(self, maker: Maker) -> Outcome | None:
        """Start ``maker``, unless its outcome is known without; then return that."""
        arguments, inputs, absent = self._arguments(maker.needs)
        if absent is not None:
            return absent
        if isinstance(maker, Probe):
            kept = self._keeper.find(maker, inputs)
            if kept is not None:
                return Present(value=kept.fact, digest=fact_digest(kept.fact), evidence=kept)
        progress = tuple(name for name, need in maker.needs.items() if need.kind is Progress)
        task = self._task(maker, arguments, progress)
        self._running[task] = (maker, dt.datetime.now(dt.UTC))
        self._listener.started(maker)
        task.start()
        return None

    def _task(self, maker: Maker, arguments: Mapping[str, object], progress: tuple[str, ...]) -> Task:
        if isinstance(maker, Resource):
            opens = maker.open
            held = HeldTask(
                lambda reporter: opens(**arguments, **dict.fromkeys(progress, reporter)),
                limit=10 * self._patience,
                finished=self._finished,
            )
            self._held.append(held)
            return held
        measure = maker.measure
        return Task(
            lambda reporter: measure(**arguments, **dict.fromkeys(progress, reporter)),
            limit=self._limit(maker),
            finished=self._finished,
            advanced=partial(self._listener.advanced, maker),
        )

    def _limit(self, probe: Probe) -> float:
        return self._patience + 10 * probe.seconds

    def _arguments(self, needs: Mapping[str, Need]) -> tuple[dict[str, object], dict[str, str], Absent | None]:
        """Return what to inject by parameter name, its digests by type name, and what keeps it from being injected."""
        arguments: dict[str, object] = {}
        inputs: dict[str, str] = {}
        for name, need in needs.items():
            if need.kind is Progress:
                continue
            outcome = self.outcomes.get(need.kind) or nobody_gives(need.kind)
            if isinstance(outcome, Present):
                arguments[name], inputs[need.kind.__name__] = outcome.value, outcome.digest
            elif need.optional:
                arguments[name], inputs[need.kind.__name__] = None, "absent"
            else:
                return arguments, inputs, outcome
        return arguments, inputs, None

    def _await(self) -> list[Maker]:
        """Wait until a task ends or is overdue; settle it, and return the makers that are done."""
        first = min(task.deadline for task in self._running)
        try:
            task = self._finished.get(timeout=max(0.0, first - time.monotonic()))
        except queue.Empty:
            now = time.monotonic()
            return [self._give_up(task) for task in tuple(self._running) if task.deadline <= now]
        if task not in self._running:  # given up earlier, and ended after all
            return []
        maker, began = self._running.pop(task)
        self._settle(maker, self._outcome(maker, task, began), End.MEASURED)
        return [maker]

    def _give_up(self, task: Task) -> Maker:
        maker, _ = self._running.pop(task)
        log.debug("%s made no progress for too long and is stopped", maker.id)
        task.cancel()
        if not task.wait(min(GRACE, self._patience)):
            log.debug("%s does not stop; it is left behind", maker.id)
            self._left_behind.append(task)
        limit = self._limit(maker) if isinstance(maker, Probe) else 10 * self._patience
        self._settle(maker, overran(maker.id, limit), End.ABSENT)
        return maker

    def _outcome(self, maker: Maker, task: Task, began: dt.datetime) -> Outcome:
        if isinstance(task.error, SekishoError):
            return refused(task.error, self._root)
        if task.error is not None:
            log.debug("%s failed", maker.id, exc_info=task.error)
            return crashed(maker.id, task.error)
        if isinstance(maker, Resource):
            digest = getattr(task.result, "digest", "")
            return Present(value=task.result, digest=digest if isinstance(digest, str) else "")
        _, inputs, _ = self._arguments(maker.needs)
        boxes = " ".join(self._plan.boxes[maker.gives])
        command = " ".join(f"sekisho check {boxes} --fresh {self._options}".split())
        try:
            kept = self._keeper.keep(maker, task.result, inputs, began=began, seconds=task.seconds, command=command)
        except (TypeError, ValueError) as error:
            log.debug("%s gave a fact that cannot be kept", maker.id, exc_info=True)
            return crashed(maker.id, error)
        return Present(value=kept.fact, digest=fact_digest(kept.fact), evidence=kept)

    def _settle(self, maker: Maker, outcome: Outcome, end: End) -> None:
        self.outcomes[maker.gives] = outcome
        self._listener.ended(maker, End.ABSENT if isinstance(outcome, Absent) else end)


def _close(held: HeldTask) -> None:
    if not held.let_go():
        log.debug("a resource does not close; it is left behind")
    if held.closing_error is not None:
        log.debug("a resource did not close cleanly", exc_info=held.closing_error)
