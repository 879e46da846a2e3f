from __future__ import annotations

import contextlib
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator

from sekisho.gate.probe import Cancelled, Progress
from sekisho.gate.task import HeldTask, Task
from sekisho.text import language, use_language


def finished() -> queue.SimpleQueue[Task]:
    return queue.SimpleQueue()


def test_a_task_hands_back_what_its_work_returns_or_raises() -> None:
    done = finished()
    good = Task(lambda progress: 7, limit=60, finished=done)
    bad = Task(lambda progress: 1 / 0, limit=60, finished=done)
    good.start()
    bad.start()
    assert {done.get(timeout=30), done.get(timeout=30)} == {good, bad}
    assert (good.result, good.error) == (7, None)
    assert isinstance(bad.error, ZeroDivisionError)


def test_the_work_speaks_the_language_of_who_started_it() -> None:
    done = finished()
    with use_language("ja"):
        task = Task(lambda progress: language(), limit=60, finished=done)
    task.start()
    done.get(timeout=30)
    assert task.result == "ja"


def test_only_steps_forward_count_as_progress() -> None:
    heard: list[float] = []

    def work(progress: Progress) -> None:
        for fraction in (0.25, 0.25, 0.1, 0.5, 7.0):
            progress.advance(fraction)

    done = finished()
    task = Task(work, limit=60, finished=done, advanced=heard.append)
    task.start()
    done.get(timeout=30)
    assert heard == [0.25, 0.5, 1.0]


def test_a_step_forward_moves_the_deadline() -> None:
    gate, stepped = threading.Event(), threading.Event()

    def work(progress: Progress) -> None:
        gate.wait(30)
        progress.advance(0.5)
        stepped.set()

    task = Task(work, limit=60, finished=finished())
    task.start()
    before = task.deadline
    gate.set()
    assert stepped.wait(30)
    assert task.deadline > before


def test_a_cancelled_task_ends_at_its_next_report_and_cleans_up() -> None:
    cleaned = threading.Event()

    def work(progress: Progress) -> None:
        try:
            while True:
                with contextlib.suppress(Exception):  # as a probe does that catches what its model raises
                    progress.advance(0.0)
        finally:
            cleaned.set()

    task = Task(work, limit=60, finished=finished())
    task.start()
    assert task.end(grace=30)
    assert cleaned.is_set()
    assert isinstance(task.error, Cancelled)


def test_the_child_processes_of_a_cancelled_task_are_ended_and_no_others() -> None:
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    started = threading.Event()
    children: list[subprocess.Popen[bytes]] = []

    def work(progress: Progress) -> int:
        children.append(subprocess.Popen(sleep))
        started.set()
        return children[0].wait()

    with subprocess.Popen(sleep) as other:
        task = Task(work, limit=60, finished=finished())
        task.start()
        assert started.wait(30)
        assert task.end(grace=30)
        assert children[0].returncode == -15
        assert other.poll() is None
        other.kill()


def test_work_that_never_ends_is_left_behind() -> None:
    release = threading.Event()
    task = Task(lambda progress: release.wait(), limit=60, finished=finished())
    task.start()
    assert not task.end(grace=0.05)
    release.set()
    assert task.wait(30)


def test_a_held_resource_is_closed_on_the_thread_that_opened_it() -> None:
    threads: list[str] = []

    def work(progress: Progress) -> Iterator[str]:
        threads.append(threading.current_thread().name)
        yield "open"
        threads.append(threading.current_thread().name)

    done = finished()
    held = HeldTask(work, limit=30, finished=done)
    held.start()
    assert done.get(timeout=30) is held
    assert held.result == "open"
    assert held.let_go()
    assert len(threads) == 2
    assert len(set(threads)) == 1


def test_a_resource_that_opens_after_it_was_cancelled_is_closed_at_once() -> None:
    opening, closed = threading.Event(), threading.Event()

    def work(progress: Progress) -> Iterator[str]:
        opening.wait(30)
        yield "late"
        closed.set()

    held = HeldTask(work, limit=30, finished=finished())
    held.start()
    held.cancel()
    opening.set()
    assert closed.wait(30)


def test_what_closing_raises_is_kept() -> None:
    def work(progress: Progress) -> Iterator[str]:
        yield "open"
        raise OSError("does not close")

    done = finished()
    held = HeldTask(work, limit=30, finished=done)
    held.start()
    done.get(timeout=30)
    assert held.let_go()
    assert isinstance(held.closing_error, OSError)


def test_a_resource_that_yields_nothing_is_an_error() -> None:
    def work(progress: Progress) -> Iterator[str]:
        yield from ()

    done = finished()
    held = HeldTask(work, limit=30, finished=done)
    held.start()
    done.get(timeout=30)
    assert isinstance(held.error, StopIteration)
    assert held.let_go()
