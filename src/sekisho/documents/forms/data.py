"""The report as JSON, as ``sekisho check --json`` prints it."""

from __future__ import annotations

import msgspec

from sekisho.documents.forms.interface import form
from sekisho.gate.report import Report


@form("json", "report.json")
def data(report: Report) -> str:
    """Return the report as JSON of format 1, indented, in the language in use."""
    return msgspec.json.format(msgspec.json.encode(report.as_json()), indent=2).decode() + "\n"
