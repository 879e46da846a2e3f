"""CatBoost: estimators come back as they were, and a hostile file kills a process that may die, not this one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import catboost
import numpy as np
import pytest
from tests.artifact.formats.boosted import Data, cancer, diabetes, iris, mixed, some_slow, taken_the_whole_way

from sekisho.artifact import boosting
from sekisho.artifact.boosters.catboost import BOOSTER
from sekisho.artifact.packing import read_model
from sekisho.errors import ArtifactError, CannotPack, IntegrityError

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS: dict[str, Any] = {"iterations": 12, "depth": 4, "verbose": 0, "allow_writing_files": False, "random_seed": 0}


def words() -> Data:
    """Mixed rows without nulls in the column of strings, which CatBoost would not take."""
    rows = mixed().rows.drop(columns="rooms")
    city = rows["city"].astype(object)
    return Data(rows=rows.assign(city=city.where(city.notna(), "nowhere")), labels=mixed().labels, names=mixed().names)


def holes() -> Data:
    return Data(rows=mixed().rows.drop(columns=["city", "rooms"]), labels=mixed().labels, names=mixed().names)


MODELS: dict[str, tuple[Any, Any, bool]] = {
    # The estimator, its data, and whether ONNX answers.
    "binary": (catboost.CatBoostClassifier(**OPTIONS), cancer, True),
    "several classes": (catboost.CatBoostClassifier(**OPTIONS), iris, True),
    "nulls as the largest": (catboost.CatBoostClassifier(nan_mode="Max", **OPTIONS), holes, True),
    "numbers": (catboost.CatBoostRegressor(**OPTIONS), diabetes, True),
    "counts": (catboost.CatBoostRegressor(loss_function="Poisson", **OPTIONS), diabetes, True),
    "leaf by leaf": (catboost.CatBoostClassifier(grow_policy="Lossguide", **OPTIONS), holes, True),
    "level by level": (catboost.CatBoostRegressor(grow_policy="Depthwise", **OPTIONS), diabetes, True),
    "categories": (catboost.CatBoostClassifier(cat_features=["city"], **OPTIONS), words, False),
    "few categories": (catboost.CatBoostClassifier(cat_features=["city"], one_hot_max_size=9, **OPTIONS), words, False),
}


@pytest.mark.parametrize("name", some_slow(MODELS, {"several classes", "nulls as the largest", "counts", "categories"}))
def test_an_estimator_comes_back_as_it_was(name: str, tmp_path: Path) -> None:
    model, data, converts = MODELS[name]
    target = data().names if data().names is not None else data().labels
    model.fit(data().rows, target)
    artifact = taken_the_whole_way(model, data().rows, target, tmp_path / "a")
    assert artifact.parity.proven is converts
    assert converts or "categorical features" in str(artifact.parity.reason)
    assert artifact.metadata.libraries["catboost"] == catboost.__version__


@pytest.mark.parametrize("labels", [iris().labels.to_numpy() == 1, iris().labels.to_numpy() + 5])
def test_an_array_without_names_and_labels_of_other_types(labels: Any, tmp_path: Path) -> None:
    rows = iris().rows.to_numpy()
    model = catboost.CatBoostClassifier(**OPTIONS).fit(rows, labels)
    artifact = taken_the_whole_way(model, rows, labels, tmp_path / "a")
    assert artifact.signature.output.dtype == str(labels.dtype)


def test_the_best_iteration_is_the_last(tmp_path: Path) -> None:
    rows, labels = cancer().rows, cancer().names
    model = catboost.CatBoostClassifier(**OPTIONS | {"iterations": 200, "learning_rate": 0.5})
    model.fit(rows[::2], labels[::2], eval_set=(rows[1::2], labels[1::2]), early_stopping_rounds=3)
    assert model.tree_count_ < 200
    assert taken_the_whole_way(model, rows, labels, tmp_path / "a").parity.proven


def test_the_same_training_gives_the_same_bytes() -> None:
    one, two = (BOOSTER.write(catboost.CatBoostClassifier(**OPTIONS).fit(iris().rows, iris().names)) for _ in range(2))
    assert one == two


@pytest.mark.parametrize(("loss", "kind"), [("Logloss", "CatBoostClassifier"), ("RMSE", "CatBoostRegressor")])
def test_a_bare_model_becomes_what_its_loss_says(loss: str, kind: str) -> None:
    bare = catboost.CatBoost({"loss_function": loss, **OPTIONS}).fit(cancer().rows, cancer().labels)
    estimator = boosting.settled(bare)
    assert type(estimator).__name__ == kind
    given = estimator.predict(cancer().rows, prediction_type="RawFormulaVal")
    assert np.array_equal(given, bare.predict(cancer().rows, prediction_type="RawFormulaVal"))


def test_several_answers_a_row() -> None:
    for loss in ("MultiClassOneVsAll", "RMSEWithUncertainty"):
        model = catboost.CatBoost({"loss_function": loss, **OPTIONS}).fit(iris().rows, iris().labels)
        with pytest.raises(CannotPack, match=loss):
            boosting.settled(model)


@pytest.fixture(scope="module")
def whole() -> bytes:
    model = catboost.CatBoostClassifier(cat_features=["city"], **OPTIONS | {"iterations": 4})
    return BOOSTER.write(model.fit(words().rows, words().names))


def test_a_file_of_catboost_itself_is_told_by_its_content(tmp_path: Path) -> None:
    model = catboost.CatBoostClassifier(**OPTIONS).fit(iris().rows, iris().names)
    model.save_model(str(tmp_path / "model.onnx"), format="cbm")
    read = read_model(tmp_path / "model.onnx")
    assert np.array_equal(read.predict_proba(iris().rows), model.predict_proba(iris().rows))


def test_what_is_cut_off_is_refused(whole: bytes) -> None:
    for tenth in range(10):
        with pytest.raises(ArtifactError):
            boosting.read(BOOSTER, whole[: len(whole) * tenth // 10], where="x")


@pytest.mark.parametrize(
    "bad",
    [b"CBM1", b"CBM1" + b"\xff" * 100, b"CBM1" + b"\x00" * 100, b"CBM1\x10\x00\x00\x00\x08\x00\x00\x00" + b"\x00" * 8],
)
def test_sizes_that_lie(bad: bytes) -> None:
    with pytest.raises(ArtifactError):
        boosting.read(BOOSTER, bad, where="x")


def test_a_split_of_a_feature_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    model = catboost.CatBoostClassifier(**OPTIONS).fit(iris().rows, iris().names)
    BOOSTER.try_out(model)
    evil = b'{"features_info": {"float_features": [{}]}, "oblivious_trees": [{"splits": [{"float_feature_index": 9}]}]}'
    monkeypatch.setattr("sekisho.artifact.boosters.catboost._saved", lambda model, kind: evil)
    with pytest.raises(IntegrityError, match="not there"):
        BOOSTER.try_out(model)
