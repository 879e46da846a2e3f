"""LightGBM: estimators come back as they were, and no hostile text reaches its parser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np
import pytest
from tests.artifact.formats.boosted import cancer, diabetes, iris, mixed, some_slow, taken_the_whole_way

from sekisho.artifact import boosting
from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.boosters.lightgbm import BOOSTER
from sekisho.artifact.packing import read_model
from sekisho.errors import ArtifactError, CannotPack, IntegrityError

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS: dict[str, Any] = {"n_estimators": 12, "verbose": -1, "n_jobs": 1}
FOREST: dict[str, Any] = {"boosting_type": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}
MODELS: dict[str, tuple[Any, Any, str | None]] = {
    # The estimator, its data, and what computes the graph that serves: None if none does.
    "binary": (lightgbm.LGBMClassifier(**OPTIONS), cancer, "double"),
    "several classes": (lightgbm.LGBMClassifier(**OPTIONS), iris, "double"),
    "numbers": (lightgbm.LGBMRegressor(**OPTIONS), diabetes, "double"),
    "counts": (lightgbm.LGBMRegressor(objective="poisson", **OPTIONS), diabetes, "double"),
    "quantile": (lightgbm.LGBMRegressor(objective="quantile", alpha=0.9, **OPTIONS), diabetes, "double"),
    "square root": (lightgbm.LGBMRegressor(reg_sqrt=True, **OPTIONS), diabetes, None),
    "a forest": (lightgbm.LGBMClassifier(**FOREST, **OPTIONS), cancer, "double"),
    "dropped trees": (lightgbm.LGBMClassifier(boosting_type="dart", **OPTIONS), cancer, "double"),
    "lines in leaves": (lightgbm.LGBMRegressor(linear_tree=True, **OPTIONS), diabetes, None),
    "zeros are nulls": (lightgbm.LGBMRegressor(zero_as_missing=True, **OPTIONS), diabetes, None),
    "categories": (lightgbm.LGBMClassifier(min_child_samples=2, min_data_per_group=2, **OPTIONS), mixed, "double"),
}
QUICK = {"binary", "categories", "lines in leaves", "counts", "zeros are nulls"}


@pytest.mark.parametrize("name", some_slow(MODELS, QUICK))
def test_an_estimator_comes_back_as_it_was(name: str, tmp_path: Path) -> None:
    model, data, precision = MODELS[name]
    target = data().names if data().names is not None else data().labels
    model.fit(data().rows, target)
    artifact = taken_the_whole_way(model, data().rows, target, tmp_path / "a")
    assert artifact.parity.precision == precision
    assert artifact.metadata.libraries["lightgbm"] == lightgbm.__version__
    if artifact.signature.output.classes is not None:
        assert artifact.signature.output.classes == tuple(sorted(set(target)))


@pytest.mark.filterwarnings("ignore::lightgbm.basic.LGBMDeprecationWarning")
def test_early_stopping_leaves_out_the_last_trees(tmp_path: Path) -> None:
    rows, labels = cancer().rows, cancer().names
    model = lightgbm.LGBMClassifier(n_estimators=500, learning_rate=0.5, verbose=-1)
    stop = lightgbm.early_stopping(3, verbose=False)
    model.fit(rows[::2], labels[::2], eval_set=[(rows[1::2], labels[1::2])], callbacks=[stop])
    assert model.best_iteration_ < 500
    assert taken_the_whole_way(model, rows, labels, tmp_path / "a").parity.proven


@pytest.mark.parametrize("labels", [iris().labels.to_numpy() == 1, iris().labels.to_numpy().astype(np.int8) + 3])
def test_an_array_without_names_and_labels_of_other_types(labels: Any, tmp_path: Path) -> None:
    rows = iris().rows.to_numpy()
    model = lightgbm.LGBMClassifier(**OPTIONS).fit(rows, labels)
    artifact = taken_the_whole_way(model, rows, labels, tmp_path / "a")
    assert artifact.signature.output.dtype == str(labels.dtype)
    assert artifact.signature.names == ("x0", "x1", "x2", "x3")


def test_numbers_that_are_categories(tmp_path: Path) -> None:
    rows = iris().rows.assign(floor=np.random.default_rng(0).integers(0, 9, 150) + 3 * iris().labels)
    model = lightgbm.LGBMClassifier(min_data_per_group=2, cat_smooth=0.1, **OPTIONS)
    model.fit(rows, iris().names, categorical_feature=["floor"])
    taken_the_whole_way(model, rows, iris().names, tmp_path / "a")


def test_names_with_spaces_are_found_again(tmp_path: Path) -> None:
    model = lightgbm.LGBMClassifier(**OPTIONS).fit(iris().rows, iris().names)
    artifact = ModelArtifact(model, reference=iris().rows.assign(other=1.0), target=iris().names, name="m", lock=False)
    assert artifact.signature.names == tuple(iris().rows.columns)


@pytest.mark.parametrize("objective", ["binary", "multiclass", "regression"])
def test_a_bare_booster_becomes_what_its_objective_says(objective: str) -> None:
    data = cancer() if objective == "binary" else iris()
    options = {"objective": objective, "verbose": -1} | ({"num_class": 3} if objective == "multiclass" else {})
    booster = lightgbm.train(options, lightgbm.Dataset(data.rows, data.labels), 4)
    given: Any = booster.predict(data.rows)
    estimator = boosting.settled(booster)
    if objective == "regression":
        assert np.array_equal(estimator.predict(data.rows), given)
    else:
        answers = estimator.predict_proba(data.rows)
        assert np.array_equal(answers[:, 1] if objective == "binary" else answers, given)


def test_a_file_of_lightgbm_itself_is_told_by_its_content(tmp_path: Path) -> None:
    model = lightgbm.LGBMClassifier(**OPTIONS).fit(mixed().rows, mixed().labels)
    model.booster_.save_model(tmp_path / "model.json")
    read = read_model(tmp_path / "model.json")
    given: Any = model.predict_proba(mixed().rows)
    assert np.array_equal(read.predict_proba(mixed().rows), given)


def test_scores_that_do_not_add_up_to_one() -> None:
    model = lightgbm.LGBMClassifier(objective="multiclassova", **OPTIONS).fit(iris().rows, iris().names)
    with pytest.raises(CannotPack, match="multiclassova"):
        boosting.write(BOOSTER, model)


@pytest.fixture(scope="module")
def whole() -> bytes:
    model = lightgbm.LGBMClassifier(min_child_samples=2, min_data_per_group=2, n_estimators=4, verbose=-1)
    return BOOSTER.write(model.fit(mixed().rows, mixed().names))


def test_writing_again_gives_the_same_bytes(whole: bytes) -> None:
    assert BOOSTER.write(BOOSTER.read(whole, where="x")).split(b"\nparameters:")[0] == whole.split(b"\nparameters:")[0]


def test_spoiled_files_are_refused(whole: bytes) -> None:
    trees = whole[: whole.index(b"end of trees\n") + 13]  # what follows may be cut off without harm
    for tenth in range(10):
        with pytest.raises(ArtifactError):
            BOOSTER.check(trees[: len(trees) * tenth // 10], where="x")
    with pytest.raises(ArtifactError):
        BOOSTER.check(whole + b"\x00", where="x")


def test_bytes_changed_at_random_never_kill(whole: bytes) -> None:
    random = np.random.default_rng(0)
    end = whole.index(b"end of trees")
    refused = 0
    for _ in range(150):
        bad = bytearray(whole)
        for at in random.integers(0, end, 3):
            bad[at] = int(random.choice(np.frombuffer(b"0123456789 -=\n.e", dtype=np.uint8)))
        try:
            BOOSTER.check(bytes(bad), where="x")
        except ArtifactError:
            refused += 1
            continue
        # Whatever our own code lets through, the parser must survive: here, in this process.
        try:
            BOOSTER.read(bytes(bad), where="x").predict_proba(mixed().rows)
        except (ArtifactError, ValueError, lightgbm.basic.LightGBMError):
            continue
    assert refused > 10


def line(key: bytes, value: bytes) -> Any:
    """Return the change that writes another value behind the first ``key``, and mends the sizes of the trees."""

    def change(text: bytes) -> bytes:
        before, mark, after = text.partition(b"\n" + key + b"=")
        old, rest = after.split(b"\n", 1)
        text = before + mark + value + b"\n" + rest
        if b"\nTree=0\n" in before:
            at = text.index(b"tree_sizes=") + 11
            size, others = text[at:].split(b" ", 1)
            text = text[:at] + str(int(size) + len(value) - len(old)).encode() + b" " + others
        return text

    return change


LIES = {
    "sizes that lie": line(b"tree_sizes", b"9999999 1"),
    "sizes below zero": line(b"tree_sizes", b"-5 10"),
    "an absurd number of features": line(b"max_feature_idx", b"2147483646"),
    "an absurd number of classes": line(b"num_class", b"2147483647"),
    "an absurd number of trees a round": line(b"num_tree_per_iteration", b"2147483647"),
    "an absurd number of leaves": line(b"num_leaves", b"2000000000"),
    "leaves below zero": line(b"num_leaves", b"-1"),
    "an absurd number of sets": line(b"num_cat", b"1000000000"),
    "a child that is not there": line(b"left_child", b"1000000"),
    "a leaf that is not there": line(b"right_child", b"-99999"),
    "an unknown objective": line(b"objective", b"evil num_class:3"),
    "another number of classes": line(b"objective", b"multiclass num_class:99"),
    "a leaf that is no number": line(b"leaf_value", b"nan"),
    "names that are too few": line(b"feature_names", b"a b"),
    "an unknown line": lambda text: text.replace(b"label_index=0", b"evil_line=0"),
    "a tree twice": lambda text: text.replace(b"Tree=1\n", b"Tree=0\n"),
    "an estimator of another kind": lambda text: text.replace(b'"kind":"classifier"', b'"kind":"evil"'),
    "labels that are too few": lambda text: text.replace(b'"setosa",', b""),
}


@pytest.mark.parametrize("lie", LIES)
def test_texts_that_lie(lie: str, whole: bytes) -> None:
    changed = LIES[lie](whole)
    assert changed != whole
    with pytest.raises(IntegrityError):
        BOOSTER.check(changed, where="x")


def test_a_circle(whole: bytes) -> None:
    before, mark, after = whole.partition(b"\nleft_child=")
    first, rest = after.split(b"\n", 1)
    children = first.split(b" ")
    children[0] = b"0" * len(children[0])
    with pytest.raises(IntegrityError, match="points outside itself"):
        BOOSTER.check(before + mark + b" ".join(children) + b"\n" + rest, where="x")
