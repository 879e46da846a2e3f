"""What the tests of boosting libraries share: real tables, a model taken the whole way, and files made hostile."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

from sekisho.artifact.artifact import ModelArtifact
from sekisho.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from sekisho.artifact.boosters.interface import Booster


@dataclass(frozen=True, kw_only=True)
class Data:
    """Rows, and whole numbers, names and numbers to predict."""

    rows: pd.DataFrame
    labels: Any
    names: Any = None


@functools.cache
def iris() -> Data:
    rows, labels = load_iris(return_X_y=True, as_frame=True)
    return Data(rows=rows, labels=labels, names=np.array(["setosa", "versicolor", "virginica"])[labels])


@functools.cache
def cancer() -> Data:
    rows, labels = load_breast_cancer(return_X_y=True, as_frame=True)
    return Data(rows=rows, labels=labels, names=np.array(["no", "yes"])[labels])


@functools.cache
def diabetes() -> Data:
    rows, numbers = load_diabetes(return_X_y=True, as_frame=True)
    return Data(rows=rows, labels=numbers)


@functools.cache
def mixed() -> Data:
    """Iris with nulls and two columns of categories: strings with nulls, and whole numbers."""
    random = np.random.default_rng(0)
    rows = iris().rows.copy()
    words = random.choice(["Nara", "Uji", "Kobe"], 150)
    words[::2] = np.array(["Nara", "Uji", "Kobe"])[iris().labels[::2]]
    rows["city"] = pd.Series(words).astype("category")
    rows["rooms"] = pd.Series(random.choice([3, 5, 9], 150)).astype("category")
    rows.iloc[::9, 0] = np.nan
    rows.loc[::7, "city"] = None
    return Data(rows=rows, labels=iris().labels, names=iris().names)


def taken_the_whole_way(
    model: Any, rows: Any, target: Any, folder: Path, *, expected: Callable[[Any], Any] | None = None
) -> ModelArtifact:
    """Pack, load and ask: by the native file and, where there is one, by ONNX; labels as they were, scores to the last digits."""
    ModelArtifact(model, reference=rows, target=target, name="m", lock=False).save(folder)
    artifact = ModelArtifact.load(folder)
    native = next(name for name in ("xgboost", "lightgbm", "catboost", "skops") if artifact.manifest.file(FILES[name]))
    columns = artifact_table(artifact, rows)
    answers = artifact.runtime(native).run(columns)
    if expected is not None:
        assert np.array_equal(
            answers.probabilities if answers.probabilities is not None else answers.values, expected(rows)
        )
    else:
        assert answers.values.tolist() == np.ravel(model.predict(rows)).tolist()
        if answers.probabilities is not None:
            assert np.array_equal(answers.probabilities, model.predict_proba(rows))
    artifact.verify()
    return artifact


def some_slow(names: Iterable[str], quick: set[str]) -> list[Any]:
    """Return the names as parameters; all but the quick ones wait for ``make test-full``."""
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in names]


FILES = {"xgboost": "model.ubj", "lightgbm": "model.txt", "catboost": "model.cbm", "skops": "model.skops"}


def artifact_table(artifact: ModelArtifact, rows: Any) -> Any:
    from sekisho.artifact.fitting import fit_table
    from sekisho.artifact.table import Table

    table = Table.of(rows, artifact.signature.names if isinstance(rows, np.ndarray) else None)
    return fit_table(table, artifact.signature).arrays()


def spoiled(data: bytes) -> Iterator[bytes]:
    """Yield what an accident or an enemy makes of a file: cut off at each tenth, bytes changed, a pickle or nothing in its place."""
    for tenth in range(10):
        yield data[: len(data) * tenth // 10]
    yield b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94\x8c\x06system\x94\x93\x94."
    yield data[:64] + b"\x80\x04." + data[64:]
    yield data + b"\x00" * 8


def must_refuse(booster: Booster, data: bytes) -> None:
    """Every spoiled file is refused by our own code, before the library sees it."""
    for bad in spoiled(data):
        with pytest.raises(ArtifactError):
            booster.check(bad, where="x")
