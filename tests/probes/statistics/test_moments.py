from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from sekisho.artifact.table import Table
from sekisho.probes.statistics.moments import day_of, moments


def seconds(values: Any) -> Any:
    return moments(Table.of(pd.DataFrame({"at": values})).column("at"))


@pytest.mark.parametrize(
    "values",
    [
        pd.to_datetime(["2026-01-31", "2026-02-01"]),
        ["2026-01-31", "2026-02-01"],
        ["2026-01-31T00:00:00Z", "2026-02-01T09:00:00+09:00"],
        [20260131, 20260201],
        [1_769_817_600, 1_769_904_000],
        [1_769_817_600_000, 1_769_904_000_000],
    ],
)
def test_times_of_every_kind_are_understood(values: Any) -> None:
    assert [day_of(each) for each in seconds(values)] == ["2026-01-31", "2026-02-01"]


def test_a_year_is_taken_for_its_middle() -> None:
    assert [day_of(each)[:6] for each in seconds([2015, 2018])] == ["2015-0", "2018-0"]


@pytest.mark.parametrize("values", [[1, 2, 3], [0.5, 0.7], ["soon", "later"], [True, False], [None, None]])
def test_what_is_no_time_is_none(values: Any) -> None:
    assert seconds(values) is None


def test_nulls_stay_nulls() -> None:
    found = seconds(["2026-01-31", None])
    assert np.isnan(found).tolist() == [False, True]
