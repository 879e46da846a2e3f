"""The report as JUnit XML, which continuous integration servers read.

A box that does not let through is a failure, one that was not measured an error, and one that does not apply or is waived is
skipped (the vocabulary of Apache Ant's JUnit task, as Jenkins and GitLab read it).
"""

from __future__ import annotations

import re
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from sekisho.documents.forms.interface import form
from sekisho.gate.report import Item, Report, SectionSummary
from sekisho.gate.verdict import Status

_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_OUTCOME: Final = {
    Status.FAIL: "failure",
    Status.UNKNOWN: "error",
    Status.WAIVED: "skipped",
    Status.NOT_APPLICABLE: "skipped",
}


@form("junit", "junit.xml")
def junit(report: Report) -> str:
    """Return a suite a section and a case a box."""
    summary = {"name": f"sekisho {report.model}", **_counts(report.items), "time": f"{report.seconds:.1f}"}
    root = Element("testsuites", summary)
    for section in report.sections:
        root.append(_suite(section, report))
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _suite(section: SectionSummary, report: Report) -> Element:
    summary = {
        "name": section.id,
        **_counts(section.items),
        "timestamp": report.generated_at.removesuffix("Z"),
        "hostname": "localhost",
        "time": f"{sum(_seconds(item, report) for item in section.items):.3f}",
    }
    suite = Element("testsuite", summary)
    properties = SubElement(suite, "properties")
    for name, value in (("artifact", report.artifact or ""), ("contract", report.contract)):
        SubElement(properties, "property", name=name, value=value)
    for item in section.items:
        suite.append(_case(item, report))
    return suite


def _case(item: Item, report: Report) -> Element:
    name = item.id.partition("/")[2]
    case = Element("testcase", classname=item.section, name=name, time=f"{_seconds(item, report):.3f}")
    outcome = _OUTCOME.get(item.status)
    if outcome is None:
        return case
    said = SubElement(case, outcome, message=_xml(str(item.verdict.summary)))
    if outcome != "skipped":
        said.set("type", item.status.value)
        findings = [f"{finding.status}: {finding.text}" for finding in item.verdict.findings]
        remedy = [] if item.remedy is None else [f"→ {item.remedy}"]
        said.text = _xml("\n".join((*findings, *remedy)))
    return case


def _counts(items: tuple[Item, ...]) -> dict[str, str]:
    outcomes = [_OUTCOME.get(item.status) for item in items]
    counts = {
        plural: outcomes.count(one)
        for plural, one in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
    }
    return {"tests": str(len(items)), **{name: str(count) for name, count in counts.items()}}


def _seconds(item: Item, report: Report) -> float:
    return sum(report.evidence[id_].seconds for id_ in item.evidence if id_ in report.evidence)


def _xml(words: str) -> str:
    """Return words without the characters that XML 1.0 cannot hold."""
    return _NOT_XML.sub("\ufffd", words)
