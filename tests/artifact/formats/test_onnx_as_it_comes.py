"""ONNX as other converters write it: every form of outputs and inputs that is met in the wild."""

from __future__ import annotations

from typing import Any

import catboost
import lightgbm
import numpy as np
import onnx
import onnxmltools
import pytest
import xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as Floats
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from tests.artifact.formats.boosted import diabetes, iris

from sekisho.artifact.artifact import ModelArtifact

ARRAY = iris().rows.to_numpy(dtype=np.float32)


def answers(graph: Any, rows: Any, target: Any) -> Any:
    artifact = ModelArtifact(graph, reference=rows, target=target, name="m", lock=False)
    given = artifact.predict(rows)
    return given.values.astype(float) if given.probabilities is None else given.probabilities


@pytest.mark.parametrize("zipmap", [True, False, "columns"])
@pytest.mark.parametrize("names", [True, False])
def test_probabilities_as_maps_as_a_matrix_and_one_by_one(zipmap: Any, names: bool) -> None:
    target = iris().names if names else iris().labels
    forest = RandomForestClassifier(5, random_state=0).fit(ARRAY, target)
    options = {id(forest): {"zipmap": zipmap}}
    graph = convert_sklearn(forest, initial_types=[("X", FloatTensorType([None, 4]))], options=options)
    assert answers(graph, iris().rows, target) == pytest.approx(forest.predict_proba(ARRAY), abs=1e-6)


def test_one_input_a_column_under_the_names_that_exporters_make() -> None:
    rows = iris().rows.assign(city=np.array(["Nara", "Uji", "Kobe"])[iris().labels[::-1]])
    numbers = list(iris().rows.columns)
    before = make_column_transformer((StandardScaler(), numbers), (OneHotEncoder(), ["city"]))
    model = make_pipeline(before, LogisticRegression(max_iter=1000)).fit(rows, iris().names)
    kinds: list[Any] = [(name, FloatTensorType([None, 1])) for name in numbers] + [
        ("city", StringTensorType([None, 1]))
    ]
    graph = convert_sklearn(model, initial_types=kinds)
    assert "sepal_length__cm_" in {given.name for given in graph.graph.input}
    assert answers(graph, rows, iris().names) == pytest.approx(model.predict_proba(rows), abs=1e-5)


@pytest.mark.parametrize("zipmap", [True, False])
def test_lightgbm_by_onnxmltools(zipmap: bool) -> None:
    model = lightgbm.LGBMClassifier(n_estimators=4, verbose=-1).fit(ARRAY, iris().labels)
    graph = onnxmltools.convert_lightgbm(model, initial_types=[("input", Floats([None, 4]))], zipmap=zipmap)
    assert answers(graph, iris().rows, iris().labels) == pytest.approx(model.predict_proba(ARRAY), abs=1e-6)


def test_xgboost_by_onnxmltools() -> None:
    model = xgboost.XGBRegressor(n_estimators=4).fit(diabetes().rows.to_numpy(), diabetes().labels)
    graph = onnxmltools.convert_xgboost(model, initial_types=[("input", Floats([None, 10]))])
    given = model.predict(diabetes().rows.to_numpy())
    assert answers(graph, diabetes().rows, diabetes().labels) == pytest.approx(given, rel=1e-5)


def test_catboost_by_itself(tmp_path: Any) -> None:
    model = catboost.CatBoostClassifier(iterations=4, depth=3, verbose=0, allow_writing_files=False)
    model.fit(iris().rows, iris().labels)
    model.save_model(str(tmp_path / "model.onnx"), format="onnx")
    graph = onnx.load(tmp_path / "model.onnx")
    assert answers(graph, iris().rows, iris().labels) == pytest.approx(model.predict_proba(iris().rows), abs=1e-6)
