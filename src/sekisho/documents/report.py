"""Writing a report down, in one form or in all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho import shelf
from sekisho.documents.forms.interface import Form
from sekisho.documents.forms.web_page import web_page
from sekisho.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.gate.report import Report

PAGE: Final = "report/index.html"
"""Where the page stands in the state folder of a project, when nobody asks for another place."""


def write_html(report: Report, path: Path) -> Path:
    """Write the page alone and return its path.

    Raises:
        OSError: It cannot be written.

    """
    write_atomically(path, web_page.render(report) or "")
    return path


def write_all(report: Report, folder: Path) -> dict[str, Path]:
    """Write every form that the report can take, and return their paths by form.

    Raises:
        OSError: One cannot be written.

    """
    written: dict[str, Path] = {}
    for id_, each in shelf.units("sekisho.documents.forms", Form).items():
        text = each.render(report)
        if text is not None:
            written[id_] = folder / each.file
            write_atomically(written[id_], text)
    return written
