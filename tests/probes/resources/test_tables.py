from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from sekisho.contract.project import Project
from sekisho.contract.sections import Contract, Data, Model
from sekisho.errors import NotMeasured
from sekisho.gate.probe import Resource
from sekisho.probes.resources import tables
from sekisho.probes.resources.tables import ProductionSample, TrainingSet

FRAME = pd.DataFrame(
    {"id": [1, 2], "year": [2015, 2016], "age": [30.0, None], "word": ["a", "b"], "row": [9, 8], "label": ["yes", "no"]}
)


def project(folder: Path, **data: object) -> Project:
    return Project(root=folder, contract=Contract(model=Model(name="example"), data=Data(**data)))  # type: ignore[arg-type]


def opened(maker: Resource, given: Project) -> tables.DataSet:
    found = next(iter(maker.open(given, **dict.fromkeys(set(maker.needs) - {"project"}))))
    assert isinstance(found, tables.DataSet)
    return found


def test_columns_are_told_apart(tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "training.csv", index=False)
    given = project(tmp_path, training="training.csv", target="label", identifier="id", time="year", ignored=("row",))
    found = opened(tables.training_set, given)
    assert isinstance(found, TrainingSet)
    assert found.table.names == ("age", "word")
    assert found.full.names == tuple(FRAME.columns)
    assert found.target is not None
    assert found.target.scalars() == ["yes", "no"]
    assert found.identifiers is not None
    assert found.times is not None


def test_digest_follows_cells_and_roles(tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "a.csv", index=False)
    FRAME.to_parquet(tmp_path / "b.parquet")
    FRAME.assign(age=[30.0, 31.0]).to_csv(tmp_path / "c.csv", index=False)
    first = opened(tables.test_set, project(tmp_path, test="a.csv", target="label")).digest
    assert first == opened(tables.test_set, project(tmp_path, test="b.parquet", target="label")).digest
    assert first != opened(tables.test_set, project(tmp_path, test="c.csv", target="label")).digest
    assert first != opened(tables.test_set, project(tmp_path, test="a.csv", target="word")).digest


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "data.test is not stated"),
        ({"test": "none.csv"}, "none.csv"),
        ({"test": "a.csv", "target": "gone"}, "no column 'gone' (data.target)"),
        ({"test": "a.csv", "identifier": "gone"}, "no column 'gone' (data.identifier)"),
        ({"test": "empty.csv"}, "no rows"),
        ({"test": "garbage.parquet"}, "garbage.parquet"),
    ],
)
def test_what_cannot_be_read_is_not_measured(tmp_path: Path, data: dict[str, str], words: str) -> None:
    FRAME.to_csv(tmp_path / "a.csv", index=False)
    FRAME.head(0).to_csv(tmp_path / "empty.csv", index=False)
    (tmp_path / "garbage.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(NotMeasured) as caught:
        opened(tables.test_set, project(tmp_path, **data))
    assert words in str(caught.value)


def test_a_production_sample_needs_no_label(tmp_path: Path) -> None:
    FRAME.drop(columns=["label", "id"]).to_csv(tmp_path / "now.csv", index=False)
    found = opened(tables.production_sample, project(tmp_path, production="now.csv", target="label", identifier="id"))
    assert isinstance(found, ProductionSample)
    assert found.target is None
    assert found.identifiers is None
    assert found.table.names == ("year", "age", "word", "row")
