"""XGBoost: estimators come back as they were, and no hostile file reaches its parser."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import xgboost
from tests.artifact.formats.boosted import cancer, diabetes, iris, mixed, must_refuse, some_slow, taken_the_whole_way

from sekisho.artifact import boosting, ubjson
from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.boosters.xgboost import BOOSTER
from sekisho.artifact.packing import read_model
from sekisho.errors import ArtifactError, CannotPack, IntegrityError, UntrustedFormat

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TREES = 12
EARLY = {"n_estimators": 300, "early_stopping_rounds": 3}
MODELS: dict[str, tuple[Any, Any, str | None]] = {
    # The estimator, its data, and what computes the graph that serves: None if none does, "" if that depends on the last digits.
    "binary": (xgboost.XGBClassifier(n_estimators=TREES), cancer, "single"),
    "several classes": (xgboost.XGBClassifier(n_estimators=TREES), iris, "single"),
    "numbers": (xgboost.XGBRegressor(n_estimators=TREES), diabetes, "single"),
    "a base score": (xgboost.XGBRegressor(n_estimators=TREES, base_score=77.5), diabetes, "single"),
    "counts": (xgboost.XGBRegressor(n_estimators=TREES, objective="count:poisson"), diabetes, "single"),
    "gamma": (xgboost.XGBRegressor(n_estimators=TREES, objective="reg:gamma"), diabetes, ""),
    "absolute error": (xgboost.XGBRegressor(n_estimators=TREES, objective="reg:absoluteerror"), diabetes, "single"),
    "zeros are nulls": (xgboost.XGBRegressor(n_estimators=TREES, missing=0.0), diabetes, "single"),
    "a forest": (xgboost.XGBRFClassifier(n_estimators=TREES), cancer, "single"),
    "a forest of numbers": (xgboost.XGBRFRegressor(n_estimators=TREES), diabetes, "single"),
    "dropped trees": (xgboost.XGBClassifier(n_estimators=TREES, booster="dart", rate_drop=0.3), iris, "single"),
    "leaf by leaf": (xgboost.XGBClassifier(n_estimators=TREES, grow_policy="lossguide", max_leaves=9), iris, "single"),
    "linear": (xgboost.XGBClassifier(n_estimators=TREES, booster="gblinear"), cancer, None),
    "categories": (
        xgboost.XGBClassifier(n_estimators=TREES, enable_categorical=True, max_cat_to_onehot=1),
        mixed,
        "single",
    ),
    "one category each": (
        xgboost.XGBClassifier(n_estimators=TREES, enable_categorical=True, max_cat_to_onehot=9),
        mixed,
        "single",
    ),
}


QUICK = {"several classes", "zeros are nulls", "linear", "categories", "counts"}


@pytest.mark.parametrize("name", some_slow(MODELS, QUICK))
def test_an_estimator_comes_back_as_it_was(name: str, tmp_path: Path) -> None:
    model, data, precision = MODELS[name]
    model.fit(data().rows, data().labels)
    artifact = taken_the_whole_way(model, data().rows, data().labels, tmp_path / "a")
    assert precision == "" or artifact.parity.precision == precision
    assert artifact.metadata.libraries["xgboost"] == xgboost.__version__


def test_early_stopping_leaves_out_the_last_trees(tmp_path: Path) -> None:
    rows, labels = cancer().rows, cancer().labels
    model = xgboost.XGBClassifier(**EARLY).fit(
        rows[::2], labels[::2], eval_set=[(rows[1::2], labels[1::2])], verbose=False
    )
    assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    artifact = taken_the_whole_way(model, rows, labels, tmp_path / "a")
    assert artifact.parity.proven


def test_an_array_without_names(tmp_path: Path) -> None:
    rows = iris().rows.to_numpy()
    model = xgboost.XGBClassifier(n_estimators=3).fit(rows, iris().labels)
    artifact = taken_the_whole_way(model, rows, iris().labels, tmp_path / "a")
    assert artifact.signature.names == ("x0", "x1", "x2", "x3")


@pytest.mark.parametrize("objective", ["binary:logistic", "multi:softprob", "multi:softmax", "reg:squarederror"])
def test_a_bare_booster_becomes_what_its_objective_says(objective: str, tmp_path: Path) -> None:
    data = cancer() if objective.startswith("binary") else iris()
    options = {"objective": objective} | ({"num_class": 3} if objective.startswith("multi") else {})
    booster = xgboost.train(options, xgboost.DMatrix(data.rows, data.labels), 4)
    given = booster.predict(xgboost.DMatrix(data.rows))
    ModelArtifact(booster, reference=data.rows, target=data.labels, name="m", lock=False).save(tmp_path / "a")
    answers = ModelArtifact.load(tmp_path / "a").runtime("xgboost")
    said = ModelArtifact.load(tmp_path / "a").predict(data.rows)
    assert answers is not None
    if objective == "multi:softmax":
        assert said.values.tolist() == given.tolist()
    elif objective.startswith("reg"):
        assert said.values.astype(float) == pytest.approx(given, rel=1e-5, abs=1e-5)
    else:
        assert said.probabilities is not None
        assert (said.probabilities[:, 1] if given.ndim == 1 else said.probabilities) == pytest.approx(given, abs=1e-6)


@pytest.mark.parametrize("kind", ["json", pytest.param("ubj", marks=pytest.mark.slow)])
def test_a_file_of_xgboost_itself_is_told_by_its_content(kind: str, tmp_path: Path) -> None:
    model = xgboost.XGBClassifier(n_estimators=4).fit(iris().rows, iris().labels)
    (tmp_path / "model.bin").write_bytes(bytes(model.get_booster().save_raw(kind)))
    read = read_model(tmp_path / "model.bin")
    assert np.array_equal(read.predict_proba(iris().rows), model.predict_proba(iris().rows))


def test_a_category_that_was_never_shown_is_refused_whatever_it_is_called() -> None:
    rows = mixed().rows
    model = xgboost.XGBClassifier(n_estimators=4, enable_categorical=True).fit(rows, mixed().labels)
    read = BOOSTER.read(boosting.write(BOOSTER, model), where="x")
    for stranger in ("Tokyo", "", "見知らぬ値"):
        asked = rows.assign(city=pd.Series([stranger] * 150).astype("category"))
        with pytest.raises(ValueError, match=r"category|Category|not in the training"):
            read.predict(asked)


def test_categories_that_xgboost_mixes_up_are_refused() -> None:
    rows = mixed().rows.assign(city=mixed().rows["city"].cat.rename_categories(["東京", "大阪府", "奈良"]))
    model = xgboost.XGBClassifier(n_estimators=4, enable_categorical=True).fit(rows, mixed().labels)
    with pytest.raises(CannotPack, match="not ASCII"):
        BOOSTER.write(model)


@pytest.mark.parametrize("objective", ["binary:logitraw", "binary:hinge"])
def test_scores_that_are_no_probabilities(objective: str) -> None:
    model = xgboost.XGBClassifier(n_estimators=2, objective=objective).fit(cancer().rows, cancer().labels)
    with pytest.raises(CannotPack, match="no probabilities"):
        boosting.write(BOOSTER, model)


def test_several_answers_a_row() -> None:
    answers = np.column_stack([diabetes().labels, diabetes().labels])
    for strategy in ("one_output_per_tree", "multi_output_tree"):
        model = xgboost.XGBRegressor(n_estimators=2, multi_strategy=strategy).fit(diabetes().rows, answers)
        with pytest.raises(CannotPack):
            boosting.write(BOOSTER, model)


@pytest.fixture(scope="module")
def whole() -> bytes:
    model = xgboost.XGBClassifier(n_estimators=4, enable_categorical=True, max_cat_to_onehot=1)
    return BOOSTER.write(model.fit(mixed().rows, mixed().labels))


def test_spoiled_files_are_refused(whole: bytes) -> None:
    must_refuse(BOOSTER, whole)
    must_refuse(BOOSTER, json.dumps(json.loads(_as_json(whole))).encode())


def test_what_is_written_is_what_was_read(whole: bytes) -> None:
    assert ubjson.encode(ubjson.decode(ubjson.encode(ubjson.decode(whole)))) == ubjson.encode(ubjson.decode(whole))


def test_bytes_changed_at_random_never_kill(whole: bytes) -> None:
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        bad = bytearray(whole)
        for at in random.integers(0, len(bad), 3):
            bad[at] = int(random.integers(0, 256))
        try:
            BOOSTER.check(bytes(bad), where="x")
        except ArtifactError:
            refused += 1
            continue
        # Whatever our own code lets through, the parser must survive: here, in this process.
        try:
            BOOSTER.read(bytes(bad), where="x").predict_proba(mixed().rows)
        except (ArtifactError, ValueError, xgboost.core.XGBoostError):
            continue
    assert refused > 10


def _as_json(data: bytes) -> str:
    return json.dumps(ubjson.decode(data), default=lambda value: value.tolist())


def tree(document: Any) -> Any:
    """Return the first tree that splits by category."""
    trees = document["learner"]["gradient_booster"]["model"]["trees"]
    return next(tree for tree in trees if tree["categories"])


def put(array: str, at: int, value: int) -> Callable[[Any], None]:
    return lambda document: tree(document)[array].__setitem__(at, value)


def test_a_child_that_names_another_parent(whole: bytes) -> None:
    document = json.loads(_as_json(whole))
    tree(document)["parents"][1] = 7_000
    with pytest.raises(IntegrityError, match="points outside itself"):
        BOOSTER.check(json.dumps(document).encode(), where="x")


LIES: dict[str, Callable[[Any], Any]] = {
    "a child that is not there": put("left_children", 0, 10**6),
    "a child before the tree": put("right_children", 0, -7),
    "a circle": put("left_children", 0, 0),
    "two parents": lambda document: tree(document)["right_children"].__setitem__(
        0, int(tree(document)["left_children"][0])
    ),
    "a feature that is not there": put("split_indices", 0, 10**6),
    "another number of nodes": lambda document: tree(document)["tree_param"].update(num_nodes="1000000000"),
    "another number of trees": lambda document: document["learner"]["gradient_booster"]["model"][
        "gbtree_model_param"
    ].update(num_trees="99999"),
    "an absurd number of features": lambda document: document["learner"]["learner_model_param"].update(
        num_feature="4294967295"
    ),
    "an absurd number of classes": lambda document: document["learner"]["learner_model_param"].update(
        num_class="2147483647"
    ),
    "a class that is not there": lambda document: document["learner"]["gradient_booster"]["model"][
        "tree_info"
    ].__setitem__(0, 77),
    "no objective": lambda document: document["learner"].pop("objective"),
    "an unknown objective": lambda document: document["learner"]["objective"].update(name="evil"),
    "an unknown booster": lambda document: document["learner"]["gradient_booster"].update(name="evil"),
    "categories beyond the limits": lambda document: tree(document).update(
        categories=[2**30] * len(tree(document)["categories"])
    ),
    "categories that lie outside": lambda document: tree(document).update(
        categories_segments=[10**9] * len(tree(document)["categories_segments"])
    ),
    "an estimator of another kind": lambda document: document["learner"]["attributes"].update(
        sekisho='{"name": "DaskXGBClassifier"}'
    ),
    "an estimator that is code": lambda document: document["learner"]["attributes"].update(
        sekisho='{"name": "__import__"}'
    ),
    "leaves of several numbers": lambda document: tree(document)["tree_param"].update(size_leaf_vector="4"),
    "text for numbers": lambda document: tree(document).update(split_conditions="abc"),
    "names that are too few": lambda document: document["learner"].update(feature_names=["a"]),
    "rounds that do not end": lambda document: document["learner"]["gradient_booster"]["model"].update(
        iteration_indptr=[0, 10**9]
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_documents_that_lie(lie: str, whole: bytes) -> None:
    document = json.loads(_as_json(whole))
    assert BOOSTER.read(json.dumps(document).encode(), where="x").n_features_in_ == 6
    LIES[lie](document)
    with pytest.raises(IntegrityError):
        BOOSTER.check(json.dumps(document).encode(), where="x")


@pytest.mark.parametrize(
    "bad",
    [
        b"{" + b"L\x00\x00\x00\x00\x00\x00\x00\x07learner{" * 3,
        b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner{" + b"L\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner{L\x00\x00\x00\x00\x00\x00\x00\x01a[$d#L\x00\x00\x00\x7f\xff\xff\xff\xff",
        b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner{L\x00\x00\x00\x00\x00\x00\x00\x01a" + b"[" * 10_000,
        b'{"learner": {"learner": 1, "learner": 2}}',
        b'{"learner": {"a": ' + b"[" * 100_000,
    ],
)
def test_absurd_lengths_and_depths(bad: bytes) -> None:
    with pytest.raises(IntegrityError):
        BOOSTER.check(bad, where="x")


def test_a_pickle_is_called_one(tmp_path: Path) -> None:
    import pickle

    model = xgboost.XGBClassifier(n_estimators=2).fit(iris().rows, iris().labels)
    (tmp_path / "model.ubj").write_bytes(pickle.dumps(model))
    with pytest.raises(UntrustedFormat):
        read_model(tmp_path / "model.ubj")


def test_the_number_that_is_missing_is_kept() -> None:
    model = xgboost.XGBClassifier(n_estimators=2, missing=-999).fit(iris().rows, iris().labels)
    assert BOOSTER.read(BOOSTER.write(model), where="x").missing == -999
    model = xgboost.XGBClassifier(n_estimators=2).fit(iris().rows, iris().labels)
    assert math.isnan(BOOSTER.read(BOOSTER.write(model), where="x").missing)
