"""Test sets, and models that answer what a test says they answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sekisho.artifact.column import Scalar
from sekisho.artifact.formats.interface import Outputs
from sekisho.artifact.signature import Note, Output, Signature, Task, learn_signature
from sekisho.artifact.table import Table
from sekisho.contract.sections import Contract, Data
from sekisho.gate.testing import example_contract
from sekisho.probes.resources.scored import Scored
from sekisho.probes.resources.tables import DataSetT, TestSet, told_apart


@dataclass
class Told:
    """A model that answers what it was told, in the order of the rows that it is asked about."""

    signature: Signature
    values: np.ndarray
    probabilities: np.ndarray | None
    digest: str = "0" * 64

    def predict(self, table: Table) -> Outputs:
        assert table.rows == len(self.values)
        return Outputs(values=self.values, probabilities=self.probabilities)


@pytest.fixture(scope="session")
def contract() -> Callable[..., Contract]:
    return example_contract


@pytest.fixture(scope="session")
def data_set() -> Callable[[pd.DataFrame, type[DataSetT], Contract], DataSetT]:
    def make(frame: pd.DataFrame, kind: type[DataSetT], asked: Contract) -> DataSetT:
        return told_apart(Table.of(frame), asked.data, kind)

    return make


@pytest.fixture(scope="session")
def scored() -> Callable[..., Scored]:
    """Answers to a frame that has the target in ``label``, given as values or as probabilities of the second class."""

    def make(
        frame: pd.DataFrame,
        given: np.ndarray | list[Any],
        probabilities: np.ndarray | None = None,
        *,
        positive: Scalar = None,
        task: Task | None = None,
        sensitive: tuple[str, ...] = (),
    ) -> Scored:
        test = told_apart(Table.of(frame), Data(target="label"), TestSet)
        assert test.target is not None
        classes = test.target.distinct()
        if task is None:
            task = "binary" if len(classes) == 2 else "multiclass"
        output = Output(task=task, name="label", classes=None if task == "regression" else classes)
        notes = {name: Note(sensitive=True) for name in sensitive}
        model: Any = Told(learn_signature(test.table, output, notes), np.asarray(given), probabilities)
        return Scored(test, test.target, artifact=model, service=None, positive=positive, seed=1)

    return make
