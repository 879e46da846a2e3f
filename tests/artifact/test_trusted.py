"""The curated list: each type on it was looked at for code that runs when it is rebuilt, and the list of such code is kept here."""

from __future__ import annotations

import importlib
import inspect
from types import BuiltinFunctionType, FunctionType
from typing import Any

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.calibration import CalibratedClassifierCV
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import IsolationForest
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.impute import IterativeImputer
from sklearn.linear_model import LogisticRegression, SGDOneClassSVM
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, StratifiedKFold
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import OneClassSVM

from sekisho.artifact.formats.skops import FORMAT, load, untrusted_types
from sekisho.artifact.trusted import TRUSTED_TYPES

ROWS = np.random.default_rng(0).normal(size=(60, 3))
LABELS = (ROWS[:, 0] > 0).astype(int)

LOOKED_AT = {
    "sklearn.base.BaseEstimator.__setstate__": "compares versions and warns",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor.__setstate__": "turns bytes in the order of the machine",
    "sklearn.frozen._frozen.FrozenEstimator.__getattr__": "asks the estimator inside",
    "sklearn.impute._iterative._ImputerTriplet.__new__": "a named tuple",
    "sklearn.isotonic.IsotonicRegression.__setstate__": "builds the interpolation from its own numbers",
    "sklearn.linear_model._passive_aggressive.PassiveAggressiveClassifier.__new__": "warns that it goes",
    "sklearn.linear_model._passive_aggressive.PassiveAggressiveRegressor.__new__": "warns that it goes",
    "sklearn.utils._bunch.Bunch.__getattr__": "a mapping by attribute",
    "sklearn.utils._bunch.Bunch.__setattr__": "a mapping by attribute",
    "sklearn.utils._bunch.Bunch.__setstate__": "does nothing",
    "sklearn.utils._metadata_requests.MetadataRequest.__getattr__": "asks its own fields",
    "numpy.ma.MaskedArray.__new__": "an array and its mask",
    "numpy.ma.MaskedArray.__reduce__": "an array and its mask",
    "numpy.ma.MaskedArray.__setstate__": "an array and its mask",
    "numpy.matrix.__new__": "an array",
    "scipy.sparse._coo.coo_matrix.__setstate__": "fills in coordinates",
}
HOOKS = (
    "__new__",
    "__setstate__",
    "__reduce__",
    "__reduce_ex__",
    "__getattr__",
    "__setattr__",
    "__getattribute__",
    "__del__",
)


def known() -> dict[str, Any]:
    found = {}
    for name in TRUSTED_TYPES:
        module, _, own = name.rpartition(".")
        try:
            found[name] = getattr(importlib.import_module(module), own)
        except (ImportError, AttributeError):
            continue  # of an older or newer version
    return found


def test_code_that_runs_when_a_trusted_type_is_rebuilt_was_looked_at() -> None:
    hooks = {
        f"{owner.__module__}.{owner.__qualname__}.{hook}"
        for kind in known().values()
        if isinstance(kind, type)
        for owner in kind.__mro__
        for hook in HOOKS
        if isinstance(vars(owner).get(hook), FunctionType | staticmethod)
        and not owner.__module__.startswith(("builtins", "collections", "functools", "typing", "abc"))
    }
    assert hooks <= set(LOOKED_AT), sorted(hooks - set(LOOKED_AT))


def test_trusted_functions_only_compute() -> None:
    """A function on the list may be called by whoever rebuilds or asks a model: none of them opens, imports, runs or sends."""
    for name, value in known().items():
        if not isinstance(value, FunctionType):
            assert isinstance(value, type | BuiltinFunctionType | np.ufunc) or callable(value), name
            continue
        source = inspect.getsource(value)
        for word in ("open(", "eval(", "exec(", "subprocess", "os.system", "__import__", "urlopen", "pickle", "socket"):
            assert word not in source, (name, word)


MODELS = {
    "isolation forest": IsolationForest(n_estimators=3, random_state=0),
    "one class": OneClassSVM(),
    "one class, linear": SGDOneClassSVM(random_state=0),
    "local outliers": LocalOutlierFactor(novelty=True),
    "envelope": EllipticEnvelope(random_state=0),
    "imputed in rounds": make_pipeline(IterativeImputer(random_state=0), LogisticRegression()),
    "frozen": CalibratedClassifierCV(FrozenEstimator(LogisticRegression().fit(ROWS, LABELS))),
    "taught by itself": SelfTrainingClassifier(LogisticRegression()),
    "mixture": GaussianMixture(2, random_state=0),
    "search": GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=StratifiedKFold(2), scoring="roc_auc"),
    "search in a pipeline": make_pipeline(GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2, scoring="f1")),
    "search by distributions": RandomizedSearchCV(
        LogisticRegression(), {"C": loguniform(0.1, 10.0)}, n_iter=2, cv=2, random_state=0
    ),
}


@pytest.mark.filterwarnings("ignore:y contains no unlabeled")
@pytest.mark.parametrize("name", MODELS)
def test_kinds_that_load_without_a_flag(name: str) -> None:
    model = MODELS[name].fit(ROWS, LABELS)
    data = FORMAT.write(model, trusted=frozenset())
    assert untrusted_types(data, where="x") == ()
    assert load(data, where="x").predict(ROWS).tolist() == model.predict(ROWS).tolist()


def test_of_a_search_only_what_it_found_is_kept() -> None:
    """Distributions of parameters hold code that is made when they are rebuilt: they are left behind with the search."""
    model = MODELS["search by distributions"].fit(ROWS, LABELS)
    data = FORMAT.write(model, trusted=frozenset())
    assert type(load(data, where="x")) is LogisticRegression
    assert b"scipy.stats" not in data
