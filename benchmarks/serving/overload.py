"""Goodput at overload: ``python -m benchmarks.serving.overload``; writes overload.json, its pages and a picture into benchmarks/results.

Requests leave on a timetable, whatever became of those before (an open loop), at 0.5 to 10 times what the service answers at most. What
counts is answered with success within the deadline, from the moment the request was due. The generator is that of ``sekisho load``; where
it could not keep the timetable itself, the point says so.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.serving import recipes
from benchmarks.serving.asking import SINGLE, Asked
from benchmarks.serving.contestants import Contestant, Recipe, ask, headers_for, running
from benchmarks.serving.environments import NAMES, python_of, usual_folder, versions_in
from benchmarks.serving.measure import measure, need_wrk
from benchmarks.serving.models import MODELS, Subject
from benchmarks.serving.others import peers

from sekisho.gate.machine import machine_facts, versions
from sekisho.probes.wire.client import run
from sekisho.probes.wire.load import fire, success, timetable
from sekisho.probes.wire.message import Request

RESULTS = Path(__file__).parents[1] / "results"
TIMES = (0.5, 0.8, 1.0, 1.5, 2.0, 4.0, 10.0)
ROWS = 100
"""Rows of a request: so many that the generator, on one core, can send ten times what the service bears."""
DEADLINE = 1.0
LATE = 0.1
"""Seconds by which the generator may itself be late."""
CHEAP = ("bentoml", "mlserver")
ASKED_AT_ONCE = 16
POOL = 4_000
"""Connections that the generator may open: beyond them a request would wait on this side."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One constant rate.

    Attributes:
        times: The rate as a multiple of the capacity.
        offered: Requests per second that were due.
        sent: How many.
        good: How many a second were answered with success within the deadline.
        refused: How many were answered with 429 or 503.
        other: How many failed otherwise, or were answered too late.
        p99_ms: The 99th percentile of the latency of those answered with success; ``None`` when there were none.
        lag_ms: How late the generator was, at its 99th percentile.

    """

    times: float
    offered: float
    sent: int
    good: float
    refused: int
    other: int
    p99_ms: float | None
    lag_ms: float

    @property
    def by_generator(self) -> bool:
        """Whether the generator, not the service, was the limit."""
        return self.lag_ms > LATE * 1e3


def main() -> None:
    """Measure, write, and print."""
    options = _options()
    need_wrk()
    load = os.getloadavg()[0]
    cores = sorted(os.sched_getaffinity(0))
    server, client = (cores[0], cores[1]) if len(cores) > 1 else (None, None)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        subject = MODELS["forest"](folder)
        everybody = [_impatient(recipes.ours(subject, folder)), recipes.plain(subject)]
        everybody += peers(subject, folder, options.environments, options.peers)
        found = [
            _trial(_heavy(recipe, subject), folder, server=server, client=client, seconds=options.seconds)
            for recipe in everybody
        ]
    whole = {
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "command": f"python -m benchmarks.serving.overload --seconds {options.seconds}",
        "machine": machine_facts() | {"load_before": f"{load:.1f}"},
        "versions": versions(),
        "peers": {
            one: versions_in(options.environments, one) for one in options.peers if python_of(options.environments, one)
        },
        "rows": ROWS,
        "deadline_seconds": DEADLINE,
        "contestants": found,
    }
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "overload.json").write_text(json.dumps(whole, indent=1) + "\n")
    write_pages(whole, options.results)


def _options() -> argparse.Namespace:
    def names(words: str) -> tuple[str, ...]:
        return tuple(word for word in words.split(",") if word)

    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.overload", description=__doc__)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--peers", type=names, default=CHEAP, help=f"which of {','.join(NAMES)}; '' for none")
    parser.add_argument("--environments", type=Path, default=usual_folder(), metavar="FOLDER")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER")
    return parser.parse_args()


def _impatient(recipe: Recipe) -> Recipe:
    """Return our own service with the deadline of the callers, so that it need not begin what nobody waits for."""
    return replace(recipe, command=(*recipe.command, "--deadline-ms", f"{DEADLINE * 1e3:.0f}"))


def _heavy(recipe: Recipe, subject: Subject) -> Recipe:
    """Return a contestant that is asked some rows at once."""
    part = replace(subject, many=subject.many[:ROWS], many_labels=subject.many_labels[:ROWS])
    whole, batch = recipe.tasks[SINGLE], recipe.tasks["batch"]
    body = json.loads(batch.bodies[0])
    small = json.dumps(first_rows(body, len(subject.many), ROWS)).encode()
    return replace(recipe, tasks={SINGLE: whole, "heavy": replace(batch, bodies=(small,), labels=(part.many_labels,))})


def first_rows(body: Any, rows: int, wanted: int) -> Any:
    """Return a body with the first rows alone: every list that holds all rows, or a multiple of them, is cut; shapes are set."""
    if isinstance(body, Mapping):
        return {
            name: [wanted, *value[1:]] if name == "shape" else first_rows(value, rows, wanted)
            for name, value in body.items()
        }
    if isinstance(body, list) and len(body) >= rows and len(body) % rows == 0:
        return body[: len(body) // rows * wanted]
    return [first_rows(value, rows, wanted) for value in body] if isinstance(body, list) else body


def _trial(recipe: Recipe, folder: Path, *, server: int | None, client: int | None, seconds: int) -> dict[str, Any]:
    cores = [None if core is None else str(core) for core in (server, client)]
    before = os.sched_getaffinity(0)
    with running(recipe, cores=cores[0]) as contestant:
        for _ in range(2):  # the first warms up
            capacity = measure(
                contestant, folder, task="heavy", connections=ASKED_AT_ONCE, seconds=2, cores=cores[1]
            ).per_second
        points = []
        try:
            if client is not None:
                os.sched_setaffinity(0, {client})
            for times in TIMES:
                points.append(_point(contestant, recipe.tasks["heavy"], times, capacity, seconds))
                print(f"{recipe.name} {times:g}×: {points[-1]}", file=sys.stderr, flush=True)
                _drained(contestant)
        finally:
            os.sched_setaffinity(0, before)
    return {
        "name": recipe.name,
        "title": recipe.title,
        "capacity": round(capacity, 1),
        "points": [asdict(point) | {"by_generator": point.by_generator} for point in points],
    }


def _point(contestant: Contestant, asked: Asked, times: float, capacity: float, seconds: int) -> Point:
    rate = times * capacity
    request = Request(
        method="POST",
        target=asked.path,
        body=asked.bodies[0],
        headers=tuple(headers_for(contestant.recipe, asked).items()),
    )
    load = run(
        fire(
            f"http://127.0.0.1:{contestant.port}",
            [request],
            timetable(rate, seconds),
            timeout=2 * DEADLINE,
            largest_pool=POOL,
        )
    )
    succeeded = success(load.status)
    good = succeeded & (load.latency <= DEADLINE)
    refused = (load.status == 429) | (load.status == 503)
    return Point(
        times=times,
        offered=round(rate, 1),
        sent=len(load.status),
        good=round(float(good.sum()) / seconds, 1),
        refused=int(refused.sum()),
        other=int((~good & ~refused).sum()),
        p99_ms=round(float(np.quantile(load.latency[succeeded], 0.99)) * 1e3, 1) if succeeded.any() else None,
        lag_ms=round(float(np.quantile(load.lag, 0.99)) * 1e3, 1),
    )


def _drained(contestant: Contestant) -> None:
    """Wait until the service has done with what was sent."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        began = time.monotonic()
        if ask(contestant, contestant.recipe.tasks[SINGLE], 0)[0] == 200 and time.monotonic() - began < 0.2:
            return
        time.sleep(0.2)


WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "Goodput at overload",
        "other": "English · [日本語](overload.ja.md)",
        "intro": (
            "Measured {at} by `{command}` on {processor}, {cores} cores, load {load} before. Requests of {rows} rows (forest of 100 trees) leave on a\n"
            "timetable, at multiples of what each service answers at most; good is what is answered with success within {deadline:g} s of the moment\n"
            "it was due. One worker on one core, the generator (that of `sekisho load`) on the other; ⚠ marks the rates that it could not keep\n"
            "itself. sekisho knows the callers' deadline, as its contract says it; the others have no such setting in their guides."
        ),
        "picture": "Goodput against offered load",
        "head": "| offered, times the capacity | offered /s | good /s | refused (429, 503) | failed or late | p99 of successes, ms |",
        "capacity": "{title}: {capacity:,.0f} requests of {rows} rows a second at most",
    },
    "ja": {
        "title": "過負荷でのグッドプット",
        "other": "[English](overload.md) · 日本語",
        "intro": (
            "{at} に `{command}` で測定。{processor}、{cores} コア、開始時の負荷 {load}。{rows} 行のリクエスト（100本のフォレスト）を、応答を待たずに時刻表どおり、\n"
            "各サービスの最大処理能力の倍数で送ります。送るべき時刻から {deadline:g} 秒以内に成功した応答だけを数えます。ワーカー1つを1コアに、負荷生成（`sekisho load` と同じもの）を\n"
            "もう一方のコアに固定。⚠ は負荷生成側が時刻表を守れなかった点です。sekisho には契約のとおり呼び出し側の期限を伝えています。他のサーバーのガイドにはその設定がありません。"
        ),
        "picture": "負荷とグッドプット",
        "head": "| 処理能力に対する倍率 | 送信 /s | 期限内の成功 /s | 拒否（429・503） | 失敗・遅延 | 成功の p99 ms |",
        "capacity": "{title}: {rows} 行のリクエストで最大毎秒 {capacity:,.0f} 件",
    },
}


def write_pages(whole: Mapping[str, Any], folder: Path) -> None:
    """Write ``overload.svg``, ``overload.md`` and ``overload.ja.md``."""
    _picture(whole, folder / "overload.svg")
    for language, name in {"en": "overload.md", "ja": "overload.ja.md"}.items():
        (folder / name).write_text(page(whole, language))


def page(whole: Mapping[str, Any], language: str) -> str:
    """Return the page."""
    words, machine = WORDS[language], whole["machine"]
    intro = words["intro"].format(
        at=whole["at"],
        command=whole["command"],
        processor=machine["processor"],
        cores=machine["cores"],
        load=machine["load_before"],
        rows=whole["rows"],
        deadline=whole["deadline_seconds"],
    )
    lines = [f"# {words['title']}", "", words["other"], "", intro, "", f"![{words['picture']}](overload.svg)"]
    for each in whole["contestants"]:
        lines += ["", f"## {words['capacity'].format(**each, rows=whole['rows'])}", "", words["head"]]
        lines.append("| --- " * 6 + "|")
        for point in each["points"]:
            late = "" if point["p99_ms"] is None else f"{point['p99_ms']:,.0f}"
            mark = " ⚠" if point["by_generator"] else ""
            lines.append(
                f"| {point['times']:g}×{mark} | {point['offered']:,.0f} | {point['good']:,.0f} | {point['refused']:,} "
                f"| {point['other']:,} | {late} |"
            )
    return "\n".join(lines) + "\n"


def _picture(whole: Mapping[str, Any], file: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "sekisho"
    figure, axis = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for each in whole["contestants"]:
        points = each["points"]
        axis.plot(
            [point["times"] for point in points],
            [point["good"] / each["capacity"] for point in points],
            marker="o",
            label=each["name"],
            linewidth=3 if each["name"] == recipes.OURS else 1.5,
        )
    axis.set_xscale("log")
    axis.set_xticks(TIMES, [f"{times:g}" for times in TIMES])
    axis.set_xlabel("offered load, times the capacity")
    axis.set_ylabel("goodput, part of the capacity")
    axis.set_ylim(bottom=0)
    axis.grid(visible=True, alpha=0.3)
    axis.legend()
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
