"""What became of every attack: kept as data, and shown as pages in both languages. No row is written by hand."""

from __future__ import annotations

import datetime as dt
import platform
import re
from collections import Counter
from pathlib import Path
from typing import Any, Final

import msgspec
from tests.attacks.service.attack import AREAS, Result

import sekisho
from sekisho.text import Language, Text

ROOT: Final = Path(__file__).parents[3]
RESULTS: Final = ROOT / "benchmarks" / "results" / "attacks.json"
PAGES: Final[dict[str, Language]] = {"attacks.md": "en", "attacks.ja.md": "ja"}
MOST_SEEN: Final = 6
"""Different things that were seen of one kind of attack, before the page says only that there were more."""

_AREAS: Final = {
    "http": Text(en="HTTP", ja="HTTP"),
    "connections": Text(en="Connections", ja="接続"),
    "bodies": Text(en="Bodies", ja="本文"),
    "input": Text(en="Input", ja="入力"),
    "auth": Text(en="Keys, tokens and limits", ja="鍵・トークン・制限"),
    "model": Text(en="The model", ja="モデル"),
    "observability": Text(en="Logs, metrics and health", ja="ログ・メトリクス・ヘルス"),
    "overload": Text(en="Overload", ja="過負荷"),
    "process": Text(en="Processes", ja="プロセス"),
    "disk_time": Text(en="Disk and time", ja="ディスクと時刻"),
}
_HEAD: Final = Text(
    en="""# What the service was attacked with

English · [日本語](attacks.ja.md)

Each row is one kind of attack, done in as many ways as it says, against the service as it really runs: its processes, its sockets, its book of
predictions. After every single one the same workers must answer a good request, and the log may hold no trace of a fault. Ids that begin with
`X-` are our own additions to the list. What was seen stands beside what must happen; of several ways, figures are the worst.

**{held} of {all} held** (Sekisho {version}, {at}, {machine}). The page and [its data](../benchmarks/results/attacks.json) are made by
`{command}`. The same table can be put to any service: `python -m tests.attacks.service URL --path /predict --body '{{"features": [1, 2]}}'`.
""",
    ja="""# サービスに対して行った攻撃

[English](attacks.md) · 日本語

各行は攻撃の種類で、示した数だけの方法で、実際に動いているサービス（プロセス、ソケット、予測台帳）に対して行ったものです。1つ行うたびに、同じワーカーが
正常なリクエストに応答すること、ログに不具合の跡がないことを確かめています。`X-` で始まる番号は一覧に追加した独自の攻撃です。「起こるべきこと」の隣に
「観測したこと」を示し、複数の方法がある場合の数値は最悪値です。

**{all} 件中 {held} 件に耐えました**（Sekisho {version}、{at}、{machine}）。このページと[データ](../benchmarks/results/attacks.json)は `{command}` が
作ります。同じ表は任意のサービスに対しても実行できます: `python -m tests.attacks.service URL --path /predict --body '{{"features": [1, 2]}}'`
""",
)
_COUNTS: Final = Text(en="| area | kinds | ways | held |", ja="| 分野 | 種類 | 方法 | 耐えた数 |")
_TITLES: Final = Text(
    en="| id | what was done | ways | what must happen | what was seen |",
    ja="| 番号 | 行ったこと | 方法 | 起こるべきこと | 観測したこと |",
)
_MORE: Final = Text(en="and more", ja="ほか")
_FELL: Final = Text(en="**did not hold**", ja="**耐えられず**")


def kept(results: list[Result], url: str = "") -> dict[str, Any]:
    """Return the results as data."""
    return {
        "command": "python -m tests.attacks.service --slow --pages",
        "service": url or "our own",
        "version": sekisho.__version__,
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "machine": f"{_cores()} cores, Python {platform.python_version()}",
        "rows": [
            {
                "id": result.attack.kind.id,
                "variant": result.attack.variant,
                "area": result.attack.kind.area,
                "title": {"en": result.attack.kind.title.en, "ja": result.attack.kind.title.ja},
                "must": {"en": result.attack.kind.must.en, "ja": result.attack.kind.must.ja},
                "verdict": result.verdict,
                "why": result.why,
                "seen": result.outcome.seen,
                "figures": dict(result.outcome.figures),
                "seconds": result.seconds,
                "slow": result.attack.slow,
            }
            for result in results
        ],
    }


def write(results: list[Result]) -> None:
    """Keep results beside those of the attacks that were not done this time, and make the pages anew."""
    whole = kept(results)
    done = {(row["id"], row["variant"]) for row in whole["rows"]}
    if RESULTS.exists():
        from tests.attacks.service.table import attacks

        known = {(one.kind.id, one.variant) for one in attacks()} - done
        before = msgspec.json.decode(RESULTS.read_bytes())["rows"]
        whole["rows"] += [row for row in before if (row["id"], row["variant"]) in known]
    whole["rows"].sort(key=_order)
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=1) + b"\n")
    for name, language in PAGES.items():
        (ROOT / "docs" / name).write_text(render(whole, language), encoding="utf-8")


def render(whole: dict[str, Any], language: Language) -> str:
    """Return the page in ``language``."""
    rows = whole["rows"]
    held = sum(row["verdict"] == "held" for row in rows)
    head = _HEAD.of(language).format(
        held=f"{held:,}",
        all=f"{len(rows):,}",
        version=whole["version"],
        at=whole["at"][:10],
        machine=whole["machine"],
        command=whole["command"],
    )
    lines = [head, _COUNTS.of(language), "| --- | ---: | ---: | ---: |"]
    areas = [area for area in AREAS if any(row["area"] == area for row in rows)]
    for area in areas:
        mine = [row for row in rows if row["area"] == area]
        counts = (len({row["id"] for row in mine}), len(mine), sum(row["verdict"] == "held" for row in mine))
        lines.append(f"| {_AREAS[area].of(language)} | {' | '.join(f'{count:,}' for count in counts)} |")
    for area in areas:
        lines += ["", f"## {_AREAS[area].of(language)}", "", _TITLES.of(language), "| --- | --- | ---: | --- | --- |"]
        for name in dict.fromkeys(row["id"] for row in rows if row["area"] == area):
            lines.append(_line([row for row in rows if row["id"] == name], language))
    return "\n".join(lines) + "\n"


def _line(rows: list[dict[str, Any]], language: Language) -> str:
    seen = Counter(row["seen"] for row in rows if row["seen"])
    words = [one for one, _ in seen.most_common(MOST_SEEN)]
    if len(seen) > MOST_SEEN:
        words.append(_MORE.of(language))
    figures: dict[str, float] = {}
    for row in rows:
        for name, value in row["figures"].items():
            figures[name] = max(value, figures.get(name, value))
    words += [f"{name} {value:g}" for name, value in figures.items() if name not in {"routes", "cases"}]
    words += [f"{_FELL.of(language)}: {row['variant']}" for row in rows if row["verdict"] == "fell"]
    cells = (rows[0]["id"], rows[0]["title"][language], str(len(rows)), rows[0]["must"][language], "; ".join(words))
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _order(row: dict[str, Any]) -> tuple[Any, ...]:
    numbers = re.split(r"([0-9]+)", row["variant"])
    return (
        AREAS.index(row["area"]),
        row["id"].startswith("X-"),
        row["id"],
        [(int(one), "") if one.isdigit() else (-1, one) for one in numbers],
    )


def _cores() -> int:
    import os

    return os.cpu_count() or 1
