"""Values in PromQL and in the templates of alerts stay data.

PromQL: *Querying basics, String literals*; templates: Go's ``text/template``.
"""

from __future__ import annotations

from sekisho.targets.parts.templates import json_value


def string(value: str) -> str:
    """Return ``value`` as a string literal of PromQL, which follows the rules of Go for double quotes."""
    return json_value(value).replace("\x7f", "\\u007f")


def literally(text: str) -> str:
    """Return ``text`` for an annotation in which nothing is a template."""
    return text.replace("{{", '{{ "{{" }}')


def duration(seconds: float) -> str:
    """Return a duration as Prometheus writes it, to the second."""
    whole = round(seconds)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if whole and whole % size == 0:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def selector(metric: str, **labels: str) -> str:
    """Return a selector of one metric's series by exact labels."""
    inner = ",".join(f"{name}={string(value)}" for name, value in labels.items())
    return f"{metric}{{{inner}}}"
