"""The results as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

TITLES = {
    "roc_auc": "Interval of the ROC AUC",
    "balanced_accuracy": "Interval of the balanced accuracy",
    "log_loss": "Interval of the log loss",
    "slices": "Weak slices",
}


def write_page(whole: dict[str, Any], folder: Path) -> None:
    """Write ``quality.md``."""
    machine = whole["machine"]
    lines = [
        "# How fast a model is judged",
        "",
        f"Measured {whole['measured']} by `{whole['command']}` on {machine['processor']}, {machine['cores']} cores, Python {machine['python']};",
        f"load {whole['load_before']} before, rounds: {whole['rounds']}, medians. Seconds belong to this machine and this hour; the ratios are what counts.",
        "",
        "## Two boxes as a whole",
        "",
        "quality/requirements and quality/test-evaluation of a packed model, from a cold start: tables read, every row answered, scores and their",
        "intervals, baselines, calibration, slices, overlap, leakage.",
        "",
        "| test rows × columns, and as many to compare with | seconds | CPU seconds | peak MiB |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {each['rows']:,} × {each['columns']} | {each['seconds']:.1f} | {each['cpu_seconds']:.1f} | {each['peak_mib']:,.0f} |"
        for each in whole["whole"]
    ]
    lines += ["", f"## Beside others, on the same answers ({whole['resamples']:,} resamples)"]
    for size in whole["sizes"]:
        for task, found in size["tasks"].items():
            lines += ["", f"### {TITLES[task]}, {size['rows']:,} rows", ""]
            lines += ["| | seconds | times sekisho | peak MiB | result |", "| --- | --- | --- | --- | --- |"]
            ours = found["sekisho"]["seconds"]
            lines += [_row(name, each, ours) for name, each in found.items()]
    lines += [
        "",
        "A score that does not only count classes is resampled by sekisho on 20,000 of the rows, the spread scaled to all of them; the peers resample",
        "all rows. For weak slices the work is not the same: sekisho compares all columns and all pairs of them and measures what it finds on the",
        "other half of the rows, fairlearn measures the groups of one column with 100 resamples.",
    ]
    (folder / "quality.md").write_text("\n".join(lines) + "\n")


def _row(name: str, each: dict[str, Any], ours: float) -> str:
    if each["seconds"] is None:
        return f"| {name} | {each['failed']} | | | |"
    if "low" in each:
        result = f"{each['low']:.4f} to {each['high']:.4f}"
    else:
        result = f"{each['parts']:,} parts compared, {each['intervals']} intervals"
    times = "" if name == "sekisho" else f"{each['seconds'] / ours:.1f}"
    return f"| {name} {each['version']} | {each['seconds']:.3f} | {times} | {each['peak_mib']:,} | {result} |"
