"""The verdicts as pages in both languages: made from the data alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

SYMBOLS: Final = {"pass": "✓", "fail": "✗", "unknown": "?", "not-applicable": "–", "waived": "!"}
NAMES: Final = {
    "sekisho": "Sekisho",
    "vetiver": "vetiver",
    "bentoml": "BentoML",
    "mlserver": "MLServer",
    "mlflow": "MLflow",
    "litserve": "LitServe",
    "ray": "Ray Serve",
}
FIGURES: Final[Mapping[str, tuple[str, str, str]]] = {
    "inference/api": ("rows", "{:,} rows", "{:,} 行"),
    "inference/latency": ("p99_ms", "p99 {:,.0f} ms", "p99 {:,.0f} ms"),
    "inference/mode": ("single_ms", "{:,.2f} ms a row", "1行 {:,.2f} ms"),
    "inference/errors": ("server_errors", "5xx: {:,}", "5xx: {:,}"),
    "inference/logging": ("found", "found: {:,}", "特定可能: {:,}"),
    "security/input-validation": ("coerced", "{:,} of a wrong type taken", "型違いを受理 {:,}"),
    "security/authentication": ("open", "{:,} open", "開放 {:,}"),
    "security/encryption": ("open", "{:,} in the clear", "平文 {:,}"),
    "security/rate-limiting": ("accepted_per_second", "{:,.0f} /s of 50", "{:,.0f} /s（上限50）"),
    "security/vulnerabilities": ("holes", "{:,} known", "既知 {:,}"),
    "infrastructure/resources": ("peak_mib", "{:,.0f} MiB", "{:,.0f} MiB"),
    "infrastructure/traffic": ("sustained_per_replica", "{:,.0f} /s", "{:,.0f} /s"),
    "testing/load": ("failed", "{:,} failed", "失敗 {:,}"),
}
"""Box: the figure that is shown, and how, in English and Japanese."""

OF_SPEED: Final = ("inference/latency", "infrastructure/traffic", "testing/load")
IN_TIME: Final = ("single_ms", "accepted_per_second")
"""Figures of other boxes that are of the machine too."""
BUSY: Final = 3.0
"""Processes that waited for a processor before a server was judged; beyond it, what is said of its speed is not shown."""

WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "title": "What other model servers prove out of the box",
        "other": "English · [日本語](peers.ja.md)",
        "intro": (
            "The boxes for a service do not ask who wrote it. Here they were put to servers of other makers, each started as its own guide shows it,\n"
            "with one worker and nothing added: no proxy, no middleware, no settings beyond the guide. All serve the same model (a random forest of\n"
            "100 trees on 30 numbers) under the same contract (p99 of 200 ms at 20 requests/s, a peak of 20/s, 50/s a caller, 2 GiB), and were asked\n"
            "the same. So a ✗ says what is still to be done before production, and not that it cannot be done: most of these servers leave keys, limits\n"
            "and TLS to what stands before them. Sekisho's own service stands in the same table, under the same contract, as `sekisho serve` starts it."
        ),
        "made": "Made by `{command}` on {processor}, {cores} cores; [how each is started](../benchmarks/serving/others.py).",
        "vulnerabilities": (
            "The contract names no source of advisories, so that `security/vulnerabilities` can fail a lock but pass none. Latency and traffic are those of\n"
            "one machine at one hour. Where the machine was busy before (a load above {busy:g}), they are not shown (…): it would not be fair."
        ),
        "row": "version",
        "day": "judged",
        "busy": "load before",
        "why": "Why",
        "figure": "1",
    },
    "ja": {
        "title": "他のモデルサーバーがそのままで満たす項目",
        "other": "[English](peers.md) · 日本語",
        "intro": (
            "サービスの項目は、誰が作ったサービスかを問いません。ここでは他のモデルサーバーを、それぞれのガイドどおりにワーカー1つで起動し、何も足さずに（プロキシも\n"
            "ミドルウェアも、ガイドにない設定もなしで）判定しました。どれも同じモデル（30個の数値に対する100本のランダムフォレスト）を、同じ契約（毎秒20件で p99 200 ms、\n"
            "ピーク毎秒20件、呼び出し元ごと毎秒50件、2 GiB）のもとで提供し、同じことを尋ねられています。✗ は本番までに残る作業を示すもので、できないという意味では\n"
            "ありません。多くのサーバーは、キー・制限・TLS を手前に置くものに任せています。Sekisho 自身のサービスも、同じ契約で `sekisho serve` が起動したまま同じ表に載せています。"
        ),
        "made": "`{command}` で作成（{processor}、{cores} コア）。[それぞれの起動方法](../benchmarks/serving/others.py)",
        "vulnerabilities": (
            "契約に脆弱性情報の入手元がないため、`security/vulnerabilities` は不合格にはできても合格にはできません。応答時間と処理能力は1台のマシンのある時点の値で、\n"
            "測定前の負荷が {busy:g} を超えていた場合は、公平でないため載せていません（…）。"
        ),
        "row": "バージョン",
        "day": "判定日",
        "busy": "測定前の負荷",
        "why": "理由",
        "figure": "2",
    },
}
FILES: Final = {"en": "peers.md", "ja": "peers.ja.md"}


def write_pages(whole: Mapping[str, Any], folder: Path) -> None:
    """Write ``peers.md`` and ``peers.ja.md``."""
    folder.mkdir(parents=True, exist_ok=True)
    for language, name in FILES.items():
        (folder / name).write_text(page(whole, language))


def page(whole: Mapping[str, Any], language: str) -> str:
    """Return the page."""
    words, servers = WORDS[language], whole["servers"]
    lines = [f"# {words['title']}", "", words["other"], "", words["intro"], ""]
    lines += [words["made"].format(command=whole["command"], **whole["machine"])]
    lines += [words["vulnerabilities"].format(busy=BUSY), ""]
    lines += ["| | " + " | ".join(NAMES[name] for name in servers) + " |", "| --- " * (1 + len(servers)) + "|"]
    lines.append(f"| {words['row']} | " + " | ".join(one["version"] for one in servers.values()) + " |")
    lines.append(f"| {words['day']} | " + " | ".join(one["at"][:10] for one in servers.values()) + " |")
    lines.append(f"| {words['busy']} | " + " | ".join(f"{one['load_before']:g}" for one in servers.values()) + " |")
    for box in whole["boxes"]:
        lines.append(f"| `{box}` | " + " | ".join(_cell(box, one, language) for one in servers.values()) + " |")
    lines += ["", f"## {words['why']}"]
    for name, one in servers.items():
        lines += ["", f"### {NAMES[name]}", "", *_reasons(one, language)]
    return "\n".join(lines) + "\n"


def _cell(box: str, server: Mapping[str, Any], language: str) -> str:
    told = server["boxes"].get(box)
    if told is None:
        return ""
    if _is_hidden(box, server):
        return "…"
    name, *forms = FIGURES.get(box, ("", "", ""))
    value = told["figures"].get(name)
    busy = name in IN_TIME and server["load_before"] > BUSY
    figure = "" if value is None or busy else " " + forms[int(WORDS[language]["figure"]) - 1].format(value)
    return f"{SYMBOLS[told['status']]}{figure}"


def _is_hidden(box: str, server: Mapping[str, Any]) -> bool:
    return box in OF_SPEED and server["load_before"] > BUSY


def _reasons(server: Mapping[str, Any], language: str) -> Iterator[str]:
    """Yield what was found of every box that did not pass."""
    for box, told in server["boxes"].items():
        if told["status"] == "pass" or _is_hidden(box, server):
            continue
        texts = [each[language] for each in told["findings"] if each["status"] == told["status"]]
        said = ("; " if language == "en" else "。").join(texts or [told["summary"][language]])
        yield f"- {SYMBOLS[told['status']]} `{box}`: {said}"
