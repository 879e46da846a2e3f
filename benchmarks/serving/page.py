"""The results as pages in both languages, and one picture: made from the data alone."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.serving.goals import Figures, times_one_worker
from benchmarks.serving.recipes import FLOOR, OURS

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "How fast the service is",
        "other": "English · [日本語](serving.ja.md)",
        "intro": (
            "Measured {at} in {minutes} minutes by `{command}` on {processor}, {cores} cores, {memory}, load {load} before; Python {python}.\n"
            "One worker on one core, wrk on the other; rounds in which all take turns, medians. Absolute figures belong to this machine; the\n"
            "ratios are what counts. sekisho has keys, validation, metrics, the prediction log and the drift watcher on; the floors predict\n"
            "nothing; the peers run as their guides show, with no key, no log of predictions and no check of values. Before anything is\n"
            "measured, every answer of everybody is compared with what the model itself says."
        ),
        "missing": "Not measured in this run: {names}.",
        "failed": "Left out, because it did not start or did not answer every request rightly in this run: {names}.",
        "picture": "Requests per second",
        "goals": "Goals",
        "goals_head": "| goal | bound | measured | |",
        "met": "met",
        "unmet": "**not met**",
        "head": "| service | {loads} | p50 at 16, ms | p99 at 16, ms | CPU µs at 16 | 1,000-row batches /s | start s | MiB ready | MiB in all after |",
        "load": "{count} connections /s",
        "tables": "1,000-row batches of sekisho by format: {figures}.",
        "in_process": "Without a wire, one thread in a loop: the pipeline {pipeline} rows /s and {pipeline_batch} batches /s{graph}.",
        "graph": "; its ONNX graph {graph} rows /s and {graph_batch} batches /s",
        "ratios": "sekisho at {count} connections: {figures}.",
        "times": "{value} times {name}",
        "where": "Where the time goes",
        "where_intro": "Processor time of the service in microseconds, from the same run:",
        "where_one": "a row at 16 connections: {ours} in all; an empty echo on raw ASGI costs {echo}; the graph, asked row by row, {graph}",
        "where_batch": "a 1,000-row batch in {form}: {ours} in all, of which the graph needs {graph}; the rest reads, checks, writes and books",
        "restless": "Ray Serve's own processes work while nobody asks: it runs only in its turn, the others stay up throughout.",
        "scaling": (
            "Two workers: each service shares its cores with the generator that loads it, one worker and one wrk thread on one core, two and two\n"
            "on two, {connections} connections a worker; so the generator takes its part on both sides. One: {one} /s; two: {two} /s; {times} times."
        ),
        "versions": "Versions",
    },
    "ja": {
        "title": "サービスの速さ",
        "other": "[English](serving.md) · 日本語",
        "intro": (
            "{at} に `{command}` で {minutes} 分かけて測定。{processor}、{cores} コア、{memory}、開始時の負荷 {load}、Python {python}。\n"
            "ワーカー1つを1コアに、wrk をもう一方のコアに固定し、全員が順番に測られるラウンドを繰り返して中央値を取りました。絶対値はこのマシンのもので、\n"
            "意味があるのは比です。sekisho は API キー・検証・メトリクス・予測の記録・ドリフト監視をすべて有効にしています。floor は何も予測しません。他のサーバーは\n"
            "それぞれのガイドどおりで、キーも予測の記録も値の検査もありません。測定の前に、全員のすべての応答をモデル自身の答えと照合しています。"
        ),
        "missing": "今回測定していないもの: {names}。",
        "failed": "今回の測定で起動しなかったか、正しく応答しないリクエストがあったため除外: {names}。",
        "picture": "毎秒リクエスト数",
        "goals": "目標",
        "goals_head": "| 目標 | 基準 | 実測 | |",
        "met": "達成",
        "unmet": "**未達**",
        "head": "| サービス | {loads} | p50（16接続）ms | p99（16接続）ms | CPU µs（16接続） | 1,000行バッチ /s | 起動 s | 準備完了時 MiB | 測定後の合計 MiB |",
        "load": "{count}接続 /s",
        "tables": "sekisho の1,000行バッチ（形式別）: {figures}。",
        "in_process": "通信なし・1スレッドのループ: パイプライン {pipeline} 行/s、{pipeline_batch} バッチ/s{graph}。",
        "graph": "。ONNX グラフ {graph} 行/s、{graph_batch} バッチ/s",
        "ratios": "{count}接続での sekisho: {figures}。",
        "times": "{name} の {value} 倍",
        "where": "時間の内訳",
        "where_intro": "同じ測定での、サービスの CPU 時間（マイクロ秒）:",
        "where_one": "16接続で1行: 全体 {ours}。空エコー（生の ASGI）は {echo}、グラフだけを1行ずつ呼ぶと {graph}",
        "where_batch": "1,000行のバッチ（{form}）: 全体 {ours}、うちグラフ {graph}。残りは読み取り・検査・書き出し・記録",
        "restless": "Ray Serve は誰も呼ばない間も自身のプロセスが動くため、自分の番だけ起動します。ほかは測定中ずっと起動したままです。",
        "scaling": (
            "ワーカー2つ: どちらも負荷生成側とコアを共有します（1コアにワーカー1つと wrk 1スレッド、2コアに2つずつ、ワーカーあたり {connections} 接続）。負荷生成の分は両方に同じように\n"
            "含まれます。1つ: {one} /s、2つ: {two} /s、{times} 倍。"
        ),
        "versions": "バージョン",
    },
}
FILES = {"en": "serving.md", "ja": "serving.ja.md"}


def write_pages(whole: Mapping[str, Any], folder: Path) -> None:
    """Write ``serving.svg``, ``serving.md`` and ``serving.ja.md``."""
    _picture(whole, folder / "serving.svg")
    for language, name in FILES.items():
        (folder / name).write_text(page(whole, language))


def page(whole: Mapping[str, Any], language: str) -> str:
    """Return the page."""
    words = WORDS[language]
    machine = whole["machine"]
    intro = words["intro"].format(
        at=whole["at"],
        minutes=whole["minutes"],
        command=whole["command"],
        processor=machine["processor"],
        cores=machine["cores"],
        memory=machine["memory"],
        load=machine["load_before"],
        python=whole["versions"]["python"],
    )
    lines = [f"# {words['title']}", "", words["other"], "", intro, ""]
    if whole["missing"]:
        lines += [words["missing"].format(names=", ".join(whole["missing"])), ""]
    lines += [f"![{words['picture']}](serving.svg)", "", f"## {words['goals']}", "", words["goals_head"]]
    lines.append("| --- | --- | --- | --- |")
    lines += [
        f"| {goal['title'][language]} | {goal['goal']} | {goal['measured']} | {words['met' if goal['met'] else 'unmet']} |"
        for goal in whole["goals"]
    ]
    for result in whole["models"]:
        lines += ["", f"## {result['title']}", "", *_model(result, words)]
    lines += ["", f"## {words['versions']}", ""]
    lines += [f"- {name}: {_listed(found)}" for name, found in {"sekisho": whole["versions"], **whole["peers"]}.items()]
    return "\n".join(lines) + "\n"


def _model(result: Mapping[str, Any], words: Mapping[str, str]) -> Iterator[str]:
    figures = Figures(result)
    counts = sorted({cell["connections"] for cell in result["medians"] if cell["task"] == "single"})
    yield words["head"].format(loads=" | ".join(words["load"].format(count=count) for count in counts))
    yield "| --- " * (8 + len(counts)) + "|"
    for name, facts in result["contestants"].items():
        cells = [
            *(_shown(figures.of(name, "single", count), ",.0f") for count in counts),
            *(_shown(figures.of(name, "single", 16, figure), ",.2f") for figure in ("p50_ms", "p99_ms")),
            _shown(figures.of(name, "single", 16, "cpu_us"), ",.1f"),
            _shown(figures.of(name, "batch", 1), ",.1f"),
            f"{statistics.median(facts['starts']):.2f}",
            f"{facts['ready_mebibytes']:,.0f}",
            f"{facts['whole_mebibytes']:,.0f}",
        ]
        yield f"| {facts['title']} | " + " | ".join(cells) + " |"
    yield ""
    if result["failed"]:
        yield words["failed"].format(names=", ".join(result["failed"])) + "\n"
    for count in counts:
        yield words["ratios"].format(count=count, figures=_ratios(result, figures, count, words)) + "\n"
    tables = {task: rate for task in ("batch", "batch-arrow", "batch-binary") if (rate := figures.of(OURS, task, 1))}
    named = {"batch": "JSON", "batch-arrow": "Arrow IPC", "batch-binary": "OIP binary"}
    shown = ", ".join(f"{named[task]} {rate:,.0f} /s" for task, rate in tables.items())
    if shown:
        yield words["tables"].format(figures=shown) + "\n"
    alone = result["in_process"]
    graph = alone.get("graph") or {}
    yield words["in_process"].format(
        pipeline=f"{alone['pipeline']['single']:,.0f}",
        pipeline_batch=f"{alone['pipeline']['batch']:,.0f}",
        graph=words["graph"].format(graph=f"{graph['single']:,.0f}", graph_batch=f"{graph['batch']:,.0f}")
        if graph
        else "",
    )
    yield from _where(figures, graph, words)
    if "ray" in result["contestants"]:
        yield "\n" + words["restless"]
    yield from _scaling(result["scaling"], words)


def _ratios(result: Mapping[str, Any], figures: Figures, count: int, words: Mapping[str, str]) -> str:
    ours = figures.of(OURS, "single", count)
    found = []
    for name in result["contestants"]:
        rate = figures.of(name, "single", count)
        if ours and rate and name != OURS:
            times = ours / rate
            found.append(words["times"].format(value=f"{times:.2f}" if times < 10 else f"{times:,.0f}", name=name))
    return ", ".join(found)


def _where(figures: Figures, graph: Mapping[str, float], words: Mapping[str, str]) -> Iterator[str]:
    ours, echo = figures.of(OURS, "single", 16, "cpu_us"), figures.of(FLOOR, "single", 16, "cpu_us")
    if not graph or ours is None or echo is None:
        return
    yield f"\n### {words['where']}\n\n{words['where_intro']}\n"
    yield "- " + words["where_one"].format(ours=f"{ours:.1f}", echo=f"{echo:.1f}", graph=f"{1e6 / graph['single']:.1f}")
    for task, form in (("batch", "JSON"), ("batch-arrow", "Arrow IPC"), ("batch-binary", "OIP binary")):
        spent = figures.of(OURS, task, 1, "cpu_us")
        if spent is not None:
            yield "- " + words["where_batch"].format(
                form=form, ours=f"{spent:,.0f}", graph=f"{1e6 / graph['batch']:,.0f}"
            )


def _scaling(scaling: list[Mapping[str, Any]], words: Mapping[str, str]) -> Iterator[str]:
    times = times_one_worker(scaling)
    if times is None:
        return
    rates = {
        workers: statistics.median(one["per_second"] for one in scaling if one["workers"] == workers)
        for workers in (1, 2)
    }
    connections = next(one["connections"] for one in scaling if one["workers"] == 1)
    yield "\n" + words["scaling"].format(
        one=f"{rates[1]:,.0f}", two=f"{rates[2]:,.0f}", times=f"{times:.2f}", connections=connections
    )


def _shown(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in versions.items() if name != "system")


def _picture(whole: Mapping[str, Any], file: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "sekisho"
    figure, axes = plt.subplots(
        1, len(whole["models"]), figsize=(12, 4.5), sharey=True, layout="constrained", squeeze=False
    )
    for axis, result in zip(axes[0], whole["models"], strict=True):
        for place, name in enumerate(result["contestants"]):
            cells = sorted(
                (cell for cell in result["medians"] if cell["contestant"] == name and cell["task"] == "single"),
                key=lambda cell: cell["connections"],
            )
            axis.plot(
                [str(cell["connections"]) for cell in cells],
                [cell["per_second"] for cell in cells],
                marker="o",
                color=f"C{place}",
                label=name,
                linestyle="--" if name.startswith("floor") else "-",
                linewidth=3 if name == OURS else 1.5,
            )
        axis.set_yscale("log")
        axis.set_xlabel("connections")
        axis.set_title(result["model"])
        axis.grid(visible=True, which="both", alpha=0.3)
    axes[0][0].set_ylabel("requests per second")
    first = next(
        (axis for axis, result in zip(axes[0], whole["models"], strict=True) if len(result["contestants"]) > 4),
        axes[0][-1],
    )
    handles, labels = first.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center")
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":  # the pages anew from the data that is kept
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "results"
    write_pages(json.loads((place / "serving.json").read_text()), place)
