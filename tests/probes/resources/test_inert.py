"""Pickles are compared number by number, and nothing that they name is fetched or called."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.tree import DecisionTreeClassifier

from sekisho.probes.resources.inert import difference

X = np.random.default_rng(0).normal(size=(80, 3))


def by_joblib(model: Any, folder: Path) -> bytes:
    joblib.dump(model, folder / "m")
    return (folder / "m").read_bytes()


def by_pickle(model: Any, folder: Path) -> bytes:
    return pickle.dumps(model)


@pytest.mark.parametrize("dump", [by_pickle, by_joblib])
def test_numbers_that_differ_in_their_last_bits(dump: Any, tmp_path: Path) -> None:
    one, other = Ridge().fit(X, X[:, 0]), Ridge().fit(X, X[:, 0])
    assert difference(dump(one, tmp_path), dump(other, tmp_path)) == 0.0
    other.coef_ = other.coef_ * (1 + 1e-15)
    assert 0 < (difference(dump(one, tmp_path), dump(other, tmp_path)) or 0) < 1e-14
    other.coef_ = other.coef_ * 1.5
    assert difference(dump(one, tmp_path), dump(other, tmp_path)) == pytest.approx(0.5, abs=0.01)
    other.alpha = 3
    assert difference(dump(one, tmp_path), dump(other, tmp_path)) is None


@pytest.mark.parametrize("dump", [by_pickle, by_joblib])
def test_trees(dump: Any, tmp_path: Path) -> None:
    one, same, other = (
        dump(DecisionTreeClassifier(max_depth=3, max_features=1, random_state=seed).fit(X, X[:, 0] > 0), tmp_path)
        for seed in (1, 1, 2)
    )
    assert difference(one, same) == 0.0
    assert difference(one, other) is None


class Hostile:
    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.place),))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nothing_runs(protocol: int, tmp_path: Path) -> None:
    data = pickle.dumps({"model": Hostile(tmp_path / "ran")}, protocol=protocol)
    assert difference(data, data) == 0.0
    assert not (tmp_path / "ran").exists()


def test_bytes_that_are_no_pickle() -> None:
    whole = pickle.dumps({"a": np.arange(5.0)})
    for data in (b"", b"\x80", whole[:-9], os.urandom(200), b"\x80\x05\x96" + b"\xff" * 8, b"(" * 5_000 + b"."):
        assert difference(data, whole) is None
        assert difference(whole, data) is None
