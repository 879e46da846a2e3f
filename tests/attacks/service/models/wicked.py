"""A model that does whatever models do at the worst moment. The number in its first feature says what; from 600 on it is wicked.

The second feature is what it is asked about: it answers whether that is positive, with the probability 1 / (1 + exp(-value)).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

SECRET = "hunter2 at /etc/secret-4711"
MIB = 2**20
_kept: list[Any] = []
_first = [True]


class Terrible(Exception):
    """Its words cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError(SECRET)

    __repr__ = __str__


def _raise(error: BaseException) -> Callable[[Any, Any], Any]:
    def act(table: Any, answer: Any) -> Any:
        raise error

    return act


def _recurse(table: Any, answer: Any) -> Any:
    return _recurse(table, answer)


def _hang(table: Any, answer: Any) -> Any:
    time.sleep(3600)
    return answer


def _spin(table: Any, answer: Any) -> Any:
    while True:
        pass


def _hang_in_c(table: Any, answer: Any) -> Any:
    """Hold the interpreter's lock in C, with every signal blocked that can be."""
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))
    ctypes.PyDLL(None).sleep(3600)
    return answer


def _ignore_signals(table: Any, answer: Any) -> Any:
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_IGN)
    return _hang(table, answer)


def _die(table: Any, answer: Any) -> Any:
    os._exit(9)


def _succeed_and_die(table: Any, answer: Any) -> Any:
    os._exit(0)


def _crash(table: Any, answer: Any) -> Any:
    ctypes.string_at(0)
    return answer


def _abort(table: Any, answer: Any) -> Any:
    os.abort()


def _kill_itself(table: Any, answer: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)
    return answer


def _stop_itself(table: Any, answer: Any) -> Any:
    os.kill(os.getpid(), signal.SIGSTOP)
    return answer


def _leak(table: Any, answer: Any) -> Any:
    _kept.append(np.ones(50 * MIB, dtype=np.uint8))
    return answer


def _bomb(table: Any, answer: Any) -> Any:
    return answer + np.ones(8 * 2**30, dtype=np.uint8)[: len(answer), None]


def _bomb_by_and_by(table: Any, answer: Any) -> Any:
    _kept.extend(np.ones(16 * MIB, dtype=np.uint8) for _ in range(8 * 2**10 // 16))
    return answer


def _bomb_in_c(table: Any, answer: Any) -> Any:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    place = libc.malloc(ctypes.c_size_t(8 * 2**30))
    if not place:
        raise MemoryError
    ctypes.memset(place, 1, 8 * 2**30)
    return answer


def _shout(table: Any, answer: Any) -> Any:
    print("noise\n" * (10 * MIB // 6), flush=True)
    return answer


def _shout_in_c(table: Any, answer: Any) -> Any:
    for descriptor in (1, 2):
        os.write(descriptor, b'{"level":"fake"}\n' * 10_000)
    ctypes.CDLL(None).puts(b"noise of C\r\n\x1b[31m")
    ctypes.CDLL(None).fflush(None)
    return answer


def _warn(table: Any, answer: Any) -> Any:
    for _ in range(1_000):
        warnings.warn('noise\r\n{"level":"fake"}', stacklevel=2)
    sys.stderr.write("noise\n" * 1_000)
    return answer


def _change_input(table: Any, answer: Any) -> Any:
    table[:] = -7.0
    return answer


def _change_surroundings(table: Any, answer: Any) -> Any:
    os.chdir("/")
    os.environ.clear()
    os.umask(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    np.seterr(all="raise")
    np.random.seed(0)
    random.seed(0)
    sys.path.clear()
    sys.setrecursionlimit(100)
    threading.stack_size(64 * 1024)
    return answer


def _open_files(table: Any, answer: Any) -> Any:
    with contextlib.suppress(OSError):
        while True:
            _kept.append(os.open(os.devnull, os.O_RDONLY))
    return answer


def _close_files(table: Any, answer: Any) -> Any:
    os.closerange(3, 4_096)
    return answer


def _start_threads(table: Any, answer: Any) -> Any:
    for _ in range(100):
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
    return answer


def _start_processes(table: Any, answer: Any) -> Any:
    _kept.append(subprocess.Popen(["sleep", "4711"]))
    if os.fork() == 0:
        time.sleep(3600)
        os._exit(0)
    return answer


def _start_processes_and_die(table: Any, answer: Any) -> Any:
    _start_processes(table, answer)
    return _die(table, answer)


def _end_its_parent(table: Any, answer: Any) -> Any:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(0.5)
    return answer


def _garble_the_wire(table: Any, answer: Any) -> Any:
    for descriptor in range(3, 64):
        with contextlib.suppress(OSError):
            os.write(descriptor, b"\x7f\xff\xff\xff" + b"garbage" * 10)
    time.sleep(3600)
    return answer


def _write_files(table: Any, answer: Any) -> Any:
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB))
    with tempfile.TemporaryFile() as file:
        file.write(b"x" * 10 * MIB)
    return answer


def _noisy_floats(table: Any, answer: Any) -> Any:
    return answer / np.zeros_like(answer)


ACTS: dict[str, Callable[[Any, Any], Any]] = {
    # It raises.
    "raise": _raise(ValueError(SECRET)),
    "raise-a-long-text": _raise(ValueError(SECRET + "x" * 10 * MIB)),
    "raise-lines": _raise(ValueError(SECRET + '\n{"level":"fake"}\r\n\x1b[31m')),
    "raise-without-words": _raise(Terrible()),
    "raise-key": _raise(KeyError(SECRET)),
    "raise-memory": _raise(MemoryError(SECRET)),
    "raise-stop": _raise(StopIteration(SECRET)),
    "raise-keyboard": _raise(KeyboardInterrupt(SECRET)),
    "raise-exit": _raise(SystemExit(SECRET)),
    "raise-exit-0": _raise(SystemExit(0)),
    "raise-base": _raise(BaseException(SECRET)),
    "raise-timeout": _raise(TimeoutError(SECRET)),
    "raise-oserror": _raise(FileNotFoundError(2, SECRET, "/etc/secret-4711")),
    "recurse": _recurse,
    # It answers what cannot be.
    "nan": lambda table, answer: np.full_like(answer, np.nan),
    "nan-in-one-row": lambda table, answer: np.where((table[:, :1] >= 600), np.nan, answer),
    "infinity": lambda table, answer: np.full_like(answer, np.inf),
    "minus-infinity": lambda table, answer: np.full_like(answer, -np.inf),
    "too-few-rows": lambda table, answer: answer[:-1],
    "no-rows": lambda table, answer: answer[:0],
    "too-many-rows": lambda table, answer: np.concatenate([answer, answer]),
    "one-row-more": lambda table, answer: np.concatenate([answer, answer[:1]]),
    "far-too-many-rows": lambda table, answer: np.repeat(answer, 2_000_000, axis=0),
    "one-column": lambda table, answer: answer[:, :1],
    "three-columns": lambda table, answer: np.column_stack([answer, answer[:, 0]]),
    "three-dimensions": lambda table, answer: answer[:, :, None],
    "no-dimension": lambda table, answer: np.float64(0.5),
    "strings": lambda table, answer: answer.astype(str),
    "objects": lambda table, answer: answer.astype(object),
    "objects-of-ours": lambda table, answer: np.array([[object(), object()] for _ in answer], dtype=object),
    "complex": lambda table, answer: answer + 1j,
    "booleans": lambda table, answer: answer > 0.5,
    "integers": lambda table, answer: (answer > 0.5).astype(int),
    "list": lambda table, answer: answer.tolist(),
    "none": lambda table, answer: None,
    "generator": lambda table, answer: (row for row in answer),
    "dictionary": lambda table, answer: {"answer": answer},
    "negative": lambda table, answer: np.column_stack([answer[:, 0] * 0 - 0.5, answer[:, 0] * 0 + 1.5]),
    "above-one": lambda table, answer: answer * 0 + 1.5,
    "sum-of-two": lambda table, answer: answer * 2.0,
    "sum-of-zero": lambda table, answer: answer * 0.0,
    "sum-a-little-off": lambda table, answer: answer * 1.01,
    "not-numbers": _noisy_floats,
    # It hangs or ends.
    "hang": _hang,
    "spin": _spin,
    "hang-in-c": _hang_in_c,
    "hang-and-ignore-signals": _ignore_signals,
    "stop-itself": _stop_itself,
    "die": _die,
    "die-with-0": _succeed_and_die,
    "crash": _crash,
    "abort": _abort,
    "kill-itself": _kill_itself,
    "end-its-parent": _end_its_parent,
    "garble-the-wire": _garble_the_wire,
    # It takes too much.
    "leak": _leak,
    "bomb": _bomb,
    "bomb-by-and-by": _bomb_by_and_by,
    "bomb-in-c": _bomb_in_c,
    "open-files": _open_files,
    "start-threads": _start_threads,
    "start-processes": _start_processes,
    "start-processes-and-die": _start_processes_and_die,
    "write-files": _write_files,
    # It makes noise, or changes what is around it.
    "shout": _shout,
    "shout-in-c": _shout_in_c,
    "warn": _warn,
    "change-input": _change_input,
    "change-surroundings": _change_surroundings,
    "close-files": _close_files,
}
CODES = {name: 600 + number for number, name in enumerate(ACTS)}
_BY_CODE = dict(zip(CODES.values(), ACTS.values(), strict=True))


class Wicked(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts whether the second feature is positive, unless the first one says otherwise."""

    def fit(self, rows: Any, labels: Any) -> Wicked:
        self.classes_ = np.unique(labels)
        self.n_features_in_ = np.asarray(rows).shape[1]
        if hasattr(rows, "columns"):
            self.feature_names_in_ = np.array(list(rows.columns), dtype=object)
        return self

    def predict(self, rows: Any) -> Any:
        probabilities = self.predict_proba(rows)
        if (
            not isinstance(probabilities, np.ndarray)
            or probabilities.ndim != 2
            or probabilities.dtype.kind not in "fiub"
        ):
            return probabilities
        return self.classes_[probabilities.argmax(axis=1) % 2]

    def predict_proba(self, rows: Any) -> Any:
        table = np.array(rows, dtype=float)
        if _first[0]:
            _first[0] = False
            time.sleep(float(os.environ.get("SECONDS_OF_FIRST_CALL", "0")))
        positive = 1.0 / (1.0 + np.exp(-table[:, 1]))
        answer = np.column_stack([1.0 - positive, positive])
        for code in sorted(set(table[:, 0].tolist()) & _BY_CODE.keys()):
            answer = _BY_CODE[code](table, answer)
        return answer
