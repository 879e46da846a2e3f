"""The table as pages in both languages, made from the results alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from sekisho.text import Language, Text

DOCS: Final = Path(__file__).parents[2] / "docs"
PAGES: Final[dict[str, Language]] = {"formats.md": "en", "formats.ja.md": "ja"}

_HEAD: Final = Text(
    en="""# Models that can be packed

English · [日本語](formats.ja.md)

Every row of this page was made by `{command}` ({at}): the model was trained, packed, loaded **without a flag**, asked about rows that
it had not seen, and compared with itself. {loading} of {count} load without a flag, {compiled} answer as ONNX.

- **ONNX**: what the graph computes in, when it is proven to answer as the model does; otherwise the model's own library answers, in a
  process of its own, and the reason stands here and in `sekisho inspect`.
- **Rows, difference**: how many rows were compared (the proof's, and rows kept out of training), and the largest difference: of a
  probability, or of a number as a share of the largest. `labels` means that there are only labels to compare, and that all were equal.
- **One row**: how many times as fast one row is answered as by the library's own `predict` or `predict_proba` on a table of one row.
  Ours is the whole way: JSON read, values checked, the model asked, the answer checked.

Measured on {processor}, {cores} cores; {versions}.
""",
    ja="""# パックできるモデル

[English](formats.md) · 日本語

このページの行はすべて `{command}`（{at}）が生成したものです。モデルを学習してパックし、**フラグなしで**読み込み、学習に使っていない行を
尋ねて、元のモデルの答えと比べています。{count} 件中 {loading} 件がフラグなしで読み込め、{compiled} 件が ONNX で応答します。

- **ONNX**: 元のモデルと同じ答えになると検証できたグラフの計算精度です。検証できない場合は元のライブラリが別プロセスで応答し、その理由を
  この表と `sekisho inspect` に示します。
- **行数・差**: 比べた行数（検証に使った行と、学習に使っていない行）と、最大の差です。差は確率の差、または最大値に対する割合です。
  `labels` はラベルだけを返すモデルで、すべて一致したことを表します。
- **1行の速さ**: 1行の表に対する元のライブラリの `predict` / `predict_proba` の何倍速いかです。こちらの時間には、JSON の読み取り、値の検査、
  推論、答えの検査がすべて含まれます。

測定環境: {processor}、{cores} コア、{versions}。
""",
)
_TITLES: Final = Text(
    en="| estimator | data | saved as | no flag | ONNX | rows | difference | one row | pack, s |",
    ja="| 推定器 | データ | 保存形式 | フラグなし | ONNX | 行数 | 差 | 1行の速さ | パック（秒） |",
)
_REASONS: Final = Text(en="Why some are not ONNX", ja="ONNX にならない理由")


def render(whole: dict[str, Any], language: Language) -> str:
    """Return the page in ``language``."""
    rows = whole["rows"]
    lines = [
        _HEAD.of(language).format(
            command=whole["command"],
            at=whole["at"][:10],
            count=len(rows),
            loading=sum(row["loads"] for row in rows),
            compiled=sum(row["onnx"] is not None for row in rows),
            processor=whole["machine"]["processor"],
            cores=whole["machine"]["cores"],
            versions=", ".join(f"{name} {number}" for name, number in sorted(whole["versions"].items())),
        )
    ]
    for name, family in whole["families"].items():
        chosen = [row for row in rows if row["family"] == name]
        if chosen:
            lines += [f"## {family[language]} ({family['library']})", "", _TITLES.of(language), "| --- " * 9 + "|"]
            lines += [f"| {' | '.join(_cells(row))} |" for row in chosen]
            lines.append("")
    reasons = [row for row in rows if row[f"reason_{language}"]]
    if reasons:
        lines += [f"## {_REASONS.of(language)}", ""]
        lines += [f"- {row['estimator']} ({row['data']}): {_plain(row[f'reason_{language}'])}" for row in reasons]
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def write(whole: dict[str, Any], folder: Path = DOCS) -> None:
    """Write both pages."""
    for name, language in PAGES.items():
        (folder / name).write_text(render(whole, language), encoding="utf-8")


def line(row: dict[str, Any]) -> str:
    """Return one row for a terminal."""
    return f"{row['family']:14} " + " · ".join(_cells(row)) + ("" if row["onnx"] else f" · {row['reason_en']}")


def _cells(row: dict[str, Any]) -> list[str]:
    if not row["loads"]:
        return [row["estimator"], row["data"], "—", "—", "—", "—", "—", "—", "—"]
    difference = row["largest_difference"]
    labels_only = difference == 0.0 and row["labels_only"]
    return [
        row["estimator"],
        row["data"],
        ", ".join(name.removeprefix("model.") for name in row["saved_as"]),
        "✓",
        row["onnx"] or "—",
        f"{row['rows']:,}",
        "labels" if labels_only else ("0" if difference == 0.0 else f"{difference:.0e}"),
        f"{row['own_seconds'] / row['seconds']:.1f}×",
        f"{row['pack_seconds']:.1f}",
    ]


def _plain(reason: str) -> str:
    return " ".join(reason.replace("|", "/").split())
