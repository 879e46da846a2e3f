"""A table with a column of every kind, and windows of it, changed or not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

Table = dict[str, np.ndarray]
MakeTable = Callable[..., Table]


def _objects(values: np.ndarray) -> np.ndarray:
    return values.astype(object)


@pytest.fixture(scope="session")
def make_table() -> MakeTable:
    """A function of (rows, seed) that draws from one and the same population."""

    def make(rows: int, seed: int) -> Table:
        random = np.random.default_rng(seed)
        names = np.array(["retired", "employed", "学生", "self-employed"])
        moments = np.datetime64("2026-01-01", "us") + random.integers(0, 30 * 86_400, rows).astype("timedelta64[s]")
        income = random.lognormal(10, 0.6, rows)
        return {
            "age": random.normal(40, 12, rows),
            "income": np.where(random.random(rows) < 0.1, np.nan, income),
            "children": random.poisson(1.3, rows),
            "member": random.random(rows) < 0.3,
            "work": _objects(random.choice(names, rows, p=[0.2, 0.5, 0.1, 0.2])),
            "town": _objects(np.char.add("town ", np.minimum(random.zipf(1.6, rows), 300).astype(str))),
            "comment": _objects(np.char.add("note ", random.integers(0, 10**9, rows).astype(str))),
            "joined": moments,
        }

    return make
