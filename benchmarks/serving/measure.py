"""Measuring: wrk on a core of its own, rounds in which all contestants take turns, medians."""

from __future__ import annotations

import shutil
import statistics
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.serving.contestants import Contestant, pinned

SCRIPT = """\
local bodies = {{{bodies}}}
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
{key}
local requests, turn = {{}}, 0
init = function()
  for place, body in ipairs(bodies) do requests[place] = wrk.format(nil, "{path}", nil, body) end
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
        task: What was asked: ``single`` or ``batch``.
        connections: How many asked at once.
        per_second: Requests answered a second.
        p50_ms, p99_ms: Latency as the closed loop of wrk sees it.
        cpu_us: Processor time of the service for each request, in microseconds.

    """

    contestant: str
    task: str
    connections: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


def need_wrk() -> None:
    """End with a clear word where wrk is not installed."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed → apt-get install wrk / wrk がありません → apt-get install wrk")


def script(folder: Path, contestant: Contestant, path: str, bodies: Iterable[bytes]) -> Path:
    """Write what wrk sends to a contestant."""
    key = f'wrk.headers["X-API-Key"] = "{contestant.key}"' if contestant.key else ""
    listed = ", ".join(f"[==[{body.decode()}]==]" for body in bodies)
    file = folder / f"{contestant.name}-{path.strip('/').replace('/', '-')}.lua"
    file.write_text(SCRIPT.format(bodies=listed, key=key, path=path))
    return file


def measure(contestant: Contestant, file: Path, *, task: str, connections: int, seconds: int, core: int | None) -> Cell:
    """Load a contestant for some seconds.

    Raises:
        SystemExit: An answer was not 200: what is measured must be what was asked.

    """
    before = contestant.cpu_seconds()
    ended = subprocess.run(
        [
            *pinned(core),
            *("wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"),
            *("--latency", "--timeout", "30s", "--script", str(file), f"http://127.0.0.1:{contestant.port}"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    used = contestant.cpu_seconds() - before
    (line,) = [line for line in ended.stdout.splitlines() if line.startswith("RESULT ")]
    requests, duration, errors, p50, p99 = map(float, line.split()[1:])
    if errors or not requests:
        raise SystemExit(f"{contestant.name}: {errors:.0f} of {requests:.0f} requests failed\n{ended.stdout}")
    return Cell(
        contestant=contestant.name,
        task=task,
        connections=connections,
        per_second=requests / (duration / 1e6),
        p50_ms=p50 / 1e3,
        p99_ms=p99 / 1e3,
        cpu_us=used / requests * 1e6,
    )


def medians(cells: Sequence[Cell]) -> list[Cell]:
    """Return one cell for each contestant and load: the median of each figure over the rounds."""
    groups: dict[tuple[str, str, int], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.contestant, cell.task, cell.connections), []).append(cell)
    found = []
    for (contestant, task, connections), group in groups.items():
        figures = {
            name: statistics.median(asdict(cell)[name] for cell in group)
            for name in ("per_second", "p50_ms", "p99_ms", "cpu_us")
        }
        found.append(Cell(contestant=contestant, task=task, connections=connections, **figures))
    return found
