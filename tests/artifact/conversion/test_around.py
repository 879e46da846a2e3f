"""Estimators around estimators, kernels, outliers and steps of numbers answer from their graph as by themselves."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.covariance import EllipticEnvelope
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge, SGDOneClassSVM
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, FunctionTransformer, KBinsDiscretizer, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, NuSVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.conversion.compiler import compile_sklearn
from sekisho.artifact.formats.onnx import FORMAT
from sekisho.artifact.native import EstimatorRuntime
from sekisho.artifact.parity import TOLERANCE
from sekisho.artifact.signature import learn_signature
from sekisho.artifact.subject import subject_of

ROWS = 150
random = np.random.default_rng(3)
NUMBERS = pd.DataFrame({name: random.normal(0, 2, ROWS) for name in "abcd"})
SCORE = NUMBERS["a"] + NUMBERS["b"] ** 2 / 2 + random.normal(0, 0.5, ROWS)
TWO, THREE = np.where(SCORE > 1.5, "yes", "no"), np.digitize(SCORE, [0.5, 2.5])


def scaled(estimator: Any) -> Any:
    return make_pipeline(StandardScaler(), estimator)


def three() -> list[tuple[str, Any]]:
    return [("l", scaled(LogisticRegression())), ("t", DecisionTreeClassifier(max_depth=2)), ("b", GaussianNB())]


def two() -> list[tuple[str, Any]]:
    return [("l", scaled(Ridge())), ("t", DecisionTreeRegressor(max_depth=2))]


def agree(model: Any, answers: Any, rows: Any = NUMBERS) -> None:
    """The graph of the highest precision answers as the estimator does, to rows between and beyond those that it was trained on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(rows) if answers is None else model.fit(rows, answers)
    subject = subject_of(model, rows, None if answers is None else np.asarray(answers))
    assert subject.features is not None
    signature = learn_signature(subject.features, subject.output)
    *_, graph = compile_sklearn(model, signature)
    compiled = FORMAT.read(graph.onnx, signature, trusted=frozenset(), where="")
    asked: dict[str, Any] = dict(subject.features.arrays())
    if rows is NUMBERS:
        asked = {name: np.concatenate([values * 0.93, values * 3, values]) for name, values in asked.items()}
    given, expected = compiled.run(asked), EstimatorRuntime(model, signature).run(asked)
    if signature.output.task == "regression":
        wanted = expected.values.astype(float)
        # ONNX Runtime adds the leaves of trees in float32.
        np.testing.assert_allclose(given.values.astype(float), wanted, rtol=0, atol=TOLERANCE * np.abs(wanted).max())
        return
    assert given.values.tolist() == expected.values.tolist()
    assert len(set(given.values.tolist())) > 1 or isinstance(model, DummyClassifier)
    if expected.probabilities is not None:
        assert given.probabilities is not None
        np.testing.assert_allclose(given.probabilities, expected.probabilities, atol=TOLERANCE)


CLASSIFIERS = {
    "soft vote": VotingClassifier(three(), voting="soft", weights=[1, 2, 0.5]),
    "hard vote": VotingClassifier(three(), weights=[2, 1, 1]),
    "stack": StackingClassifier(three(), cv=2),
    "stack with its input": StackingClassifier([*three(), ("v", scaled(LinearSVC()))], passthrough=True, cv=2),
    "calibrated decisions": CalibratedClassifierCV(scaled(LinearSVC()), cv=2),
    "calibrated support vectors": CalibratedClassifierCV(scaled(SVC(gamma=0.3)), cv=2),
    "calibrated in steps": CalibratedClassifierCV(DecisionTreeClassifier(max_depth=3), method="isotonic", cv=2),
    "bag of pipelines": BaggingClassifier(scaled(LogisticRegression()), n_estimators=3, max_features=0.5),
    "search": GridSearchCV(scaled(LogisticRegression()), {"logisticregression__C": [0.1, 1.0]}, cv=2),
    "prior": DummyClassifier(),
    "most frequent": DummyClassifier(strategy="most_frequent"),
    "radial": scaled(SVC(gamma=0.5)),
    "polynomial": scaled(SVC(kernel="poly", degree=2, coef0=1.0)),
    "sigmoid": scaled(SVC(kernel="sigmoid", gamma=0.1)),
    "nu": scaled(NuSVC(nu=0.2)),
    "bins": make_pipeline(KBinsDiscretizer(4, encode="onehot-dense"), LogisticRegression()),
    "threshold": make_pipeline(Binarizer(threshold=0.3), LogisticRegression()),
    "approximate kernel": make_pipeline(Nystroem(n_components=12, random_state=0), LogisticRegression()),
}


@pytest.mark.parametrize("labels", [TWO, THREE], ids=["two", "three"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers(name: str, labels: Any) -> None:
    if name == "calibrated support vectors" and len(set(labels)) > 2:
        pytest.skip("one score for each pair is not a score for each class")
    agree(CLASSIFIERS[name], labels)


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
def test_a_threshold_of_ones_own(threshold: float) -> None:
    agree(FixedThresholdClassifier(scaled(LogisticRegression()), threshold=threshold, pos_label="yes"), TWO)
    agree(FixedThresholdClassifier(scaled(LogisticRegression()), threshold=threshold, pos_label="no"), TWO)


def test_calibrated_after_training() -> None:
    trained = FrozenEstimator(scaled(LogisticRegression()).fit(NUMBERS, TWO))
    agree(CalibratedClassifierCV(trained), TWO)


REGRESSORS = {
    "vote": VotingRegressor(two(), weights=[1, 3]),
    "stack": StackingRegressor(two(), cv=2, passthrough=True),
    "bag": BaggingRegressor(scaled(Ridge()), n_estimators=3, max_features=0.75),
    "mean": DummyRegressor(),
    "support vectors": scaled(SVR(C=10.0)),
    "kernel ridge": scaled(KernelRidge(kernel="poly", gamma=0.1, degree=2)),
    "logarithm": TransformedTargetRegressor(scaled(Ridge()), func=np.log1p, inverse_func=np.expm1),
    "root": TransformedTargetRegressor(Ridge(), func=np.sqrt, inverse_func=np.square),
    "scaled": TransformedTargetRegressor(Ridge(), transformer=StandardScaler()),
    "squares": make_pipeline(FunctionTransformer(np.square), Ridge()),
}


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors(name: str) -> None:
    agree(REGRESSORS[name], np.abs(SCORE))


def test_one_number() -> None:
    agree(IsotonicRegression(out_of_bounds="clip"), SCORE, NUMBERS[["a"]])


OUTLIERS = {
    "isolation forest": IsolationForest(n_estimators=20, random_state=0, contamination=0.1),
    "one class": scaled(OneClassSVM(nu=0.1)),
    "one class, linear": scaled(SGDOneClassSVM(nu=0.4, random_state=0)),
    "envelope": EllipticEnvelope(random_state=0),
}


@pytest.mark.parametrize("name", OUTLIERS)
def test_outliers(name: str) -> None:
    agree(OUTLIERS[name], None)


def test_outliers_are_minus_one_and_one() -> None:
    model = scaled(LocalOutlierFactor(novelty=True)).fit(NUMBERS)
    artifact = ModelArtifact(model, reference=NUMBERS, lock=False)
    output = artifact.signature.output
    assert (output.task, output.classes, output.probabilities) == ("binary", (-1, 1), False)
    assert artifact.predict(NUMBERS * 9).values.tolist() == model.predict(NUMBERS * 9).tolist()


@pytest.mark.parametrize("missing", [False, True], ids=["whole", "with nulls"])
@pytest.mark.parametrize("kind", ["category", "numbers"])
def test_splits_by_category(kind: str, missing: bool) -> None:
    towns = np.random.default_rng(5).choice(["京都", "Köln", "Lyon", "Bath", " Bath"], ROWS)
    rows = NUMBERS.assign(town=pd.Categorical(towns) if kind == "category" else pd.factorize(towns)[0].astype(float))
    answers = np.where(SCORE + 3 * (towns == "Köln") - 2 * (towns == "Bath") > 1.5, "yes", "no")
    if missing:
        rows.loc[::7, ["town", "b"]] = None
    options: dict[str, Any] = {"max_iter": 15, "categorical_features": ["town"], "random_state": 0}
    agree(HistGradientBoostingClassifier(**options), answers, rows)
    agree(HistGradientBoostingRegressor(**options), SCORE + (towns == "Lyon"), rows)
    if kind == "category" and missing:
        artifact = ModelArtifact(
            HistGradientBoostingClassifier(**options).fit(rows, answers), reference=rows, target=answers, lock=False
        )
        assert artifact.parity.proven
        assert artifact.parity.attempts[-1].rows["unseen"] > 0
