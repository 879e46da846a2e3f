"""The report as SARIF 2.1.0 (OASIS), which code-scanning pages read.

Each box is a rule; each finding that holds a box back is a result at ``sekisho.toml``, where what the box requires is stated.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from sekisho import __version__
from sekisho.contract.project import CONTRACT_NAME
from sekisho.documents.forms.interface import form
from sekisho.gate.report import Item, Report
from sekisho.gate.verdict import Finding, Status

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_KINDS: Final = {
    Status.PASS: ("pass", "none"),
    Status.FAIL: ("fail", "error"),
    Status.UNKNOWN: ("open", "none"),
    Status.NOT_APPLICABLE: ("notApplicable", "none"),
    Status.WAIVED: ("fail", "error"),
}


@form("sarif", "report.sarif")
def sarif(report: Report) -> str:
    """Return one run of the tool ``sekisho`` with every box as a rule."""
    driver = {
        "name": "sekisho",
        "semanticVersion": __version__,
        "rules": [_rule(item) for item in report.items],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": True, "endTimeUtc": report.generated_at}],
        "columnKind": "unicodeCodePoints",
        "results": [result for place, item in enumerate(report.items) for result in _results(place, item)],
        "properties": {"verdict": report.verdict, "artifact": report.artifact, "contract": report.contract},
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def _rule(item: Item) -> dict[str, Any]:
    rule: dict[str, Any] = {"id": item.id, "shortDescription": {"text": str(item.title)}}
    if str(item.why):
        rule["fullDescription"] = {"text": str(item.why)}
    if item.remedy is not None:
        rule["help"] = {"text": str(item.remedy)}
    return rule


def _results(place: int, item: Item) -> list[dict[str, Any]]:
    """Return a result for each finding that decided, or one for the box where none holds it back."""
    if item.status is Status.WAIVED:
        waived = [finding for finding in item.verdict.findings if finding.status in {Status.FAIL, Status.UNKNOWN}]
        suppression = {"kind": "external", "status": "accepted", "justification": str(item.verdict.summary)}
        return [{**_result(place, item, finding), "suppressions": [suppression]} for finding in waived]
    deciding = [finding for finding in item.verdict.findings if finding.status is item.status]
    if item.status in {Status.FAIL, Status.UNKNOWN} and deciding:
        return [_result(place, item, finding) for finding in deciding]
    return [_result(place, item, Finding(status=item.status, text=item.verdict.summary))]


def _result(place: int, item: Item, finding: Finding) -> dict[str, Any]:
    kind, level = _KINDS[finding.status]
    fingerprint = hashlib.sha256(f"{item.id}\n{finding.text.en}".encode()).hexdigest()
    return {
        "ruleId": item.id,
        "ruleIndex": place,
        "kind": kind,
        "level": level,
        "message": {"text": str(finding.text)},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": CONTRACT_NAME}}}],
        "partialFingerprints": {"finding/v1": fingerprint},
    }
