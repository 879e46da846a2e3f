"""Models of boosting libraries inside estimators of scikit-learn: taken out as their own files, and put back."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import catboost
import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from tests.artifact.formats.boosted import artifact_table, cancer, iris, mixed, some_slow, taken_the_whole_way

from sekisho.artifact import boosting, lock
from sekisho.artifact.formats.skops import FORMAT, load
from sekisho.errors import ArtifactError, IntegrityError
from sekisho.predict.fence import Fence, FencedRuntime, Nursery

if TYPE_CHECKING:
    from pathlib import Path

XGB: dict[str, Any] = {"n_estimators": 8}
LGBM: dict[str, Any] = {"n_estimators": 8, "verbose": -1, "n_jobs": 1}
CAT: dict[str, Any] = {"iterations": 8, "depth": 3, "verbose": 0, "allow_writing_files": False}


def before() -> Any:
    numbers = list(iris().rows.columns)
    return make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers), (OneHotEncoder(handle_unknown="ignore"), ["city"])
    )


MODELS: dict[str, tuple[Any, Any, str]] = {
    # The estimator, its data, and which of its targets.
    "pipeline of xgboost": (make_pipeline(before(), xgboost.XGBClassifier(**XGB)), mixed, "labels"),
    "pipeline of lightgbm": (make_pipeline(before(), lightgbm.LGBMClassifier(**LGBM)), mixed, "names"),
    "pipeline of catboost": (make_pipeline(before(), catboost.CatBoostClassifier(**CAT)), mixed, "names"),
    "calibrated": (CalibratedClassifierCV(lightgbm.LGBMClassifier(**LGBM), cv=2), cancer, "names"),
    "calibrated xgboost": (
        CalibratedClassifierCV(xgboost.XGBClassifier(**XGB), cv=2, method="isotonic"),
        cancer,
        "labels",
    ),
    "search": (
        GridSearchCV(make_pipeline(before(), xgboost.XGBClassifier(**XGB)), {"xgbclassifier__max_depth": [2, 3]}, cv=2),
        mixed,
        "labels",
    ),
    "voting": (
        VotingClassifier(
            [
                ("x", xgboost.XGBClassifier(**XGB)),
                ("l", lightgbm.LGBMClassifier(**LGBM)),
                ("c", catboost.CatBoostClassifier(**CAT)),
                ("s", LogisticRegression(max_iter=5_000)),
            ],
            voting="soft",
        ),
        iris,
        "names",
    ),
    "stacking": (
        StackingClassifier(
            [("x", xgboost.XGBClassifier(**XGB)), ("l", lightgbm.LGBMClassifier(**LGBM))], LogisticRegression(), cv=2
        ),
        iris,
        "labels",
    ),
}


def _objects(model: Any) -> set[int]:
    """Return what a model is made of; the lists around it are made anew by scikit-learn itself."""
    return {id(value) for value in boosting.parts(model) if not isinstance(value, list | tuple)}


@pytest.mark.parametrize("name", some_slow(MODELS, {"pipeline of lightgbm", "calibrated"}))
def test_a_composite_comes_back_as_it_was(name: str, tmp_path: Path) -> None:
    model, data, target = MODELS[name]
    answers = getattr(data(), target)
    model.fit(data().rows, answers)
    given = _objects(model)
    artifact = taken_the_whole_way(model, data().rows, answers, tmp_path / "a")
    assert _objects(model) == given, "the user's own model was changed"
    assert artifact.manifest.file("model.skops") is not None
    if name.startswith("pipeline"):
        assert artifact.parity.proven


@pytest.fixture(scope="module")
def pipeline() -> Any:
    return make_pipeline(StandardScaler(), xgboost.XGBClassifier(**XGB)).fit(iris().rows, iris().labels)


def test_no_type_of_a_boosting_library_has_to_be_trusted(pipeline: Any) -> None:
    data = FORMAT.write(pipeline, trusted=frozenset())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert b"xgboost.sklearn" not in archive.read("schema.json")


def test_versions_and_lock_name_what_is_inside(pipeline: Any) -> None:
    from sekisho.artifact.metadata import library_versions

    assert library_versions(pipeline)["xgboost"] == xgboost.__version__
    assert {"xgboost", "xgboost-cpu"} & set(lock.needed(pipeline, native=True))
    inside = CalibratedClassifierCV(lightgbm.LGBMClassifier(**LGBM), cv=2).fit(cancer().rows, cancer().names)
    assert "lightgbm" in lock.needed(inside, native=True)


def changed(data: bytes, change: Any) -> bytes:
    """Return a skops file with its arrays of bytes, or its schema, changed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(stream, "w") as target:
        for name in source.namelist():
            target.writestr(name, change(name, source.read(name)))
    return stream.getvalue()


def cut(name: str, content: bytes) -> bytes:
    if not name.endswith(".npy"):
        return content
    array = np.load(io.BytesIO(content))
    if array.dtype != np.uint8 or array.ndim != 1:
        return content
    stream = io.BytesIO()
    np.save(stream, array[: len(array) // 2])
    return stream.getvalue()


def as_pickle(name: str, content: bytes) -> bytes:
    if not name.endswith(".npy") or np.load(io.BytesIO(content)).dtype != np.uint8:
        return content
    stream = io.BytesIO()
    np.save(stream, np.frombuffer(b"\x80\x04\x95cos\nsystem\n.", dtype=np.uint8))
    return stream.getvalue()


def other_words(old: str, new: str) -> Any:
    return lambda name, content: content.replace(json.dumps(old).encode(), json.dumps(new).encode())


@pytest.mark.parametrize(
    "change",
    [
        cut,
        as_pickle,
        lambda name, content: content.replace(b"XGBClassifier", b"os.system") if name == "schema.json" else content,
        lambda name, content: content.replace(b'\\"xgboost\\"', b'\\"evil\\"') if name == "schema.json" else content,
    ],
)
def test_a_booster_inside_that_is_damaged(change: Any, pipeline: Any) -> None:
    data = FORMAT.write(pipeline, trusted=frozenset())
    bad = changed(data, change)
    assert bad != changed(data, lambda name, content: content)
    with pytest.raises(ArtifactError):
        load(bad, where="x")


def test_places_that_lie() -> None:
    for place in (
        {boosting.MARK: "evil", "class": "XGBClassifier"},
        {boosting.MARK: "xgboost", "class": "Booster"},
        {boosting.MARK: "xgboost", "class": "os.system"},
        {boosting.MARK: "xgboost", "class": "XGBClassifier", "data": "text"},
        {boosting.MARK: "xgboost", "class": "XGBClassifier", "data": np.zeros(3)},
        {boosting.MARK: ["xgboost"], "class": "XGBClassifier"},
    ):
        with pytest.raises(IntegrityError):
            boosting.put_back({"step": [place]}, where="x")


def test_native_children_answer_behind_a_fence(tmp_path: Path) -> None:
    """CatBoost with categories and a composite, which ONNX does not answer for, in forks of a nursery."""
    from sekisho.artifact.artifact import ModelArtifact

    rows = iris().rows.assign(city=np.array(["Nara", "Uji", "Kobe"])[iris().labels])
    model = catboost.CatBoostClassifier(cat_features=["city"], **CAT).fit(rows, iris().names)
    ModelArtifact(model, reference=rows, target=iris().names, name="m", lock=False).save(tmp_path / "a")
    artifact = ModelArtifact.load(tmp_path / "a")
    assert artifact.runtime_name == "catboost"
    nursery = Nursery(tmp_path / "a", Fence())
    runtime = FencedRuntime(tmp_path / "a", Fence(), nursery)
    try:
        answers = runtime.run(artifact_table(artifact, rows), seconds=60)
        assert answers.values.tolist() == model.predict(rows).ravel().tolist()
        assert answers.probabilities is not None
        assert np.array_equal(answers.probabilities, model.predict_proba(rows))
    finally:
        runtime.stop()
        nursery.stop()
