"""Measuring: wrk on a core of its own, rounds in which all contestants take turns, medians."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.serving.contestants import Contestant, headers_for, pinned

SCRIPT = """\
wrk.method = "POST"
{headers}
local requests, turn = {{}}, 0
init = function()
  for place = 1, {count} do
    local file = io.open("{folder}/" .. place, "rb")
    requests[place] = wrk.format(nil, "{path}", nil, file:read("*a"))
    file:close()
  end
end
request = function()
  turn = turn % #requests + 1
  return requests[turn]
end
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format("RESULT %d %d %d %.1f %.1f\\n", summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One contestant under one load, in one round.

    Attributes:
        contestant: Its name.
        task: What was asked: ``single``, ``batch``, or a batch in another form.
        connections: How many asked at once.
        per_second: Requests answered a second.
        p50_ms, p99_ms: Latency as the closed loop of wrk sees it.
        cpu_us: Processor time of the service for each request, in microseconds.
        client_us: Processor time of wrk for each request, in microseconds.

    """

    contestant: str
    task: str
    connections: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    client_us: float


LONGEST = 15
"""Seconds that are given to a service that answers nothing in fewer."""
FIGURES = ("per_second", "p50_ms", "p99_ms", "cpu_us", "client_us")


def need_wrk() -> None:
    """End with a clear word where wrk is not installed."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed → apt-get install wrk / wrk がありません → apt-get install wrk")


def script(folder: Path, contestant: Contestant, task: str) -> Path:
    """Write what wrk sends to a contestant, once; return the script."""
    asked = contestant.recipe.tasks[task]
    place = folder / "asked" / f"{contestant.name}-{contestant.port}-{task}"
    file = place / "script.lua"
    if not file.exists():
        place.mkdir(parents=True)
        for number, body in enumerate(asked.bodies, start=1):
            (place / str(number)).write_bytes(body)
        headers = "\n".join(
            f'wrk.headers["{name}"] = "{value}"' for name, value in headers_for(contestant.recipe, asked).items()
        )
        file.write_text(SCRIPT.format(headers=headers, count=len(asked.bodies), folder=place, path=asked.path))
    return file


def measure(
    contestant: Contestant,
    folder: Path,
    *,
    task: str,
    connections: int,
    seconds: int,
    cores: str | None,
    threads: int = 1,
) -> Cell:
    """Load a contestant for some seconds.

    Raises:
        SystemExit: An answer was not 200: what is measured must be what was asked.

    """
    before, client = contestant.cpu_seconds(), os.times()
    ended = subprocess.run(
        [
            *pinned(cores),
            *("wrk", "--threads", str(threads), "--connections", str(connections), "--duration", f"{seconds}s"),
            *("--latency", "--timeout", "60s", "--script", str(script(folder, contestant, task))),
            f"http://127.0.0.1:{contestant.port}",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    used, spent = contestant.cpu_seconds() - before, os.times()
    (line,) = [line for line in ended.stdout.splitlines() if line.startswith("RESULT ")]
    requests, duration, errors, p50, p99 = map(float, line.split()[1:])
    if not requests and not errors and seconds < LONGEST:  # slower than it was given time for
        return measure(
            contestant, folder, task=task, connections=connections, seconds=LONGEST, cores=cores, threads=threads
        )
    if errors or not requests:
        raise SystemExit(f"{contestant.name}: {errors:.0f} of {requests:.0f} requests failed\n{ended.stdout}")
    generator = spent.children_user + spent.children_system - client.children_user - client.children_system
    return Cell(
        contestant=contestant.name,
        task=task,
        connections=connections,
        per_second=requests / (duration / 1e6),
        p50_ms=p50 / 1e3,
        p99_ms=p99 / 1e3,
        cpu_us=used / requests * 1e6,
        client_us=generator / requests * 1e6,
    )


def medians(cells: Sequence[Cell]) -> list[Cell]:
    """Return one cell for each contestant and load: the median of each figure over the rounds."""
    groups: dict[tuple[str, str, int], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.contestant, cell.task, cell.connections), []).append(cell)
    found = []
    for (contestant, task, connections), group in groups.items():
        figures = {name: statistics.median(asdict(cell)[name] for cell in group) for name in FIGURES}
        found.append(Cell(contestant=contestant, task=task, connections=connections, **figures))
    return found
