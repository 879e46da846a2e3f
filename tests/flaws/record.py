"""What became of every known flaw and its twin: kept as data, and shown as a page.

``python -m tests.flaws.record [PATH ...]`` runs all of them, or those of some files beside what is kept of the others, writes ``benchmarks/results/flaws.json`` and the pages ``docs/flaws.md`` and
``docs/flaws.ja.md``. No row is written by hand.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from sekisho.gate.report import Item

ROOT: Final = Path(__file__).parents[2]
RESULTS: Final = ROOT / "benchmarks" / "results" / "flaws.json"
VARIABLE: Final = "SEKISHO_FLAWS_REPORT"
"""Names the file that the results go to, while they are made."""

JUDGED: Final[list[tuple[str, str]]] = []
"""Box and status of every verdict of the test that runs."""

_WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "title": "Known flaws, and whether their box catches them",
        "other": "English · [日本語](flaws.ja.md)",
        "text": "Each row is one test of `tests/flaws`: a small project is broken in one place and judged by its box; most are judged once more "
        "without the flaw, as the clean twin that must pass. The verdicts stand in the order in which they were asked for. "
        "The page is made by `python -m tests.flaws.record`; {caught} of {all} behave as they must.",
        "box": "Box",
        "head": "| listed | flaw or twin | verdicts | as it must |",
    },
    "ja": {
        "title": "既知の欠陥と、その検出",
        "other": "[English](flaws.md) · 日本語",
        "text": "各行は `tests/flaws` のテスト1件です。小さなプロジェクトを1か所だけ壊して該当の項目に判定させ、多くの場合は欠陥のない対照（必ず合格すべきもの）"
        "も続けて判定させます。判定は尋ねた順に並んでいます。このページは `python -m tests.flaws.record` が作ります。{all} 件中 {caught} 件が期待どおりです。",
        "box": "項目",
        "head": "| 一覧の番号 | 欠陥または対照（テスト名） | 判定 | 期待どおり |",
    },
}


def judged(item: Item) -> Item:
    """Note a verdict, and return it."""
    JUDGED.append((item.id, item.status.value))
    return item


def kept(name: str, source: str, outcome: str) -> None:
    """Add what became of one test to the results that are being made, if any are.

    Args:
        name: The test's name, with its case.
        source: Its text, in which the listed flaws that it tries are named.
        outcome: What became of it.

    """
    target = os.environ.get(VARIABLE)
    if target and JUDGED:
        cased = re.findall(r"f[0-9]{2}[a-c]", name.lower())
        row = {
            "box": JUDGED[0][0],
            "name": name,
            "listed": sorted({f"F{each[1:]}" for each in cased or re.findall(r"\bF[0-9]{2}[a-c]\b", source)}),
            "verdicts": [status for _, status in JUDGED],
            "outcome": outcome,
        }
        with Path(target).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(row) + "\n")


def render(rows: list[dict[str, Any]], language: str) -> str:
    """Return the page of the results."""
    words = _WORDS[language]
    caught = sum(row["outcome"] == "passed" for row in rows)
    text = words["text"].format(caught=caught, all=len(rows))
    parts = [f"# {words['title']}", words["other"], text]
    for box in sorted({row["box"] for row in rows}):
        parts.append(f"## {words['box']}: `{box}`")
        lines = [words["head"], "| --- | --- | --- | --- |"]
        for row in rows:
            if row["box"] == box:
                mark = "✓" if row["outcome"] == "passed" else "✗"
                lines.append(
                    f"| {', '.join(row['listed'])} | {_title(row['name'])} | {', '.join(row['verdicts'])} | {mark} |"
                )
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def write_pages(rows: list[dict[str, Any]]) -> None:
    """Write the pages in both languages."""
    for language, name in (("en", "flaws.md"), ("ja", "flaws.ja.md")):
        (ROOT / "docs" / name).write_text(render(rows, language), encoding="utf-8")


def _title(name: str) -> str:
    bare, _, case = name.partition("[")
    words = bare.removeprefix("test_").replace("_", " ")
    if words[:1] == "f" and words[1:3].isdigit():
        words = words[0].upper() + words[1:]
    return f"{words} ({case.removesuffix(']')})".replace("|", "\\|") if case else words


def main(paths: list[str]) -> int:
    """Run every flaw, or those of ``paths``, and write what became of it."""
    lines = RESULTS.with_suffix(".jsonl")
    lines.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", *(paths or ["tests/flaws"])]
    code = subprocess.run(command, cwd=ROOT, env={**os.environ, VARIABLE: str(lines)}, check=False).returncode
    made = [json.loads(line) for line in lines.read_text().splitlines()]
    again = {(row["box"], row["name"]) for row in made}
    kept_rows = (
        [row for row in json.loads(RESULTS.read_text()) if (row["box"], row["name"]) not in again] if paths else []
    )
    rows = sorted([*kept_rows, *made], key=lambda row: (row["box"], row["name"]))
    lines.unlink()
    RESULTS.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n", encoding="utf-8")
    write_pages(rows)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
