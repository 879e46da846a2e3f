from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.packing import pack
from sekisho.contract.project import Project
from sekisho.contract.sections import Quality, Serving
from sekisho.errors import NotMeasured
from sekisho.gate.probe import Progress
from sekisho.gate.testing import example_contract
from sekisho.ledger.predictions import PredictionBook, PredictionRecord
from sekisho.probes.quality.production_replay import ProductionReplay, production_replay
from sekisho.probes.resources.logged import Logged, logged
from sekisho.probes.resources.tables import ProductionSample, production_sample
from sekisho.serving.contracted import BOOK_NAME


def rows(count: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame({"x": random.normal(size=count), "y": random.normal(size=count)})


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> ModelArtifact:
    table = rows(500, 1)
    label = np.where(table["x"] + table["y"] > 0, "yes", "no")
    folder = tmp_path_factory.mktemp("replay") / "artifact"
    return pack(LogisticRegression().fit(table, label), table, label, folder=folder, name="example", lock=False)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(root=tmp_path, contract=example_contract())


def write(project: Project, artifact: ModelArtifact, asked: pd.DataFrame, *, off: float = 0.0, **more: Any) -> None:
    """Write a book in which a champion has answered, which adds ``off`` to the first feature."""
    outputs = artifact.predict(asked.assign(x=asked["x"] + off))
    assert outputs.probabilities is not None
    began = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    with PredictionBook(project.state / BOOK_NAME) as book:
        book.append(
            [
                PredictionRecord(
                    request_id=f"r{place}",
                    row=0,
                    at=(began + dt.timedelta(minutes=place)).isoformat().replace("+00:00", "Z"),
                    model="c" * 64,
                    version="0.9.0",
                    features={str(name): value for name, value in row.items()} | more,
                    prediction=label,
                    probability=float(max(stated)),
                    flags=(),
                    latency_ms=1.0,
                )
                for place, (row, label, stated) in enumerate(
                    zip(asked.to_dict("records"), outputs.values.tolist(), outputs.probabilities, strict=True)
                )
            ]
        )


def opened(project: Project) -> Logged:
    found: Iterator[Logged] = logged.open(project)  # type: ignore[assignment]
    return next(found)


def measured(artifact: ModelArtifact, book: Logged | None, sample: ProductionSample | None = None) -> ProductionReplay:
    found = production_replay.measure(Quality(), Serving(), sample, book, artifact, None, Progress())
    assert isinstance(found, ProductionReplay)
    return found


def test_a_model_that_answers_as_before_has_not_moved(project: Project, artifact: ModelArtifact) -> None:
    write(project, artifact, rows(400, 2))
    found = measured(artifact, opened(project))
    assert (found.source, found.replayed, found.failed, found.refused) == ("ledger", 400, 0, 0)
    assert found.changed == 0
    assert found.stability is not None
    assert found.stability.high < 0.01


def test_scores_that_have_moved_are_seen(project: Project, artifact: ModelArtifact) -> None:
    write(project, artifact, rows(400, 2), off=1.5)
    found = measured(artifact, opened(project))
    assert found.stability is not None
    assert found.stability.low > 0.1
    assert found.changed is not None
    assert found.changed > 0.2


def test_few_logged_rows_say_nothing_of_scores(project: Project, artifact: ModelArtifact) -> None:
    write(project, artifact, rows(40, 2), off=1.5)
    assert measured(artifact, opened(project)).stability is None


def test_the_book_is_a_production_sample_where_none_is_named(project: Project, artifact: ModelArtifact) -> None:
    write(project, artifact, rows(50, 2))
    (sample,) = production_sample.open(project, opened(project), None)
    assert isinstance(sample, ProductionSample)
    assert (sample.source, sample.full.names, sample.full.rows) == ("ledger", ("x", "y"), 50)
    assert sample.times is not None
    assert sample.times.scalars()[0] == "2026-11-01T00:00:00Z"


def test_no_book_is_not_measured(project: Project) -> None:
    with pytest.raises(NotMeasured):
        opened(project)
    assert not project.state.exists()


def test_values_that_are_masked_in_the_book_are_no_rows_to_replay(project: Project, artifact: ModelArtifact) -> None:
    write(project, artifact, rows(50, 9), x="hash:k1:00")
    assert {tuple(record.features) for record in opened(project).records} == {("y",)}
