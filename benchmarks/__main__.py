"""Run every benchmark, one after the other: ``python -m benchmarks``. Each writes its data into ``benchmarks/results``."""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = (
    "benchmarks.serving",
    "benchmarks.serving.overload",
    "benchmarks.peers",
    "benchmarks.drills",
    "benchmarks.soak",
    "benchmarks.scoring",
    "benchmarks.quality.speed",
    "benchmarks.drift.speed",
    "benchmarks.drift.calibration",
)


def main() -> int:
    """Run all of them; return 0 when every one ended well."""
    codes = []
    for name in BENCHMARKS:
        print(f"== {name}", flush=True)
        codes.append(subprocess.run([sys.executable, "-m", name], check=False).returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
