"""The results as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def write_page(whole: dict[str, Any], folder: Path) -> None:
    """Write ``scoring.md``."""
    machine = whole["machine"]
    lines = [
        "# Scoring a table",
        "",
        f"Measured {whole['measured']} by `{whole['command']}` on {machine['processor']}, {machine['cores']} cores,",
        f"Python {whole['versions']['python']}, onnxruntime {whole['versions']['onnxruntime']}; load {whole['load_before']} before.",
        "",
        "20 columns of floats and an identifier that is passed through; each contestant in a process of its own, in turn, medians of the rounds.",
        "*Raw* is ONNX Runtime alone on every core, for float32 arrays that lie in memory already, in the chunks that sekisho runs: no reading, no",
        "checks, no writing. *Of raw* compares processor time for a row, which other work on the machine hardly touches; *of raw, by the clock*",
        "compares rows a second. `sekisho batch` begins with reading and proving the model; pandas with scikit-learn does not.",
    ]
    for model in whole["models"]:
        lines += ["", f"## {model['title']}", ""]
        lines += ["| | rows | rows/s | µs of processor a row | of raw | of raw, by the clock | peak MiB |"]
        lines += ["| --- | --- | --- | --- | --- | --- | --- |"]
        raw = next(each for each in model["cells"] if each["who"] == "raw")
        lines += [_row(each, raw) for each in model["cells"]]
    lines += ["", "## Memory", ""]
    lines += ["| table | rows | peak MiB |", "| --- | --- | --- |"]
    lines += [f"| {each['format']} | {each['rows']:,} | {each['peak_mib']:,} |" for each in whole["memory"]]
    (folder / "scoring.md").write_text("\n".join(lines) + "\n")


def _row(each: dict[str, Any], raw: dict[str, Any]) -> str:
    name = {"raw": "raw ONNX Runtime, in memory", "sekisho": "`sekisho batch`", "pandas": "pandas and scikit-learn"}[
        each["who"]
    ]
    table = f", {each['format']}" if each["format"] else ""
    return (
        f"| {name}{table} | {each['rows']:,} | {each['rows_per_second']:,.0f} | {each['cpu_microseconds']:.2f} "
        f"| {raw['cpu_microseconds'] / each['cpu_microseconds']:.0%} | {each['rows_per_second'] / raw['rows_per_second']:.0%} | {each['peak_mib']:,} |"
    )
