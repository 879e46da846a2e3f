"""The results as a page: one picture, one table a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

HEADINGS = "| service | 1 connection /s | 16 /s | 64 /s | p99 at 16, ms | CPU µs a request at 16 | 1000-row batches /s | start s | MiB |"


def write_page(whole: dict[str, Any], folder: Path) -> None:
    """Write ``serving.svg`` and ``serving.md``."""
    _picture(whole, folder / "serving.svg")
    lines = [
        "# How fast the service is",
        "",
        f"Measured {whole['at']} by `{whole['command']}` on {whole['machine']['processor']}, {whole['machine']['cores']} cores,",
        f"{whole['machine']['memory']}, load {whole['machine']['load_before']} before; Python {whole['versions']['python']}. One worker on one core, wrk on the other; rounds in which all take turns,",
        "medians. Absolute figures belong to this machine; the ratios are what counts. sekisho has keys, validation, metrics and",
        "the prediction log on; the floors predict nothing.",
        "",
        "![Requests per second](serving.svg)",
    ]
    for model in whole["models"]:
        lines += ["", f"## {model['title']}", "", HEADINGS, "| --- " * 9 + "|"]
        for name, facts in model["contestants"].items():
            cells = {
                (cell["task"], cell["connections"]): cell for cell in model["medians"] if cell["contestant"] == name
            }
            batch = cells.get(("batch", 1))
            figures = [
                *(f"{cells['single', count]['per_second']:,.0f}" for count in (1, 16, 64)),
                f"{cells['single', 16]['p99_ms']:.2f}",
                f"{cells['single', 16]['cpu_us']:.1f}",
                f"{batch['per_second']:.1f}" if batch else "",
                f"{facts['start_seconds']:.2f}",
                f"{facts['resident_mebibytes']:.0f}",
            ]
            lines.append(f"| {facts['title']} | " + " | ".join(figures) + " |")
        lines.append("")
        lines += [
            f"At {load}: " + ", ".join(f"{value:.2f} times {name}" for name, value in ratios.items()) + "."
            for load, ratios in model["ratios"].items()
        ]
    (folder / "serving.md").write_text("\n".join(lines) + "\n")


def _picture(whole: dict[str, Any], file: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(whole["models"]), figsize=(11, 4), sharey=True, layout="constrained")
    for axis, model in zip(axes, whole["models"], strict=True):
        for name in model["contestants"]:
            cells = sorted(
                (cell for cell in model["medians"] if cell["contestant"] == name and cell["task"] == "single"),
                key=lambda cell: cell["connections"],
            )
            axis.plot(
                [str(cell["connections"]) for cell in cells],
                [cell["per_second"] for cell in cells],
                marker="o",
                label=name,
                linestyle="--" if name.startswith("floor") else "-",
            )
        axis.set_yscale("log")
        axis.set_xlabel("connections")
        axis.set_title(model["model"])
        axis.grid(visible=True, which="both", alpha=0.3)
    axes[0].set_ylabel("requests per second")
    axes[-1].legend()
    figure.savefig(file)
    plt.close(figure)
