"""What the drift detector promises, measured: ``python -m benchmarks.drift.calibration`` writes ``benchmarks/results/drift-calibration.json``.

False alarms in windows in which nothing has changed (drawn from one population of 31 columns of every kind, and resampled from the employment data
that the package ships), and how often each change is noticed, by the size of the window. Everything is seeded: a second run gives the same
figures.
"""

from __future__ import annotations

import datetime as dt
import json
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sekisho.artifact.reference import DriftReference
from sekisho.artifact.table import Table
from sekisho.examples.employment import FEATURES, TABLE, TIME
from sekisho.watch.drift.correction import SECONDS_PER_DAY, alpha_per_look
from sekisho.watch.drift.detector import DriftDetector
from sekisho.watch.drift.report import State

Window = dict[str, NDArray[Any]]
Change = Callable[[NDArray[Any], np.random.Generator], NDArray[Any]]

RESULTS: Final = Path(__file__).parent.parent / "results" / "drift-calibration.json"
HOURLY: Final = alpha_per_look(1.0, 24.0)
EVERY_FIVE_SECONDS: Final = alpha_per_look(1.0, SECONDS_PER_DAY / 5)
REFERENCE_ROWS: Final = 10_000
WINDOW_ROWS: Final = 1_000
SIZES: Final = (200, 500, 1_000, 5_000)
TRIALS: Final = 200


def population(rows: int, seed: int) -> Window:
    """Return 31 columns: normal, skewed, counted, with nulls, labels (2 to 30, and thousands), booleans, moments."""
    random = np.random.default_rng(seed)
    columns: Window = {}
    for index in range(10):
        columns[f"normal_{index}"] = random.normal(size=rows)
    for index in range(5):
        columns[f"skewed_{index}"] = random.lognormal(3.0, 0.5 + 0.2 * index, rows)
        columns[f"count_{index}"] = random.poisson(1.0 + index, rows)
    for index in range(3):
        values = random.exponential(2.0, rows)
        columns[f"gappy_{index}"] = np.where(random.random(rows) < 0.02 + 0.1 * index, np.nan, values)
    for index in range(5):
        columns[f"label_{index}"] = _labels(random, rows, 2 + 7 * index)
    columns["place"] = np.char.add("place ", np.minimum(random.zipf(1.5, rows), 5_000).astype(str)).astype(object)
    columns["flag"] = random.random(rows) < 0.3
    columns["moment"] = np.datetime64("2026-01-01", "us") + random.integers(0, 10**7, rows).astype("timedelta64[s]")
    return columns


def _labels(random: np.random.Generator, rows: int, many: int) -> NDArray[Any]:
    shares = 0.85 ** np.arange(many)
    names = np.array([f"label {place}" for place in range(many)], dtype=object)
    return random.choice(names, rows, p=shares / shares.sum())


def _reshared(values: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
    """Draw labels anew, their shares tilted so far that the population stability index is 0.2."""
    names, counts = np.unique(values.astype(str), return_counts=True)
    names = names[np.argsort(-counts, kind="stable")]
    shares = 0.85 ** np.arange(len(names))
    shares /= shares.sum()
    low, high = 0.0, 5.0
    for _ in range(60):
        tilt = (low + high) / 2
        tilted = shares * np.exp(tilt * np.linspace(-1, 1, len(names)))
        tilted /= tilted.sum()
        index = float(((tilted - shares) * np.log(tilted / shares)).sum())
        low, high = (tilt, high) if index < 0.2 else (low, tilt)
    return random.choice(names.astype(object), len(values), p=tilted)


def _deciles(values: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
    """Draw a normal column anew with every other tenth more and less frequent: PSI 0.2, mean and spread as they were."""
    step = 0.043227
    tenth = random.choice(10, len(values), p=np.array([0.1 + step, 0.1 - step] * 5))
    ordered = np.sort(np.random.default_rng(0).normal(size=100_000))
    return ordered[((tenth + random.random(len(values))) * 10_000).astype(np.int64)]


def _share_of(share: float, value: Any) -> Change:
    def change(values: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
        kind = object if values.dtype == object else np.float64
        return np.where(random.random(len(values)) < share, value, values).astype(kind)

    return change


CHANGES: Final[dict[str, tuple[str, Change]]] = {
    "shift by 0.5 standard deviations": ("normal_0", lambda v, _: v + 0.5),
    "shift by 0.3 standard deviations": ("normal_0", lambda v, _: v + 0.3),
    "spread of 1.4": ("normal_0", lambda v, _: v * 1.4),
    "PSI 0.2: shift by 0.447 standard deviations": ("normal_0", lambda v, _: v + 0.447),
    "PSI 0.2: every other decile": ("normal_0", _deciles),
    "PSI 0.2: 9 labels": ("label_1", _reshared),
    "PSI 0.2: 30 labels": ("label_4", _reshared),
    "new category, 2 % of rows": ("label_2", _share_of(0.02, "new")),
    "new category, 1.5 % of rows": ("label_2", _share_of(0.015, "new")),
    "nulls, 0 % to 2 %": ("normal_0", _share_of(0.02, np.nan)),
    "nulls, 12 % to 25 %": ("gappy_1", _share_of(0.148, np.nan)),
    "2 % of values 1,000 times as large": ("skewed_0", lambda v, r: np.where(r.random(len(v)) < 0.02, 1_000 * v, v)),
    "boolean from 30 % to 45 %": ("flag", lambda v, r: r.random(len(v)) < 0.45),
}
"""Each changes one column of :func:`population`."""


def false_alarms() -> Iterator[dict[str, Any]]:
    """Yield the false alarms of thirty hourly days, of a day of looks every five seconds, and of the employment data."""
    alarms = 0
    for month in range(5):
        detector = DriftDetector(population(REFERENCE_ROWS, 1_000 + month))
        windows = range(30 * 24)
        alarms += sum(
            detector.detect_drift(population(WINDOW_ROWS, 10_000 * (month + 1) + w), HOURLY).detected for w in windows
        )
    yield _silence(
        "five months, a new window of 1,000 rows every hour, a new reference every month", 5 * 720, alarms, HOURLY
    )

    detector = DriftDetector(population(REFERENCE_ROWS, 2_000))
    day = population(100_000, 2_001)
    starts = np.linspace(0, 100_000 - WINDOW_ROWS, int(SECONDS_PER_DAY / 5)).astype(np.int64)
    alarms = sum(
        detector.detect_drift(
            {name: values[start : start + WINDOW_ROWS] for name, values in day.items()}, EVERY_FIVE_SECONDS
        ).detected
        for start in starts.tolist()
    )
    yield _silence(
        "one day, a look every 5 seconds at the last 1,000 of 100,000 rows", len(starts), alarms, EVERY_FIVE_SECONDS
    )

    table = _employment()
    random = np.random.default_rng(3)
    order = random.permutation(table.rows)
    reference, rest = table.take(order[: table.rows // 2]), order[table.rows // 2 :]
    detector = DriftDetector(DriftReference.of(reference))
    alarms = sum(
        detector.detect_drift(table.take(random.choice(rest, WINDOW_ROWS, replace=False)), HOURLY).detected
        for _ in range(720)
    )
    yield _silence("employment data: 720 windows of rows that the reference does not hold", 720, alarms, HOURLY)


def _silence(what: str, windows: int, alarms: int, alpha: float) -> dict[str, Any]:
    return {
        "windows": what,
        "count": windows,
        "alpha_per_window": alpha,
        "expected_at_most": round(windows * alpha, 3),
        "alarms": int(alarms),
    }


def _employment() -> Table:
    """Return the features of the people asked in the first two years, the training years of the demo."""
    frame = pd.read_csv(TABLE)
    return Table.of(frame[frame[TIME] <= 2016][list(FEATURES)])


def power() -> Iterator[dict[str, Any]]:
    """Yield, for every change and size of window, how often the changed column, and no other, is named."""
    detector = DriftDetector(DriftReference.of(Table.of(population(REFERENCE_ROWS, 3_000))))
    for what, (name, change) in CHANGES.items():
        for rows in SIZES:
            random = np.random.default_rng(4_000)
            caught = others = 0
            for trial in range(TRIALS):
                window = population(rows, 5_000 + trial)
                window[name] = change(window[name], random)
                named = [column.name for column in detector.detect_drift(window, EVERY_FIVE_SECONDS).drifted]
                caught += name in named
                others += named not in ([], [name])
            yield {"change": what, "rows": rows, "power": caught / TRIALS, "windows_with_another_column_named": others}


def certain_but_small() -> dict[str, Any]:
    """Return what is said of a shift by 0.01 standard deviations in a million rows."""
    random = np.random.default_rng(6_000)
    detector = DriftDetector({"x": random.normal(size=1_000_000)})
    states = [
        detector.detect_drift({"x": random.normal(0.01, 1.0, 1_000_000)}, HOURLY).columns[0].state for _ in range(20)
    ]
    return {"windows": len(states), "drift": states.count(State.DRIFT), "named as small": states.count(State.SMALL)}


def main() -> None:
    began = time.perf_counter()
    result = {
        "measured": dt.datetime.now(dt.UTC).date().isoformat(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "columns": len(population(50, 0)),
        "reference_rows": REFERENCE_ROWS,
        "smallest_effect": 0.10,
        "false_alarms": list(false_alarms()),
        "power": {"alpha_per_window": EVERY_FIVE_SECONDS, "trials": TRIALS, "changes": list(power())},
        "a shift by 0.01 standard deviations in a million rows": certain_but_small(),
        "seconds": round(time.perf_counter() - began, 1),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
