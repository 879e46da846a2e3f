"""The process that watches a running service: ``python -m sekisho.watch.live --ledger FILE --artifact DIR``.

``sekisho serve`` starts it beside its workers. Every few seconds it judges the last rows of the book of predictions and publishes gauges. It
is no part of answering: a book that is missing, locked or broken is said once and tried again at the next look. It ends with the process
that started it.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from sekisho.artifact.artifact import ModelArtifact
from sekisho.errors import LedgerError, SekishoError
from sekisho.ledger.address import checked
from sekisho.watch.drift.report import DriftReport
from sekisho.watch.gauges import DriftGauges
from sekisho.watch.settings import WatchSettings
from sekisho.watch.watcher import Watcher

HEARTBEAT_SECONDS: Final = 0.5
"""How often it is seen whether the parent is still there."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Watch until told to stop, or until the parent is gone; return the exit code."""
    options = _options().parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    settings = WatchSettings(
        ledger=options.ledger,
        interval_seconds=options.interval,
        window_rows=options.window_rows,
        false_alarms_per_30_days=options.false_alarms_per_30_days,
        smallest_effect=options.smallest_effect,
        ignored=tuple(options.ignore),
    )
    try:
        artifact = ModelArtifact.load(options.artifact)
        gauges = DriftGauges(options.model or artifact.name)
        watch(Watcher(artifact, settings), gauges, stop, parent=options.parent)
    except SekishoError as error:
        say("error", "drift cannot be watched", error=str(error))
        return error.exit_code
    return 0


def watch(watcher: Watcher, gauges: DriftGauges, stop: threading.Event, *, parent: int) -> None:
    """Look, publish, wait, until ``stop`` is set or the process is no longer a child of ``parent``."""
    gauges.publish(watcher.nothing, rows=0, at=time.time())
    said = Said()
    due = time.monotonic()
    while not stop.is_set() and os.getppid() == parent:
        if time.monotonic() >= due:
            due = time.monotonic() + watcher.settings.interval_seconds
            _look(watcher, gauges, said)
        stop.wait(min(HEARTBEAT_SECONDS, max(0.0, due - time.monotonic())))


class Said:
    """What was said last of drift and of the book, so that only changes are said again."""

    def __init__(self) -> None:
        self._drifted: tuple[str, ...] = ()
        self._trouble: str | None = None

    def report(self, report: DriftReport) -> None:
        """Say which features drift, if they are others than before."""
        drifted = tuple(sorted(column.name for column in report.drifted))
        if drifted != self._drifted:
            effects = {column.name: round(column.effect, 3) for column in report.drifted}
            say("warning" if drifted else "info", "drift" if drifted else "no drift any more", features=effects)
        self._drifted, self._trouble = drifted, None

    def trouble(self, error: SekishoError) -> None:
        """Say why the book cannot be read, if that was not said before."""
        if str(error) != self._trouble:
            self._trouble = str(error)
            say("warning", "predictions cannot be read", error=str(error))


def say(level: str, event: str, **members: object) -> None:
    """Write one line of JSON to standard error, as the service beside does. It names features, never values."""
    at = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
    line = msgspec.json.encode({"time": at, "level": level, "event": event, **members}) + b"\n"
    with contextlib.suppress(OSError):
        os.write(sys.stderr.fileno(), line)


def _look(watcher: Watcher, gauges: DriftGauges, said: Said) -> None:
    try:
        look = watcher.look()
    except LedgerError as error:
        said.trouble(error)
        return
    gauges.publish(look.report, rows=len(look.window.records), at=time.time())
    said.report(look.report)


def _address(word: str) -> Path | str:
    try:
        return checked(word)
    except SekishoError as error:
        raise argparse.ArgumentTypeError(error.what.en) from None


def _options() -> argparse.ArgumentParser:
    usual = WatchSettings(ledger=Path())
    parser = argparse.ArgumentParser(prog="python -m sekisho.watch.live")
    parser.add_argument("--ledger", type=_address, required=True)
    parser.add_argument("--artifact", type=Path, required=True)
    parser.add_argument("--model", help="what callers call the model, for the gauges [default: as it was packed]")
    parser.add_argument("--interval", type=float, default=usual.interval_seconds, help="seconds between two looks")
    parser.add_argument("--window-rows", type=int, default=usual.window_rows)
    parser.add_argument("--false-alarms-per-30-days", type=float, default=usual.false_alarms_per_30_days)
    parser.add_argument("--smallest-effect", type=float, default=usual.smallest_effect)
    parser.add_argument("--ignore", action="append", default=[], metavar="FEATURE", help="may be given several times")
    parser.add_argument("--parent", type=int, default=os.getppid(), help="the process to end with")
    return parser


if __name__ == "__main__":
    sys.exit(main())
