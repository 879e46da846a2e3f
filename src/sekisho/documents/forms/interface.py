"""What every form of a report gives: a file name, and the text of the file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sekisho.gate.report import Report


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a report down.

    Attributes:
        id: Its name.
        file: The name of its file.
        render: Returns the text of the file; ``None`` when this report cannot take this form.

    """

    id: str
    file: str
    render: Callable[[Report], str | None]


def form(id: str, file: str) -> Callable[[Callable[[Report], str | None]], Form]:  # noqa: A002
    """Turn a function from a report to text into a form."""

    def decorate(render: Callable[[Report], str | None]) -> Form:
        return Form(id, file, render)

    return decorate
