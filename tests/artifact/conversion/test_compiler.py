"""Compiled models answer as scikit-learn does: each estimator, each encoder, each precision."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, LinearSVC, LinearSVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.conversion.compiler import compile_sklearn
from sekisho.artifact.formats.onnx import FORMAT
from sekisho.artifact.signature import Output, learn_signature
from sekisho.artifact.table import Table

ROWS = 240
NUMBERS = ["a", "b", "c"]
WORDS = ["job", "town"]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    random = np.random.default_rng(1)
    frame = pd.DataFrame({name: random.normal(0, 10, ROWS) for name in NUMBERS})
    frame["job"] = random.choice(["clerk", "chef", "pilot"], ROWS)
    frame["town"] = random.choice(["京都", "Köln", "Lyon", "Bath"], ROWS, p=[0.4, 0.4, 0.17, 0.03])
    frame["code"] = random.integers(10_000_000, 10_000_006, ROWS)
    frame["flag"] = random.random(ROWS) < 0.5
    frame["whole"] = random.integers(0, 9, ROWS).astype(float)
    frame.loc[::7, ["a", "whole"]] = np.nan
    frame.loc[::5, "town"] = np.nan
    return frame


@pytest.fixture(scope="module")
def score(frame: pd.DataFrame) -> Any:
    random = np.random.default_rng(2)
    return frame["b"] + frame["c"] / 2 + 8 * (frame["job"] == "chef") + random.normal(0, 2, ROWS)


def pack(model: Any, frame: pd.DataFrame, answers: Any) -> ModelArtifact:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(frame, answers)
    return ModelArtifact(model, reference=frame, target=np.asarray(answers), lock=False)


def proven(model: Any, frame: pd.DataFrame, answers: Any, precision: str | None = None) -> ModelArtifact:
    artifact = pack(model, frame, answers)
    parity = artifact.parity
    assert parity.proven, (
        parity.reason,
        [(each.precision, each.reason, each.counter_example) for each in parity.attempts],
    )
    assert precision in {None, parity.precision}
    assert artifact.runtime_name == "onnx"
    given = artifact.runtime("onnx").run(artifact.golden.table(artifact.signature).arrays())
    if artifact.signature.output.task == "regression":
        expected = np.array(artifact.golden.values, dtype=float)
        np.testing.assert_allclose(given.values.astype(float), expected, atol=1e-6 * np.abs(expected).max())
    else:
        assert given.values.tolist() == list(artifact.golden.values)
    return artifact


def columns() -> ColumnTransformer:
    return make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), WORDS),
    )


CLASSIFIERS = {
    "logistic": (LogisticRegression(), "single"),
    "tree": (DecisionTreeClassifier(random_state=0), None),
    "forest": (RandomForestClassifier(20, random_state=0), None),
    "extra trees": (ExtraTreesClassifier(20, random_state=0), None),
    "gradient boosting": (GradientBoostingClassifier(n_estimators=20, random_state=0), None),
    "histogram boosting": (HistGradientBoostingClassifier(max_iter=20, random_state=0), "double"),
    "ada boost": (AdaBoostClassifier(n_estimators=5, random_state=0), None),
    "bagging": (BaggingClassifier(n_estimators=5, random_state=0), None),
    "naive Bayes": (GaussianNB(), None),
    "network": (MLPClassifier(hidden_layer_sizes=(8,), max_iter=50, random_state=0), None),
    "linear discriminant": (LinearDiscriminantAnalysis(), None),
    "quadratic discriminant": (QuadraticDiscriminantAnalysis(reg_param=0.1), None),
    "calibrated": (CalibratedClassifierCV(LinearSVC(), cv=2), None),
    "vote": (VotingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], voting="soft"), None),
    "stack": (StackingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], cv=2), None),
    "support vectors": (SVC(), None),
    "linear support vectors": (LinearSVC(), None),
    "ridge": (RidgeClassifier(), None),
    "hinge": (SGDClassifier(random_state=0), None),
}


USUAL = {"logistic", "tree", "forest", "histogram boosting", "gradient boosting", "linear support vectors", "network"}


@pytest.mark.parametrize(
    "name", [name if name in USUAL else pytest.param(name, marks=pytest.mark.slow) for name in CLASSIFIERS]
)
def test_binary_classifiers_with_strings_and_nulls(name: str, frame: pd.DataFrame, score: Any) -> None:
    estimator, precision = CLASSIFIERS[name]
    artifact = proven(
        make_pipeline(columns(), estimator), frame[NUMBERS + WORDS], np.where(score > 0, "はい", "いいえ"), precision
    )
    assert artifact.signature.output.classes == ("いいえ", "はい")


@pytest.mark.parametrize(
    "name", ["logistic", "forest", "histogram boosting", "gradient boosting", "linear discriminant", "network"]
)
@pytest.mark.parametrize(
    "labels", [["a", "b", "c"], pytest.param([7, 2, 5], marks=pytest.mark.slow)], ids=["strings", "integers"]
)
def test_classifiers_of_three(name: str, labels: list[Any], frame: pd.DataFrame, score: Any) -> None:
    answers = np.array(labels)[np.digitize(score, [-5, 8])]
    artifact = proven(make_pipeline(columns(), CLASSIFIERS[name][0]), frame[NUMBERS + WORDS], answers)
    assert artifact.signature.output.task == "multiclass"
    assert artifact.predict(frame).values.dtype == (object if labels[0] == "a" else np.int64)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.float64, object])
def test_labels_keep_their_dtype(dtype: Any, frame: pd.DataFrame, score: Any) -> None:
    labels: list[Any] = {bool: [False, True], np.int8: [-1, 1], np.float64: [0.0, 1.0], object: ["no", "yes"]}[dtype]  # type: ignore[assignment]
    answers = np.array(labels, dtype=dtype)[(score > 0).astype(int)]
    artifact = proven(make_pipeline(columns(), LogisticRegression()), frame[NUMBERS + WORDS], answers)
    given = artifact.predict(frame)
    assert given.values.dtype == dtype
    assert set(given.values.tolist()) == set(labels)
    assert [type(label) for label in artifact.signature.output.classes or ()] == [type(labels[0])] * 2


REGRESSORS = {
    "linear": (LinearRegression(), None),
    "ridge": (Ridge(), None),
    "lasso": (Lasso(), None),
    "elastic net": (ElasticNet(), None),
    "linear support vectors": (LinearSVR(), None),
    "tree": (DecisionTreeRegressor(random_state=0), None),
    "forest": (RandomForestRegressor(10, random_state=0), None),
    "gradient boosting": (GradientBoostingRegressor(n_estimators=20, random_state=0), None),
    "histogram boosting": (HistGradientBoostingRegressor(max_iter=20, random_state=0), "double"),
    "histogram of counts": (HistGradientBoostingRegressor(loss="poisson", max_iter=20, random_state=0), "double"),
    "counts": (PoissonRegressor(), None),
    "network": (MLPRegressor(hidden_layer_sizes=(8,), max_iter=50, random_state=0), None),
}


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors(name: str, frame: pd.DataFrame, score: Any) -> None:
    estimator, precision = REGRESSORS[name]
    artifact = proven(make_pipeline(columns(), estimator), frame[NUMBERS + WORDS], np.abs(score), precision)
    output = artifact.signature.output
    assert (output.task, output.classes, output.probabilities) == ("regression", None, False)
    assert output.minimum is not None
    assert output.maximum is not None
    given = artifact.predict(frame)
    assert given.probabilities is None
    assert given.values.dtype == np.float64


ENCODERS = {
    "one-hot, unknown ignored": OneHotEncoder(handle_unknown="ignore"),
    "one-hot, unknown refused": OneHotEncoder(),
    "one-hot, first dropped": OneHotEncoder(drop="first", handle_unknown="ignore"),
    "one-hot, dropped if binary": OneHotEncoder(drop="if_binary", handle_unknown="ignore"),
    "one-hot, rare together": OneHotEncoder(min_frequency=10, handle_unknown="infrequent_if_exist"),
    "one-hot, few": OneHotEncoder(max_categories=2, handle_unknown="ignore"),
    "ordinal, unknown refused": OrdinalEncoder(),
    "ordinal, unknown coded": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    "ordinal, null coded": OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
    ),
    "ordinal, rare together": OrdinalEncoder(min_frequency=10, handle_unknown="use_encoded_value", unknown_value=-1),
    "target": TargetEncoder(cv=2, random_state=0),
}


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize(
    "chosen",
    [
        pytest.param(WORDS, marks=pytest.mark.slow, id="words"),
        pytest.param(["job", "code", "flag"], marks=pytest.mark.slow, id="several kinds"),
        pytest.param(["whole", "town"], id="with nulls"),
    ],
)
def test_encoders(name: str, chosen: list[str], frame: pd.DataFrame, score: Any) -> None:
    encoder = make_column_transformer((ENCODERS[name], chosen), (SimpleImputer(), NUMBERS))
    model = HistGradientBoostingClassifier(max_iter=10) if "ordinal" in name else LogisticRegression()
    if not any(part in name for part in ("ordinal", "target")):
        encoder.set_params(sparse_threshold=0)
    proven(make_pipeline(encoder, model), frame, np.where(score > 0, "y", "n"))


@pytest.mark.parametrize("missing", [None, np.nan], ids=repr)
@pytest.mark.parametrize("strategy", ["most_frequent", "constant"])
def test_imputed_strings(missing: Any, strategy: str, frame: pd.DataFrame, score: Any) -> None:
    words = frame[WORDS].astype(object).where(frame[WORDS].notna(), missing)
    imputer = SimpleImputer(
        strategy=strategy, missing_values=missing, fill_value="?" if strategy == "constant" else None
    )
    model = make_pipeline(imputer, OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    proven(model, words, np.where(score > 0, "y", "n"))


@pytest.mark.parametrize(
    "imputer",
    [SimpleImputer(strategy="median"), SimpleImputer(add_indicator=True), SimpleImputer(keep_empty_features=True)],
    ids=repr,
)
def test_imputed_numbers(imputer: SimpleImputer, frame: pd.DataFrame, score: Any) -> None:
    numbers = frame[["a", "b", "whole"]].assign(empty=np.nan)
    proven(make_pipeline(imputer, Ridge()), numbers, score)


@pytest.mark.parametrize(
    "step",
    [
        MinMaxScaler(clip=True),
        MaxAbsScaler(),
        RobustScaler(),
        StandardScaler(with_mean=False),
        StandardScaler(with_std=False),
        PolynomialFeatures(2),
        PCA(2),
        SelectKBest(k=2),
        FunctionTransformer(np.exp),
        FunctionTransformer(),
        FeatureUnion([("a", StandardScaler()), ("b", MinMaxScaler())], transformer_weights={"b": 2.0}),
    ],
    ids=repr,
)
def test_steps_on_numbers(step: Any, frame: pd.DataFrame, score: Any) -> None:
    numbers = frame[["b", "c"]] / 10
    proven(make_pipeline(step, Ridge()), numbers.assign(d=frame["whole"].fillna(0)), score)


def test_columns_chosen_in_every_way(frame: pd.DataFrame, score: Any) -> None:
    numbers = frame[["b", "c", "code"]].assign(code=frame["code"] % 10, d=1.0)
    by_all = ColumnTransformer(
        [
            ("names", StandardScaler(), ["c", "b"]),
            ("mask", "passthrough", [True, False, False, False]),
            ("slice", MinMaxScaler(), slice(0, 2)),
            ("one", StandardScaler(), [2]),
            ("negative", "passthrough", [-1]),
            ("dropped", "drop", ["code"]),
            ("callable", MaxAbsScaler(), lambda frame: [name for name in frame if name == "b"]),
        ],
        transformer_weights={"names": 3.0},
    )
    model = make_pipeline(by_all, Ridge()).fit(numbers, score)
    table = Table.of(numbers)
    signature = learn_signature(table, Output(task="regression"))
    for graph in compile_sklearn(model, signature):
        runtime = FORMAT.read(graph.onnx, signature, trusted=frozenset(), where="")
        np.testing.assert_allclose(runtime.run(table.arrays()).values.astype(float), model.predict(numbers), atol=1e-5)


def test_a_search_is_its_best_estimator(frame: pd.DataFrame, score: Any) -> None:
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2)
    fitted = search.fit(frame[["b", "c"]], score > 0).best_estimator_
    proven(fitted, frame[["b", "c"]], score > 0)


def test_arrays_without_names(frame: pd.DataFrame, score: Any) -> None:
    numbers = frame[["b", "c"]].to_numpy()
    model = RandomForestClassifier(10, random_state=0).fit(numbers, score > 0)
    artifact = ModelArtifact(model, reference=numbers, target=np.asarray(score > 0), lock=False)
    assert artifact.parity.proven
    assert artifact.signature.names == ("x0", "x1")
    assert artifact.predict(numbers).values.tolist() == model.predict(numbers).tolist()


def test_float32_columns_and_whole_numbers_beyond_float32(frame: pd.DataFrame, score: Any) -> None:
    features = pd.DataFrame({"single": frame["b"].astype(np.float32), "code": frame["code"] * 16 + (score > 0)})
    artifact = proven(DecisionTreeClassifier(random_state=0), features, score > 0)
    assert (
        artifact.predict(features).values.tolist()
        == DecisionTreeClassifier(random_state=0).fit(features, score > 0).predict(features).tolist()
    )


FALLBACKS: dict[str, tuple[Any, list[str], str]] = {
    "nearest neighbours": (KNeighborsClassifier(3), ["b", "c"], "no ONNX form answers as it does"),
    "a transformer without a form": (
        make_pipeline(QuantileTransformer(n_quantiles=20, output_distribution="normal"), LogisticRegression()),
        ["b", "c"],
        "ONNX form",
    ),
}


@pytest.mark.parametrize("name", FALLBACKS)
def test_what_cannot_be_proven_equal_answers_by_itself(name: str, frame: pd.DataFrame, score: Any) -> None:
    model, chosen, reason = FALLBACKS[name]
    features = frame[chosen]
    artifact = pack(model, features, np.where(score > 0, "y", "n"))
    assert not artifact.parity.proven
    assert artifact.runtime_name == "skops"
    assert reason in str(artifact.parity.reason)
    assert "model.onnx" not in [file.name for file in artifact.manifest.files]
    assert artifact.predict(features).values.tolist() == model.predict(features).tolist()
