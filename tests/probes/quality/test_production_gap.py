from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Protocol

import numpy as np
import pandas as pd
import pytest

from sekisho.checks.quality.production_data import production_data as box
from sekisho.contract.sections import Contract
from sekisho.gate.attestations import Attestations
from sekisho.gate.probe import Progress
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Status, Verdict
from sekisho.probes.quality.production_columns import production_columns
from sekisho.probes.quality.production_gap import ProductionGap, production_gap
from sekisho.probes.quality.production_rows import production_rows
from sekisho.probes.resources.tables import DataSetT, ProductionSample, TestSet, TrainingSet

SIGNED = Attestations(
    contract=example_contract(
        sign_offs=[
            {
                "box": "quality/production-data",
                "statement": "every hundredth request, drawn by the gateway",
                "author": "the data team",
                "reviewer": "the risk team",
                "artifact": "a" * 64,
                "issued": dt.date(2026, 11, 1),
                "expires": dt.date(2027, 11, 1),
            }
        ]
    ),
    artifact="a" * 64,
    today=dt.date(2026, 11, 24),
)

MakeContract = Callable[..., Contract]


class MakeDataSet(Protocol):
    def __call__(self, frame: pd.DataFrame, kind: type[DataSetT], asked: Contract) -> DataSetT: ...


def rows(first: str, days: int, *, count: int = 1_200, shift: float = 0.0, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    moments = pd.Timestamp(first) + pd.to_timedelta(random.integers(0, days, count), unit="D")
    return pd.DataFrame(
        {
            "at": moments.strftime("%Y-%m-%d"),
            "income": random.normal(3_000 + 800 * shift, 800, count),
            "plan": random.choice(["basic", "plus", "pro"], count),
            "label": random.integers(0, 2, count),
        }
    )


@pytest.fixture
def judged(contract: MakeContract, data_set: MakeDataSet) -> Callable[..., tuple[ProductionGap, Verdict]]:
    def make(
        test: pd.DataFrame, production: pd.DataFrame, training: pd.DataFrame | None = None
    ) -> tuple[ProductionGap, Verdict]:
        asked = contract(
            data={
                "target": "label",
                "time": "at" if "at" in test else None,
                "production_window": "one request in a hundred of November",
            }
        )
        tables = (data_set(test, TestSet, asked), data_set(production, ProductionSample, asked))
        learned = None if training is None else data_set(training, TrainingSet, asked)
        found = production_gap.measure(asked.quality, *tables, learned, None, Progress())
        columns = production_columns.measure(asked.quality, *tables, None)
        origin = production_rows.measure(asked.quality, *tables, learned)
        assert isinstance(found, ProductionGap)
        return found, box.judge(asked, found, columns, origin, None, SIGNED)

    return make


TRAINING = rows("2025-01-01", 500, seed=1)
NOW = rows("2026-11-01", 23, seed=3)


def failures(verdict: Verdict) -> list[str]:
    return [finding.text.en for finding in verdict.findings if finding.status is Status.FAIL]


def test_a_month_old_sample_of_the_same_kind_has_no_failure(
    judged: Callable[..., tuple[ProductionGap, Verdict]],
) -> None:
    found, verdict = judged(rows("2026-09-01", 30, seed=2), NOW, TRAINING)
    assert failures(verdict) == []
    assert found.age_days == pytest.approx(54, abs=3)
    assert found.test_after_training
    # Only the replay is open: there is nobody to ask here.
    assert verdict.status is Status.UNKNOWN
    assert next(f.text.en for f in verdict.findings if f.status is Status.UNKNOWN).startswith("no production row")


def test_a_test_set_two_years_old_fails(judged: Callable[..., tuple[ProductionGap, Verdict]]) -> None:
    _, verdict = judged(rows("2024-06-01", 200, seed=2), NOW)
    assert verdict.status is Status.FAIL
    assert "days apart" in failures(verdict)[0]


def test_a_test_set_of_another_kind_fails(judged: Callable[..., tuple[ProductionGap, Verdict]]) -> None:
    found, verdict = judged(rows("2026-09-01", 30, seed=2), rows("2026-11-01", 23, shift=0.8, seed=3))
    assert verdict.status is Status.FAIL
    assert found.telling[0][0] == "income"
    assert any("income" in words for words in failures(verdict))


def test_a_new_category_is_seen(judged: Callable[..., tuple[ProductionGap, Verdict]]) -> None:
    production = NOW.assign(plan=np.where(NOW.index % 3 == 0, "family", NOW["plan"]))
    found, verdict = judged(rows("2026-09-01", 30, seed=2), production)
    assert found.telling[0][0] == "plan"
    assert verdict.status is Status.FAIL


def test_rows_of_the_same_time_do_not_show_what_comes_later(
    judged: Callable[..., tuple[ProductionGap, Verdict]],
) -> None:
    found, verdict = judged(rows("2026-08-01", 60, seed=2), NOW, rows("2026-08-01", 60, seed=4))
    assert found.test_after_training is False
    assert verdict.status is Status.UNKNOWN


def test_without_times_a_signed_statement_says_how_the_sample_was_drawn(
    judged: Callable[..., tuple[ProductionGap, Verdict]],
) -> None:
    found, verdict = judged(rows("2026-09-01", 30, seed=2).drop(columns="at"), NOW.drop(columns="at"))
    assert found.age_days is None
    assert any("signed by the data team" in finding.text.en for finding in verdict.findings)
    assert failures(verdict) == []


def test_a_table_with_times_beside_one_without_is_not_excused(
    judged: Callable[..., tuple[ProductionGap, Verdict]],
) -> None:
    _, verdict = judged(rows("2026-09-01", 30, seed=2), NOW.drop(columns="at"))
    assert verdict.status is Status.UNKNOWN
    assert "no column 'at'" in verdict.summary.en
