"""Erasing what is too old from the book, now and then, on a thread of its own in one worker of a service."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from sekisho.errors import SekishoError
from sekisho.ledger.predictions import PredictionBook
from sekisho.ledger.retention import clock, retain

if TYPE_CHECKING:
    from sekisho.serving.logs import Log

FIRST_SECONDS: Final = 2.0
SECONDS_BETWEEN_LOOKS: Final = 600.0


class Retaining:
    """Looks at the book until it is told to stop.

    Args:
        address: Where the book is.
        days: How many days a prediction is kept.
        log: Where it is said what was erased, and that the clock is in doubt.

    """

    def __init__(self, address: str, days: int, log: Log) -> None:
        self._address = address
        self._days = days
        self._log = log
        self._doubted = False
        self._ended = threading.Event()
        threading.Thread(target=self._run, name="retention", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._ended.set()

    def _run(self) -> None:
        wait = FIRST_SECONDS
        while not self._ended.wait(wait):
            wait = SECONDS_BETWEEN_LOOKS
            try:
                self._look()
            except SekishoError as error:
                self._log.say("warning", "old predictions cannot be erased", why=error.what.en)

    def _look(self) -> None:
        with PredictionBook(self._address) as book:
            done = retain(book, self._days, clock())
        if done.rows:
            self._log.say("info", "old predictions erased", rows=done.rows, before=done.before)
        if done.doubted and not self._doubted:
            self._log.say("warning", "the clock has jumped, nothing is erased for a day", before=done.before)
        self._doubted = done.doubted
