"""Generalised linear models by their own formula: what statsmodels fits, kept as numbers and names."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sekisho.errors import CannotPack
from sekisho.text import Text

if TYPE_CHECKING:
    from numpy.typing import NDArray

LINKS: Final = ("identity", "log", "logit", "probit", "cloglog", "sqrt", "inverse_power", "inverse_squared")
_CONSTANTS: Final = frozenset({"const", "Intercept"})
_OF_FORMULAS: Final = frozenset("()[]:*+-/^~ ")
_GENERALISED: Final = {
    "Identity": "identity",
    "Log": "log",
    "Logit": "logit",
    "Probit": "probit",
    "CLogLog": "cloglog",
    "Sqrt": "sqrt",
    "InversePower": "inverse_power",
    "InverseSquared": "inverse_squared",
}
_LINEAR: Final = frozenset({"OLS", "WLS", "GLS", "GLSAR", "RLM", "QuantReg"})
_DISCRETE: Final = {"Logit": "logit", "Probit": "probit", "Poisson": "log"}
_TOLERANCE: Final = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearModel:
    """The mean of an answer as a function of a weighted sum.

    Attributes:
        kind: What statsmodels calls it, such as ``OLS``.
        names: The features in order.
        weights: One a feature.
        constant: What is added to the sum.
        link: One of :data:`LINKS`; the mean is its inverse.

    """

    kind: str
    names: tuple[str, ...]
    weights: tuple[float, ...]
    constant: float
    link: str

    @property
    def feature_names_in_(self) -> NDArray[np.object_]:
        """The features, as scikit-learn calls them."""
        return np.array(self.names, dtype=object)

    @property
    def model_type(self) -> str:
        """What statsmodels calls it."""
        return self.kind

    @property
    def n_features_in_(self) -> int:
        """How many."""
        return len(self.names)

    def mean(self, rows: Any) -> NDArray[np.float64]:
        """Return the mean of each row: a data frame, or an array of shape ``(n, k)``."""
        if hasattr(rows, "loc"):
            matrix = np.column_stack([np.asarray(rows[name], dtype=np.float64) for name in self.names])
        else:
            matrix = np.asarray(rows, dtype=np.float64)
        return inverse(self.link, matrix @ np.array(self.weights) + self.constant)

    def predict(self, rows: Any) -> NDArray[np.generic]:
        """Return the mean of each row."""
        return self.mean(rows)


class BinaryModel(LinearModel):
    """One whose mean is the probability of 1."""

    @property
    def classes_(self) -> NDArray[np.int64]:
        """Zero and one."""
        return np.array([0, 1])

    def predict_proba(self, rows: Any) -> NDArray[np.float64]:
        """Return the probabilities of zero and one."""
        positive = self.mean(rows)
        return np.column_stack([1.0 - positive, positive])

    def predict(self, rows: Any) -> NDArray[np.generic]:
        """Return the likelier label of each row."""
        labels: NDArray[np.generic] = self.classes_[self.predict_proba(rows).argmax(axis=1)]
        return labels


def inverse(link: str, sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the means that belong to ``sums``."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        match link:
            case "log":
                means = np.exp(sums)
            case "logit":
                means = 1.0 / (1.0 + np.exp(-sums))
            case "probit":
                means = np.array([0.5 * math.erfc(-each / math.sqrt(2.0)) for each in sums.tolist()])
            case "cloglog":
                means = 1.0 - np.exp(-np.exp(sums))
            case "sqrt":
                means = sums**2
            case "inverse_power":
                means = 1.0 / sums
            case "inverse_squared":
                means = 1.0 / np.sqrt(sums)
            case _:
                means = sums
    return np.asarray(means, dtype=np.float64)


def is_statsmodels(model: object) -> bool:
    """Return whether ``model`` is what fitting a model of statsmodels returns; nothing is imported."""
    return type(model).__module__.partition(".")[0] == "statsmodels"


def settled(results: Any) -> LinearModel:
    """Return what statsmodels fitted, once it answers its own training rows as statsmodels does.

    Raises:
        CannotPack: It is no linear model, its formula does more than add up columns, or its answers differ.

    """
    if not hasattr(results, "params") or not hasattr(getattr(results, "model", None), "exog"):
        raise _cannot(
            Text(en="this is no fitted model of statsmodels", ja="学習済みの statsmodels モデルではありません")
        )
    fitted, kind = results.model, type(results.model).__name__
    exog = np.asarray(fitted.exog, dtype=np.float64)
    names, weights = [str(name) for name in fitted.exog_names or ()], np.asarray(results.params, dtype=np.float64)
    link = _link(fitted, kind)
    if weights.shape != (len(names),) or exog.shape[1] != len(names) or not np.isfinite(weights).all():
        raise _cannot(
            Text(
                en=f"{kind} has other parameters than one a column",
                ja=f"{kind} は列ごとに1つの係数という形ではありません",
            )
        )
    _check_formula(fitted, names)
    if any(
        np.any(np.asarray(getattr(fitted, name, 0.0)) != 0.0)
        for name in ("offset", "exposure")
        if getattr(fitted, name, None) is not None
    ):
        raise _cannot(
            Text(
                en="it takes an offset or exposure beside its columns",
                ja="列のほかに offset や exposure を使っています",
            )
        )
    constant = [index for index, name in enumerate(names) if name in _CONSTANTS and np.all(exog[:, index] == 1.0)]
    features = [index for index in range(len(names)) if index not in constant]
    endog = np.asarray(fitted.endog)
    is_binary = link in {"logit", "probit", "cloglog"} and bool(np.isin(endog, [0, 1]).all())
    model = (BinaryModel if is_binary else LinearModel)(
        kind=kind,
        names=tuple(names[index] for index in features),
        weights=tuple(weights[features].tolist()),
        constant=float(weights[constant].sum()),
        link=link,
    )
    expected = np.asarray(results.model.predict(results.params, exog), dtype=np.float64)
    if not np.allclose(model.mean(exog[:, features]), expected, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True):
        raise _cannot(
            Text(
                en=f"{kind} answers otherwise than its parameters say",
                ja=f"{kind} の答えが係数から計算した値と一致しません",
            )
        )
    return model


def _link(fitted: Any, kind: str) -> str:
    if kind in _LINEAR:
        return "identity"
    found = _GENERALISED.get(type(fitted.family.link).__name__) if kind == "GLM" else _DISCRETE.get(kind)
    if found is None:
        raise _cannot(Text(en=f"{kind} is no linear model that is known here", ja=f"{kind} は未対応の線形モデルです"))
    return found


def _check_formula(fitted: Any, names: list[str]) -> None:
    """Refuse a formula that makes columns of its own: its code would have to come along."""
    if not hasattr(fitted, "formula"):
        return
    made = [name for name in names if name not in _CONSTANTS and _OF_FORMULAS.intersection(name)]
    if made:
        raise CannotPack(
            Text(
                en=f"its formula makes columns of its own: {', '.join(made[:3])}",
                ja=f"数式が独自の列を作っています: {', '.join(made[:3])}",
            ),
            Text(
                en="make these columns before you fit, and name plain columns in the formula",
                ja="その列を学習前に作り、数式では列名だけを使ってください",
            ),
        )


def _cannot(what: Text) -> CannotPack:
    return CannotPack(
        what,
        Text(
            en="pack OLS, WLS, GLS, GLM, Logit, Probit or Poisson, or an ONNX model",
            ja="OLS、WLS、GLS、GLM、Logit、Probit、Poisson か、ONNX モデルをパックしてください",
        ),
    )
