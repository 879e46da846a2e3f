"""A long load below what a service bears: ``python -m benchmarks.soak [--minutes N]``; writes data and a page into benchmarks/results.

70 % of the measured capacity (and no more than one generator sends without being late), at a constant rate, keys and book of predictions on.
Whether anything grows is judged by the median slope of all pairs with its interval (Sen 1968), after the first third, in which caches fill;
whether answers became slower, by the 99th percentiles of short stretches, those of the last third against those of the first (Mann and
Whitney 1947), where the difference is large enough to matter.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sekisho.drills.parts.ground import Ground, prepare
from sekisho.drills.parts.running import Running
from sekisho.gate.machine import machine_facts, versions
from sekisho.probes.statistics.trend import slope
from sekisho.probes.wire.client import run
from sekisho.probes.wire.load import fire, timetable

RESULTS = Path(__file__).parent / "results"
SHARE = 0.7
FASTEST = 2_000.0
"""Requests a second, more than which are not sent: the generator is on the same machine."""
STRETCH = 3.0
"""Seconds of which one 99th percentile is taken."""
EVERY = 0.5
SETTLING = 1 / 3
CONFIDENCE = 0.99
MOST_GROWTH = 8 * 2**20
"""Bytes by which a process may surely have grown over the whole, and no more."""
SLOWER = 1.5
"""How many times slower answers must have become for it to matter, if it is no chance."""
CHANCE = 0.001


@dataclass(kw_only=True)
class Watched:
    """One process, at regular moments.

    Attributes:
        name: What it is.
        moments: Seconds from the start.
        resident: Bytes.
        descriptors, threads: How many.

    """

    name: str
    moments: list[float] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)


@dataclass(kw_only=True)
class Soaked:
    """What was seen.

    Attributes:
        capacity, rate: Requests a second that are borne, and that were sent.
        seconds: How long.
        statuses: How many answers of each status; 0 when none came.
        p99_ms: Of each stretch, from the moment at which a request was due.
        processes: What became of each.
        faults: What is not as it must be.

    """

    capacity: float
    rate: float
    seconds: float
    statuses: dict[int, int]
    p99_ms: list[float]
    processes: list[Watched]
    faults: list[str] = field(default_factory=list)


def soak(artifact: Path, minutes: float, fastest: float = FASTEST) -> Soaked:
    """Run a service under load, and judge it."""
    with tempfile.TemporaryDirectory(prefix="soak-") as scratch:
        ground = prepare(artifact, Path(scratch), project=None, key_header="X-API-Key", rate=0.0)
        with ground.service() as running:
            return _judged(_under_load(ground, running, minutes * 60.0, fastest))


def _under_load(ground: Ground, running: Running, seconds: float, fastest: float) -> Soaked:
    capacity = ground.capacity(running)
    rate = min(SHARE * capacity, fastest)
    signed = [request.with_headers(*running.headers) for request in ground.requests()]
    due = timetable(rate, seconds)
    run(fire(running.url, signed, timetable(rate, 2.0), spread=16))  # warms up; counts for nothing
    with _watched(running) as processes:
        load = run(fire(running.url, signed, due, spread=16))
    stretches = (load.due // STRETCH).astype(int)
    p99 = [float(np.quantile(load.latency[stretches == each], 0.99)) * 1e3 for each in range(int(seconds // STRETCH))]
    return Soaked(
        capacity=round(capacity, 1),
        rate=round(rate, 1),
        seconds=seconds,
        statuses={int(status): count for status, count in Counter(load.status.tolist()).items()},
        p99_ms=[round(each, 3) for each in p99],
        processes=processes,
    )


@contextlib.contextmanager
def _watched(running: Running) -> Iterator[list[Watched]]:
    """Note what each process holds, twice a second."""
    pids = {running.process: "supervisor"} | {pid: f"worker {place}" for place, pid in enumerate(running.workers)}
    found = {pid: Watched(name=name) for pid, name in pids.items()}
    ended = threading.Event()
    began = time.monotonic()
    page = os.sysconf("SC_PAGE_SIZE")

    def watch() -> None:
        while not ended.wait(EVERY):
            for pid, one in found.items():
                folder = Path(f"/proc/{pid}")
                with contextlib.suppress(OSError):
                    resident = int((folder / "statm").read_text().split()[1]) * page
                    descriptors = len(list((folder / "fd").iterdir()))
                    threads = len(list((folder / "task").iterdir()))
                    one.moments.append(round(time.monotonic() - began, 2))
                    one.resident.append(resident)
                    one.descriptors.append(descriptors)
                    one.threads.append(threads)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield list(found.values())
    finally:
        ended.set()
        thread.join()
        if sorted(pids) != sorted((running.process, *running.workers)):
            found[running.process].name += " (a worker died)"


def _judged(soaked: Soaked) -> Soaked:
    faults = soaked.faults
    failed = sum(count for status, count in soaked.statuses.items() if not 200 <= status < 300)
    if failed:
        faults.append(f"{failed} requests failed: {soaked.statuses}")
    for one in soaked.processes:
        moments = np.array(one.moments)
        late = moments >= soaked.seconds * SETTLING
        if one.name.endswith("died)") or late.sum() < 20:
            faults.append(f"{one.name}: seen {late.sum()} times")
            continue
        for what, values, most in (
            ("resident bytes", one.resident, MOST_GROWTH),
            ("descriptors", one.descriptors, 4),
            ("threads", one.threads, 2),
        ):
            grown = slope(moments[late], np.array(values, dtype=np.float64)[late], CONFIDENCE)
            if grown.low * soaked.seconds > most:
                faults.append(f"{one.name}: {what} grow by {grown.low:.3g} to {grown.high:.3g} a second")
    third = len(soaked.p99_ms) // 3
    if third >= 4 and is_slower(np.array(soaked.p99_ms[:third]), np.array(soaked.p99_ms[-third:])):
        faults.append("answers became slower")
    return soaked


def is_slower(first: NDArray[np.float64], last: NDArray[np.float64]) -> bool:
    """Whether the last figures are larger than the first, by more than chance and by enough to matter."""
    from scipy.stats import mannwhitneyu

    chance = float(mannwhitneyu(last, first, alternative="greater").pvalue)
    return chance < CHANCE and float(np.median(last)) > SLOWER * float(np.median(first))


def main() -> int:
    """Run, write, and print; return 0 when nothing grew, slowed or failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description="A long load below the limit.")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument(
        "--fastest", type=float, default=FASTEST, help="requests a second at most, where others use the machine"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soaked-") as name:
        artifact = Path(name) / "artifact"
        make(artifact)
        soaked = soak(artifact, options.minutes, options.fastest)
    whole: dict[str, Any] = {
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "command": f"python -m benchmarks.soak --minutes {options.minutes:g} --fastest {options.fastest:g}",
        "machine": machine_facts() | {"load_after": f"{os.getloadavg()[0]:.1f}"},
        "versions": versions(),
        **asdict(soaked),
    }
    (RESULTS / "soak.json").write_text(json.dumps(whole) + "\n")
    write_page(whole)
    print("\n".join(soaked.faults) or "nothing grew, slowed or failed")
    return 1 if soaked.faults else 0


def make(artifact: Path) -> None:
    """Pack a forest for breast cancer, thirty features."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import RandomForestClassifier

    import sekisho

    data = load_breast_cancer(as_frame=True)
    model = RandomForestClassifier(100, random_state=0).fit(data.data, data.target)
    sekisho.pack(model, data.data, data.target, folder=artifact, name="soaked", lock=False)


def write_page(whole: dict[str, Any]) -> None:
    """Write ``soak.svg`` and ``soak.md``."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    figure, (above, below) = plt.subplots(2, 1, figsize=(9, 6), sharex=True, layout="constrained")
    above.plot(np.arange(len(whole["p99_ms"])) * STRETCH, whole["p99_ms"], marker=".")
    above.set_ylabel(f"p99 of {STRETCH:g} s, ms")
    for one in whole["processes"]:
        below.plot(one["moments"], np.array(one["resident"]) / 2**20, label=one["name"])
    below.set_ylabel("resident MiB")
    below.set_xlabel("seconds")
    below.set_ylim(bottom=0)
    below.legend()
    for axis in (above, below):
        axis.grid(visible=True, alpha=0.3)
    figure.savefig(RESULTS / "soak.svg", metadata={"Date": None})
    plt.close(figure)
    (RESULTS / "soak.md").write_text(_page(whole))


def _page(whole: dict[str, Any]) -> str:
    machine = whole["machine"]
    sent = sum(whole["statuses"].values())
    lines = [
        "# A long load below the limit",
        "",
        f"Measured {whole['at']} by `{whole['command']}` on {machine['processor']}, {machine['cores']} cores shared with the generator",
        f"(load {machine['load_after']} at the end). {whole['rate']:g} requests a second for {whole['seconds']:g} s, {sent:,} in all, where a closed loop",
        f"is answered {whole['capacity']:,.0f} times a second; keys, validation, metrics and the book of predictions on.",
        "",
        "**" + ("; ".join(whole["faults"]) or "Nothing grew, slowed or failed") + ".**",
        "",
        "![Response time and memory](soak.svg)",
        "",
        "| process | resident MiB, first and last | descriptors | threads |",
        "| --- | --- | --- | --- |",
    ]
    for one in whole["processes"]:
        resident = f"{one['resident'][0] / 2**20:.1f} → {one['resident'][-1] / 2**20:.1f}"
        counts = (f"{min(one[what])} – {max(one[what])}" for what in ("descriptors", "threads"))
        lines.append(f"| {one['name']} | {resident} | " + " | ".join(counts) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
