"""Windows with a known truth: clean ones are clean, and a change is of the size that it says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sekisho.artifact.table import Table
from sekisho.probes.resources.windows import CHANGES, Change, Windows

ROWS = 2_000


@pytest.fixture(scope="module")
def table() -> Table:
    random = np.random.default_rng(7)
    return Table.of(
        pd.DataFrame(
            {
                "income": random.lognormal(size=6_000),
                "visits": random.poisson(3, 6_000),
                "plan": random.choice(["free", "basic", "gold"], 6_000, p=[0.6, 0.3, 0.1]),
                "member": random.random(6_000) < 0.4,
                "since": pd.date_range("2020-01-01", periods=6_000, freq="h"),
                "constant": 1.0,
            }
        )
    )


def psi(before: pd.Series, after: pd.Series) -> float:
    p = before.value_counts(normalize=True)
    q = after.value_counts(normalize=True).reindex(p.index)
    return float(((q - p) * np.log(q / p)).sum())


def test_a_clean_window_is_a_resample(table: Table) -> None:
    window = Windows(table, ROWS).clean(3)
    assert window.rows == ROWS
    assert window.digest == Windows(table, ROWS).clean(3).digest
    assert window.digest != Windows(table, ROWS).clean(4).digest
    frame = table.to_pandas()
    assert set(window.to_pandas()["income"]) <= set(frame["income"])
    assert psi(frame["plan"], window.to_pandas()["plan"]) < 0.02


def test_a_split_shares_no_row(table: Table) -> None:
    reference, window = Windows(table, ROWS).split(1)
    assert (reference.rows, window.rows) == (4_000, ROWS)
    assert not set(reference.to_pandas()["since"]) & set(window.to_pandas()["since"])


@pytest.mark.parametrize(
    ("change", "columns"),
    [
        ("shift", ("income", "visits")),
        ("mix", ("plan", "member")),
        ("new category", ("plan",)),
        ("nulls", ("income", "visits", "plan", "member", "constant")),
    ],
)
def test_a_change_happens_where_it_can(table: Table, change: Change, columns: tuple[str, ...]) -> None:
    assert Windows(table, ROWS).columns(change) == columns


@pytest.mark.parametrize("change", CHANGES)
def test_only_the_named_column_changes(table: Table, change: Change) -> None:
    windows = Windows(table, ROWS)
    name = windows.columns(change)[0]
    changed, clean = windows.changed(change, name, 5), windows.clean(5)
    assert changed.without([name]).digest == clean.without([name]).digest
    assert changed.column(name).scalars() != clean.column(name).scalars()
    assert changed.names == table.names


@pytest.mark.parametrize("name", ["income", "visits"])
def test_a_shift_is_half_a_standard_deviation(table: Table, name: str) -> None:
    windows = Windows(table, ROWS)
    before, after = (each.to_pandas()[name] for each in (windows.clean(5), windows.changed("shift", name, 5)))
    assert (after.mean() - before.mean()) / table.to_pandas()[name].std() == pytest.approx(0.5, abs=0.03)
    assert after.dtype == before.dtype


@pytest.mark.parametrize("name", ["plan", "member"])
def test_a_mix_has_a_stability_index_of_a_fifth(table: Table, name: str) -> None:
    after = Windows(table, 20_000).changed("mix", name, 5).to_pandas()[name]
    assert 0.17 < psi(table.to_pandas()[name], after) < 0.4


@pytest.mark.parametrize("name", ["income", "visits", "plan", "member"])
def test_nulls_take_a_fifth_of_the_rows(table: Table, name: str) -> None:
    column = Windows(table, ROWS).changed("nulls", name, 5).column(name)
    assert column.null.mean() == pytest.approx(0.2, abs=0.04)
    assert column.scalars().count(None) == column.null.sum()


def test_a_new_category_is_one_that_never_was(table: Table) -> None:
    column = Windows(table, ROWS).changed("new category", "plan", 5).column("plan")
    new = [value for value in column.scalars() if value not in {"free", "basic", "gold"}]
    assert len(set(new)) == 1
    assert len(new) / ROWS == pytest.approx(0.2, abs=0.04)


def test_changes_grow_with_the_smallest_effect_that_counts(table: Table) -> None:
    def moved(effect: float) -> float:
        window = Windows(table, ROWS, smallest_effect=effect).changed("shift", "income", 5)
        return float(window.to_pandas()["income"].mean())

    assert moved(0.3) > moved(0.1) == moved(0.05)
