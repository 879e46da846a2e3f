"""The scores that a contract may name, each computed for many weightings of the rows at once.

A score takes answers of ``m`` rows and weights of shape ``(b, m)``, and gives shape ``(b,)``: the form that the bootstrap needs.
Definitions are those of scikit-learn; where a score is undefined (no positive row in a resample) it is NaN.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

import numpy as np

from sekisho.errors import WrongUse
from sekisho.probes.statistics import class_scores, probability_scores, value_scores
from sekisho.probes.statistics.answers import Answers, Floats
from sekisho.probes.statistics.intervals import Interval
from sekisho.text import Text

Reads = Literal["classes", "probabilities", "values"]
Score = Callable[[Answers, Floats], Floats]


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One score.

    Attributes:
        name: What a contract calls it.
        reads: What it needs of the answers.
        score: The function.
        lower_is_better: Whether it measures an error.
        best: The score of a perfect model.
        hides_small_classes: Whether a model that never answers a rare class can still score high.
        exact: Its interval where one is known that needs no resampling.

    """

    name: str
    reads: Reads
    score: Score
    lower_is_better: bool = False
    best: float = 1.0
    hides_small_classes: bool = False
    exact: Callable[[Answers, float], Interval | None] | None = None

    def of(self, answers: Answers) -> float:
        """Return the score of all rows, each counted once; NaN where it is undefined."""
        return float(self.score(answers, np.ones((1, len(answers))))[0])


_CLASSES: Final = (
    Metric(
        name="accuracy",
        reads="classes",
        score=class_scores.accuracy,
        exact=class_scores.exact_accuracy,
        hides_small_classes=True,
    ),
    Metric(
        name="error_rate",
        reads="classes",
        score=class_scores.error_rate,
        exact=class_scores.exact_error_rate,
        hides_small_classes=True,
        lower_is_better=True,
        best=0.0,
    ),
    Metric(
        name="balanced_accuracy",
        reads="classes",
        score=class_scores.balanced_accuracy,
        exact=class_scores.exact_balanced_accuracy,
    ),
    Metric(name="matthews_corrcoef", reads="classes", score=class_scores.matthews),
    Metric(name="cohen_kappa", reads="classes", score=class_scores.kappa),
    Metric(name="specificity", reads="classes", score=class_scores.specificity, exact=class_scores.exact_specificity),
    Metric(
        name="precision",
        reads="classes",
        score=partial(class_scores.precision, average="positive"),
        exact=class_scores.exact_precision,
    ),
    Metric(
        name="recall",
        reads="classes",
        score=partial(class_scores.recall, average="positive"),
        exact=class_scores.exact_recall,
    ),
    Metric(name="f1", reads="classes", score=partial(class_scores.f_score, average="positive")),
    Metric(name="f2", reads="classes", score=partial(class_scores.f_score, average="positive", beta=2.0)),
    Metric(name="f0.5", reads="classes", score=partial(class_scores.f_score, average="positive", beta=0.5)),
    Metric(name="precision_macro", reads="classes", score=partial(class_scores.precision, average="macro")),
    Metric(name="recall_macro", reads="classes", score=partial(class_scores.recall, average="macro")),
    Metric(name="f1_macro", reads="classes", score=partial(class_scores.f_score, average="macro")),
    Metric(
        name="precision_weighted",
        reads="classes",
        score=partial(class_scores.precision, average="weighted"),
        hides_small_classes=True,
    ),
    Metric(
        name="recall_weighted",
        reads="classes",
        score=class_scores.accuracy,
        exact=class_scores.exact_accuracy,
        hides_small_classes=True,
    ),
    Metric(
        name="f1_weighted",
        reads="classes",
        score=partial(class_scores.f_score, average="weighted"),
        hides_small_classes=True,
    ),
    Metric(
        name="f1_micro",
        reads="classes",
        score=class_scores.accuracy,
        exact=class_scores.exact_accuracy,
        hides_small_classes=True,
    ),
    Metric(
        name="precision_micro",
        reads="classes",
        score=class_scores.accuracy,
        exact=class_scores.exact_accuracy,
        hides_small_classes=True,
    ),
    Metric(
        name="recall_micro",
        reads="classes",
        score=class_scores.accuracy,
        exact=class_scores.exact_accuracy,
        hides_small_classes=True,
    ),
)
_PROBABILITIES: Final = (
    Metric(name="roc_auc", reads="probabilities", score=probability_scores.roc_auc),
    Metric(name="average_precision", reads="probabilities", score=probability_scores.average_precision),
    Metric(name="log_loss", reads="probabilities", score=probability_scores.log_loss, lower_is_better=True, best=0.0),
    Metric(name="brier", reads="probabilities", score=probability_scores.brier, lower_is_better=True, best=0.0),
    Metric(
        name="calibration_error",
        reads="probabilities",
        score=probability_scores.calibration_error,
        lower_is_better=True,
        best=0.0,
    ),
)
_VALUES: Final = (
    Metric(name="mae", reads="values", score=value_scores.mae, lower_is_better=True, best=0.0),
    Metric(name="mse", reads="values", score=value_scores.mse, lower_is_better=True, best=0.0),
    Metric(name="rmse", reads="values", score=value_scores.rmse, lower_is_better=True, best=0.0),
    Metric(name="mape", reads="values", score=value_scores.mape, lower_is_better=True, best=0.0),
    Metric(
        name="median_absolute_error",
        reads="values",
        score=value_scores.median_absolute_error,
        lower_is_better=True,
        best=0.0,
    ),
    Metric(name="r2", reads="values", score=value_scores.r2),
    Metric(name="explained_variance", reads="values", score=value_scores.explained_variance),
)
METRICS: Final[Mapping[str, Metric]] = {metric.name: metric for metric in (*_CLASSES, *_PROBABILITIES, *_VALUES)}
"""Every score that a contract may name."""

SYNONYMS: Final[Mapping[str, str]] = {
    "accuracy_score": "accuracy",
    "ap": "average_precision",
    "auc": "roc_auc",
    "auc_roc": "roc_auc",
    "auroc": "roc_auc",
    "average_precision_score": "average_precision",
    "balanced_accuracy_score": "balanced_accuracy",
    "brier_score": "brier",
    "brier_score_loss": "brier",
    "cohen_kappa_score": "cohen_kappa",
    "cross_entropy": "log_loss",
    "ece": "calibration_error",
    "expected_calibration_error": "calibration_error",
    "f1_score": "f1",
    "logloss": "log_loss",
    "macro_f1": "f1_macro",
    "mcc": "matthews_corrcoef",
    "mean_absolute_error": "mae",
    "mean_absolute_percentage_error": "mape",
    "mean_squared_error": "mse",
    "pr_auc": "average_precision",
    "precision_score": "precision",
    "r2_score": "r2",
    "recall_score": "recall",
    "roc_auc_ovr": "roc_auc",
    "roc_auc_score": "roc_auc",
    "root_mean_squared_error": "rmse",
    "sensitivity": "recall",
    "tpr": "recall",
    "true_positive_rate": "recall",
}
"""Other words for the same scores."""


def find_metric(name: str) -> Metric:
    """Return the score that ``name`` names, by its own name or a synonym; case, blanks and dashes do not count.

    Raises:
        WrongUse: Nothing is named so; the remedy names what comes nearest.

    """
    key = name.strip().lower().replace("-", "_").replace(" ", "_")
    found = METRICS.get(SYNONYMS.get(key, key))
    if found is not None:
        return found
    near = difflib.get_close_matches(key.removeprefix("neg_"), (*METRICS, *SYNONYMS), n=1, cutoff=0.5)
    nearest = SYNONYMS.get(near[0], near[0]) if near else None
    known = ", ".join(METRICS)
    raise WrongUse(
        Text(en=f"there is no metric named {name!r}", ja=f"{name!r} という評価指標はありません"),
        Text(en=f"did you mean {nearest}?", ja=f"{nearest} ではありませんか")
        if nearest
        else Text(en=f"choose one of {known}", ja=f"次から選んでください: {known}"),
    )


def fits(metric: Metric, answers: Answers) -> Text | None:
    """Return why ``metric`` cannot be computed from ``answers``; ``None`` if it can."""
    name = metric.name
    if (metric.reads == "values") is not (answers.task == "regression"):
        kind = Text(en="values", ja="数値") if answers.task == "regression" else Text(en="classes", ja="クラス")
        return Text(
            en=f"{name} does not score a model that answers {kind.en}",
            ja=f"{name} は{kind.ja}を答えるモデルの指標ではありません",
        )
    if metric.reads == "probabilities" and answers.probabilities is None:
        return Text(
            en=f"{name} needs probabilities, and the model gives none",
            ja=f"{name} には確率が必要ですが、モデルが返していません",
        )
    if answers.positive is None and name in {"precision", "recall", "f1", "f2", "f0.5", "specificity"}:
        return Text(
            en=f"{name} needs one positive class, and there are {answers.classes}; state data.positive or use its macro form",
            ja=f"{name} には陽性クラスが1つ必要ですが、クラスが {answers.classes} 個あります。data.positive を指定するか、マクロ平均を使ってください",
        )
    return None
