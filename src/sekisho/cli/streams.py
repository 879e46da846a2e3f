"""Standard output and error: UTF-8 everywhere, one line a message, and readers that go away."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import select
import sys

import click


def speak_utf8() -> None:
    """Write UTF-8 whatever the locale says; what cannot be encoded (a broken file name) is written as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def complain(lines: str) -> None:
    """Write each line to standard error, with control characters as escapes; quietly do nothing if nobody can read it."""
    with contextlib.suppress(OSError):
        for line in lines.splitlines():
            click.echo(
                "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in line),
                err=True,
            )


class _StandardError(logging.Handler):
    """Writes records to whatever standard error is at the moment."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, with the traceback that it may carry."""
        click.echo(self.format(record), err=True)


def show_log() -> None:
    """Write to standard error what Sekisho logs: among it, where the errors came from that were made into verdicts."""
    log = logging.getLogger("sekisho")
    log.setLevel(logging.DEBUG)
    if not any(isinstance(handler, _StandardError) for handler in log.handlers):
        log.addHandler(_StandardError())


def reader_is_gone() -> bool:
    """Return whether standard output is a pipe that nobody reads any more."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
    except (OSError, ValueError):
        return False
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def let_go_of_output() -> None:
    """Send what standard output still holds nowhere, if it cannot be written, so that the interpreter ends in peace."""
    try:
        sys.stdout.flush()
        gone = reader_is_gone()
    except OSError:
        gone = True
    if gone:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
