"""The order of a change: on all workers or on none, whatever a worker does or fails to do."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.signature import Feature, Output, Signature
from sekisho.errors import ArtifactError
from sekisho.serving.candidates import Rehearsals
from sekisho.serving.changing import MOST_WAITING, SECONDS_TO_COMMIT, Changes
from sekisho.serving.compatibility import check_compatible
from sekisho.serving.layout import Order, Outcome, RunFolder, Wish, Word, decode_order, make_run_folder
from sekisho.serving.lineup import Lineup, Served
from sekisho.serving.processes import Child
from sekisho.serving.settings import ServingSettings
from sekisho.serving.sources import Source


class Worker:
    """A process that does nothing, and the other end of the way to it."""

    def __init__(self, name: str) -> None:
        self.child = Child(name=name, start=self._start)
        self.begin()

    def _start(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        ours, self.theirs = socket.socketpair()
        self.theirs.setblocking(False)
        return subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"]), ours

    def begin(self) -> None:
        self.child.begin(time.monotonic())
        self.child.state = "ready"

    def orders(self) -> list[Order]:
        try:
            return [decode_order(line) for line in self.theirs.recv(65_536).splitlines()]
        except BlockingIOError:
            return []

    def end(self) -> None:
        if self.child.process is not None:
            self.child.process.kill()
            self.child.process.wait()
        if self.child.control is not None:
            self.child.control.close()
        self.theirs.close()


class Stage:
    """Changes, two workers, and what callers were told. Version 1 is live, 2 and 3 stand beside it."""

    def __init__(self, artifact: ModelArtifact) -> None:
        models = tuple(
            Served(
                name="m",
                version=version,
                digest=version * 64,
                folder="/nowhere",
                role="live" if version == "1" else "beside",
            )
            for version in "123"
        )
        self.run: RunFolder = make_run_folder(ServingSettings(), Lineup(default="m", models=models))
        self.said: list[dict[str, Any]] = []
        self.changed: list[str] = []
        self.told: list[Outcome] = []
        self.changes = Changes(
            ServingSettings(),
            self.run,
            sources={"m": Source(place="/nowhere")},
            rehearsals=Rehearsals(),
            signatures=dict.fromkeys((one.digest for one in models), artifact.signature),
            say=lambda level, event, **more: self.said.append({"level": level, "event": event, **more}),
            changed=self.changed.append,
        )
        self.workers = [Worker("worker 0"), Worker("worker 1")]

    def ask(self, version: str, deed: Any = "activate") -> None:
        self.changes.ask(Wish(name="m", deed=deed, version=version, by="me"), self.told.append)

    def step(self, later: float = 0.0) -> None:
        self.changes.step([worker.child for worker in self.workers], time.monotonic() + later)

    def until(self, condition: Callable[[], bool]) -> None:
        ends = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < ends
            self.step()
            time.sleep(0.005)

    def heard(self, worker: Worker, state: Any, number: int, **more: Any) -> None:
        word = Word(state=state, number=number, **more)
        self.changes.heard(worker.child, word, [worker.child for worker in self.workers])

    def to_prepare(self, version: str = "2") -> int:
        """Ask for a version, and return the number of the change that the workers are told to prepare."""
        self.ask(version)
        found: list[Order] = []

        def came() -> bool:
            found.extend(self.workers[0].orders())
            return bool(found)

        self.until(came)
        assert found[0].do == "prepare"
        assert [order.do for order in self.workers[1].orders()] == ["prepare"]
        return found[0].number

    def live(self) -> str:
        kept = self.run.lineup
        assert kept == self.changes.lineup
        return kept.live("m").version

    def do(self) -> list[list[str]]:
        return [[order.do for order in worker.orders()] for worker in self.workers]

    def end(self) -> None:
        for worker in self.workers:
            worker.end()
        self.run.remove()


@pytest.fixture
def stage(loaded: ModelArtifact) -> Iterator[Stage]:
    stage = Stage(loaded)
    try:
        yield stage
    finally:
        stage.end()


def test_all_prepare_then_it_is_written_down_then_all_commit(stage: Stage) -> None:
    number = stage.to_prepare()
    stage.heard(stage.workers[0], "prepared", number)
    stage.step()
    assert stage.do() == [[], []]
    assert stage.live() == "1"
    stage.heard(stage.workers[1], "prepared", number)
    stage.step()
    assert stage.live() == "2"
    assert stage.do() == [["commit"], ["commit"]]
    stage.heard(stage.workers[0], "committed", number)
    stage.step()
    assert stage.told == []  # nobody is told before all have gone over
    stage.heard(stage.workers[1], "committed", number)
    stage.step()
    (outcome,) = stage.told
    assert (outcome.code, outcome.live.version, outcome.before and outcome.before.version) == ("activated", "2", "1")
    assert stage.changed == ["m"]
    assert [(one.version, one.role) for one in stage.run.lineup.of("m")] == [
        ("2", "live"),
        ("1", "previous"),
        ("3", "beside"),
    ]


def test_a_worker_that_refuses_stops_it_for_all(stage: Stage) -> None:
    number = stage.to_prepare()
    stage.heard(stage.workers[0], "prepared", number)
    stage.heard(stage.workers[1], "refused", number, what=("no", "いいえ"), remedy=("mend it", "直してください"))
    assert stage.do() == [["abandon"], ["abandon"]]
    assert stage.live() == "1"
    assert (stage.told[0].code, stage.told[0].what) == ("refused", ("no", "いいえ"))
    # What one says of a change that is over has no say in the next.
    second = stage.to_prepare("3")
    assert second != number
    stage.heard(stage.workers[0], "prepared", number)
    stage.heard(stage.workers[1], "prepared", number)
    stage.step()
    assert stage.live() == "1"


def test_a_worker_that_dies_before_it_is_written_down_interrupts_it(stage: Stage) -> None:
    number = stage.to_prepare()
    stage.heard(stage.workers[0], "prepared", number)
    stage.heard(stage.workers[1], "prepared", number)
    victim = stage.workers[1]
    victim.end()
    victim.begin()
    stage.step()
    assert stage.told[0].code == "interrupted"
    assert stage.live() == "1"
    assert "abandon" in [order.do for order in stage.workers[0].orders()]


def test_a_worker_that_is_being_started_is_waited_for(stage: Stage) -> None:
    stage.workers[1].child.state = "listening"
    stage.ask("2")
    ends = time.monotonic() + 0.3
    while time.monotonic() < ends:
        stage.step()
        time.sleep(0.01)
    assert stage.do() == [[], []]
    stage.workers[1].child.state = "ready"
    stage.step()
    assert stage.do() == [["prepare"], ["prepare"]]


def test_a_worker_that_never_prepares_is_not_waited_for_without_end(stage: Stage) -> None:
    number = stage.to_prepare()
    stage.heard(stage.workers[0], "prepared", number)
    stage.step(later=ServingSettings().start_seconds + SECONDS_TO_COMMIT + 1)
    assert stage.told[0].code == "refused"
    assert stage.live() == "1"


def test_a_worker_that_does_not_follow_is_ended_and_comes_back_with_the_new_version(stage: Stage) -> None:
    number = stage.to_prepare()
    for worker in stage.workers:
        stage.heard(worker, "prepared", number)
    stage.step()
    stage.heard(stage.workers[0], "committed", number)
    stage.step(later=SECONDS_TO_COMMIT + 1)
    process = stage.workers[1].child.process
    assert process is not None
    assert process.wait(10) != 0
    assert stage.told == []
    stage.workers[1].end()
    stage.workers[1].begin()  # as the supervisor does; a worker reads the lineup when it starts
    stage.step()
    assert (stage.told[0].code, stage.live()) == ("activated", "2")
    assert any(line["event"] == "worker does not follow" for line in stage.said)


def test_wishes_have_their_turn_and_too_many_are_turned_away(stage: Stage) -> None:
    for _ in range(MOST_WAITING + 3):
        stage.ask("1")
    stage.until(lambda: len(stage.told) == MOST_WAITING + 3)
    codes = [outcome.code for outcome in stage.told]
    assert codes.count("interrupted") == 3
    assert codes.count("unchanged") == MOST_WAITING
    stage.ask("7")  # the model comes from a folder, so there is nowhere to look for it
    stage.ask("", "rollback")
    stage.until(lambda: len(stage.told) == MOST_WAITING + 5)
    assert {outcome.code for outcome in stage.told[-2:]} == {"unknown"}
    assert stage.do() == [[], []]


def _signature(*features: tuple[str, Any, bool], **output: Any) -> Signature:
    usual: dict[str, Any] = {"task": "binary", "classes": ("no", "yes"), "probabilities": True}
    return Signature(
        features=tuple(Feature(name=name, kind=kind, dtype="x", nullable=null) for name, kind, null in features),
        output=Output(**usual | output),
    )


BEFORE = _signature(("a", "integer", True), ("b", "category", False))


@pytest.mark.parametrize(
    "after",
    [
        BEFORE,
        msgspec.structs.replace(BEFORE, features=tuple(msgspec.structs.replace(f, minimum=3) for f in BEFORE.features)),
        _signature(("a", "float", True), ("b", "category", True)),  # takes all that was taken
        _signature(("a", "integer", True), ("b", "category", False), name="another column of the training table"),
    ],
)
def test_versions_that_can_take_the_place(after: Signature) -> None:
    check_compatible(BEFORE, after)


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (_signature(("a", "integer", True), ("b", "category", False), ("c", "float", False)), "'c'"),
        (_signature(("a", "integer", True)), "'b'"),
        (_signature(("b", "category", False), ("a", "integer", True)), "order"),
        (_signature(("a", "category", True), ("b", "category", False)), "'a'"),
        (_signature(("a", "integer", False), ("b", "category", False)), "null in 'a'"),
        (_signature(("a", "integer", True), ("b", "category", False), classes=("yes", "no")), "answers"),
        (_signature(("a", "integer", True), ("b", "category", False), probabilities=False), "answers"),
        (_signature(("a", "integer", True), ("b", "category", False), task="regression", classes=None), "answers"),
    ],
)
def test_versions_that_cannot(after: Signature, says: str) -> None:
    with pytest.raises(ArtifactError, match=says) as raised:
        check_compatible(BEFORE, after)
    assert raised.value.what.ja


def test_only_what_was_written_down_counts(tmp_path: Path) -> None:
    models = (Served(name="m", version="1", digest="1" * 64, folder=str(tmp_path)),)
    run = make_run_folder(ServingSettings(), Lineup(default="m", models=models))
    try:
        assert RunFolder(run.path).lineup == run.lineup
        left = {path.name for path in run.path.iterdir()}
        run.keep(run.lineup)
        assert {path.name for path in run.path.iterdir()} == left
    finally:
        run.remove()
