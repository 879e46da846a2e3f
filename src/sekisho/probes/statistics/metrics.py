"""The score that a contract names: by its own name, by a synonym or with a number in it, and whether it fits the answers."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from functools import partial
from typing import Final

import numpy as np

from sekisho.errors import WrongUse
from sekisho.probes.statistics import class_scores, ranking_scores, value_scores
from sekisho.probes.statistics.answers import Answers
from sekisho.probes.statistics.catalogue import METRICS, Metric, Score
from sekisho.text import Text

__all__ = ["METRICS", "Metric", "find_metric", "fits"]

SYNONYMS: Final[Mapping[str, str]] = {
    "accuracy_score": "accuracy",
    "absolute_bias": "bias",
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
    "fpr": "false_positive_rate",
    "g_mean": "geometric_mean",
    "iou": "jaccard",
    "jaccard_score": "jaccard",
    "kappa": "cohen_kappa",
    "kolmogorov_smirnov": "ks",
    "ks_statistic": "ks",
    "mean_error": "bias",
    "mean_poisson_deviance": "poisson_deviance",
    "mean_squared_log_error": "msle",
    "medae": "median_absolute_error",
    "neg_log_loss": "log_loss",
    "npv": "negative_predictive_value",
    "precision_score": "precision",
    "qwk": "quadratic_kappa",
    "quadratic_weighted_kappa": "quadratic_kappa",
    "r2_score": "r2",
    "recall_score": "recall",
    "roc_auc_ovr": "roc_auc",
    "roc_auc_score": "roc_auc",
    "root_mean_squared_error": "rmse",
    "root_mean_squared_log_error": "rmsle",
    "sensitivity": "recall",
    "tpr": "recall",
    "tnr": "specificity",
    "true_negative_rate": "specificity",
    "true_positive_rate": "recall",
    "weighted_f1": "f1_weighted",
}
"""Other words for the same scores."""


_F_BETA: Final = re.compile(r"f_?(?:beta_?)?(\d+(?:\.\d+)?)(?:_score)?")
_PINBALL: Final = re.compile(r"(?:mean_)?pinball(?:_loss)?_(0?\.\d+)|quantile_loss_(0?\.\d+)")
_TOP_K: Final = re.compile(r"top_?(\d+)(?:_accuracy)?(?:_score)?")
_TOP_SHARE: Final = re.compile(r"(precision|recall)_?(?:at_|@)_?(?:top_)?(\d+(?:\.\d+)?)_?(?:%|percent)")


def find_metric(name: str) -> Metric:
    """Return the score that ``name`` names, by its own name or a synonym; case, blanks and dashes do not count.

    Some carry a number: ``f3``, ``pinball_0.9``, ``top_5_accuracy``, ``precision_at_10_percent``.

    Raises:
        WrongUse: Nothing is named so; the remedy names what comes nearest.

    """
    key = name.strip().lower().replace("-", "_").replace(" ", "_")
    found = METRICS.get(SYNONYMS.get(key, key)) or _with_number(key)
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


def _with_number(key: str) -> Metric | None:
    """Return the score that a name with a number in it names; ``None`` if it names none."""
    if match := _F_BETA.fullmatch(key):
        score: Score = partial(class_scores.f_score, average="positive", beta=float(match[1]))
        return Metric(name=f"f{float(match[1]):g}", reads="classes", score=score, needs_positive=True)
    if (match := _PINBALL.fullmatch(key)) and 0 < (quantile := float(match[1] or match[2])) < 1:
        return Metric(
            name=f"pinball_{quantile:g}",
            reads="values",
            score=partial(value_scores.pinball, quantile=quantile),
            lower_is_better=True,
            best=0.0,
            constant=lambda values: float(np.quantile(values, quantile)),
        )
    if (match := _TOP_K.fullmatch(key)) and int(match[1]) >= 1:
        top: Score = partial(ranking_scores.top_k, k=int(match[1]))
        return Metric(name=f"top_{match[1]}_accuracy", reads="probabilities", score=top, hides_small_classes=True)
    if (match := _TOP_SHARE.fullmatch(key)) and 0 < float(match[2]) < 100:
        share: Score = partial(ranking_scores.top_share, share=float(match[2]) / 100, of_found=match[1] == "recall")
        return Metric(name=f"{match[1]}_at_{match[2]}_percent", reads="probabilities", score=share, needs_positive=True)
    return None


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
    if answers.positive is None and metric.needs_positive:
        return Text(
            en=f"{name} needs one positive class, and there are {answers.classes}; state data.positive or use its macro form",
            ja=f"{name} には陽性クラスが1つ必要ですが、クラスが {answers.classes} 個あります。data.positive を指定するか、マクロ平均を使ってください",
        )
    return _cannot_divide(metric, answers) if metric.reads == "values" else None


def _cannot_divide(metric: Metric, answers: Answers) -> Text | None:
    """Return why the right values make a score meaningless: a fraction of nothing, the logarithm of a negative number."""
    truth, name = answers.truth.astype(np.float64), metric.name
    if name == "mape":
        sizes = np.abs(truth)
        tiny = int(np.count_nonzero(sizes <= 1e-6 * np.median(sizes))) if len(sizes) else 0
        if tiny:
            return Text(
                en=f"mape divides by the right value, which is 0 or nearly so in {tiny:,} rows; wape or smape can be used",
                ja=f"mape は正解値で割りますが、{tiny:,} 行で正解値がほぼ 0 です。wape や smape を使ってください",
            )
    least = {"msle": -1.0, "rmsle": -1.0, "poisson_deviance": 0.0}.get(name)
    if least is not None and (truth <= least if least < 0 else truth < least).any():
        return Text(
            en=f"{name} is not defined for right values below {least:g}; use mae or rmse",
            ja=f"{name} は {least:g} を下回る正解値には定義されません。mae や rmse を使ってください",
        )
    return None
