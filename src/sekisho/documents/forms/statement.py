"""The report as an in-toto Statement v1 with the predicate test-result v0.1, about the artifact.

By itself it is not signed: whoever takes it in must know where it came from. :mod:`sekisho.gate.passes` signs it. The predicate names the contract as its configuration and the boxes as tests; what the
vocabulary has no place for (evidence, statuses of our own) stands under ``sekisho``, which other readers pass over.
"""

from __future__ import annotations

import json
from typing import Final

from sekisho import __version__
from sekisho.contract.project import CONTRACT_NAME
from sekisho.documents.forms.interface import form
from sekisho.gate.report import Report
from sekisho.gate.verdict import Status

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://in-toto.io/attestation/test-result/v0.1"


@form("in-toto", "statement.intoto.json")
def statement(report: Report) -> str | None:
    """Return the statement, or ``None`` when there is no artifact that it could speak of."""
    if report.artifact is None:
        return None
    tests = {status: [item.id for item in report.items if item.status is status] for status in Status}
    predicate = {
        "result": "PASSED" if report.passed else "FAILED",
        "configuration": [{"name": CONTRACT_NAME, "digest": {"sha256": report.contract}}],
        "passedTests": tests[Status.PASS],
        "warnedTests": [*tests[Status.WAIVED], *tests[Status.NOT_APPLICABLE]],
        "failedTests": [*tests[Status.FAIL], *tests[Status.UNKNOWN]],
        "sekisho": {
            "version": __version__,
            "generatedAt": report.generated_at,
            "complete": report.complete,
            "verdicts": [
                {"id": item.id, "status": item.status.value, "evidence": list(item.evidence)} for item in report.items
            ],
        },
    }
    said = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": report.model, "digest": {"sha256": report.artifact}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": predicate,
    }
    return json.dumps(said, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
