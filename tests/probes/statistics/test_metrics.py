from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn import metrics as reference

from sekisho.errors import WrongUse
from sekisho.probes.statistics.answers import Answers
from sekisho.probes.statistics.metrics import METRICS, find_metric, fits
from sekisho.text import use_language

MakeAnswers = Callable[..., Answers]

OF_CLASSES = {
    "accuracy": reference.accuracy_score,
    "balanced_accuracy": reference.balanced_accuracy_score,
    "matthews_corrcoef": reference.matthews_corrcoef,
    "cohen_kappa": reference.cohen_kappa_score,
    "precision_macro": lambda t, g, **w: reference.precision_score(t, g, average="macro", zero_division=0, **w),
    "recall_macro": lambda t, g, **w: reference.recall_score(t, g, average="macro", zero_division=0, **w),
    "f1_macro": lambda t, g, **w: reference.f1_score(t, g, average="macro", **w),
    "precision_weighted": lambda t, g, **w: reference.precision_score(t, g, average="weighted", zero_division=0, **w),
    "recall_weighted": lambda t, g, **w: reference.recall_score(t, g, average="weighted", zero_division=0, **w),
    "f1_weighted": lambda t, g, **w: reference.f1_score(t, g, average="weighted", **w),
    "f1_micro": lambda t, g, **w: reference.f1_score(t, g, average="micro", **w),
}
OF_CLASSES |= {
    "linear_kappa": lambda t, g, **w: reference.cohen_kappa_score(t, g, weights="linear", **w),
    "quadratic_kappa": lambda t, g, **w: reference.cohen_kappa_score(t, g, weights="quadratic", **w),
    "jaccard_macro": lambda t, g, **w: reference.jaccard_score(t, g, average="macro", **w),
    "jaccard_weighted": lambda t, g, **w: reference.jaccard_score(t, g, average="weighted", **w),
}
OF_TWO_CLASSES = {
    "precision": reference.precision_score,
    "recall": reference.recall_score,
    "f1": reference.f1_score,
    "f2": lambda t, g, **w: reference.fbeta_score(t, g, beta=2, **w),
    "f0.5": lambda t, g, **w: reference.fbeta_score(t, g, beta=0.5, **w),
    "f3": lambda t, g, **w: reference.fbeta_score(t, g, beta=3, **w),
    "jaccard": reference.jaccard_score,
    "negative_predictive_value": lambda t, g, **w: reference.precision_score(t, g, pos_label=0, **w),
    "specificity": lambda t, g, **w: reference.recall_score(t, g, pos_label=0, **w),
}
OF_VALUES = {
    "mae": reference.mean_absolute_error,
    "mse": reference.mean_squared_error,
    "rmse": reference.root_mean_squared_error,
    "mape": reference.mean_absolute_percentage_error,
    "msle": reference.mean_squared_log_error,
    "rmsle": reference.root_mean_squared_log_error,
    "pinball_0.9": lambda t, g, **w: reference.mean_pinball_loss(t, g, alpha=0.9, **w),
    "poisson_deviance": reference.mean_poisson_deviance,
    "r2": reference.r2_score,
    "explained_variance": reference.explained_variance_score,
}


def weighted(name: str, answers: Answers, weights: np.ndarray) -> float:
    return float(find_metric(name).score(answers, weights[None, :])[0])


@pytest.mark.parametrize("name", OF_CLASSES)
@pytest.mark.parametrize("classes", [2, 4])
def test_scores_of_classes_are_those_of_scikit_learn(name: str, classes: int, class_answers: MakeAnswers) -> None:
    answers = class_answers(classes=classes, seed=classes)
    weights = np.random.default_rng(1).integers(0, 4, len(answers)).astype(float)
    expected = OF_CLASSES[name](answers.truth, answers.given, sample_weight=weights)
    assert weighted(name, answers, weights) == pytest.approx(expected)


@pytest.mark.parametrize("name", OF_TWO_CLASSES)
def test_scores_of_the_positive_class_are_those_of_scikit_learn(name: str, class_answers: MakeAnswers) -> None:
    answers = class_answers()
    weights = np.random.default_rng(2).integers(0, 4, len(answers)).astype(float)
    expected = OF_TWO_CLASSES[name](answers.truth, answers.given, sample_weight=weights)
    assert weighted(name, answers, weights) == pytest.approx(expected)


def test_scores_of_probabilities_are_those_of_scikit_learn(class_answers: MakeAnswers) -> None:
    answers = class_answers(seed=3)
    assert answers.probabilities is not None
    stated = answers.probabilities[:, 1]
    weights = np.random.default_rng(3).integers(0, 4, len(answers)).astype(float)
    for name, function in {
        "roc_auc": reference.roc_auc_score,
        "average_precision": reference.average_precision_score,
        "log_loss": reference.log_loss,
        "brier": reference.brier_score_loss,
    }.items():
        expected = function(answers.truth, stated, sample_weight=weights)
        assert weighted(name, answers, weights) == pytest.approx(expected), name


def test_scores_of_several_classes_are_the_mean_against_the_rest(class_answers: MakeAnswers) -> None:
    answers = class_answers(classes=3, seed=5)
    assert METRICS["roc_auc"].of(answers) == pytest.approx(
        reference.roc_auc_score(answers.truth, answers.probabilities, multi_class="ovr")
    )
    assert METRICS["log_loss"].of(answers) == pytest.approx(
        reference.log_loss(answers.truth, answers.probabilities, labels=[0, 1, 2])
    )


def test_weighted_means_over_classes_are_those_of_scikit_learn(class_answers: MakeAnswers) -> None:
    answers = class_answers(classes=3, seed=5)
    assert METRICS["roc_auc_weighted"].of(answers) == pytest.approx(
        reference.roc_auc_score(answers.truth, answers.probabilities, multi_class="ovr", average="weighted")
    )
    assert METRICS["average_precision_weighted"].of(answers) == pytest.approx(
        reference.average_precision_score(np.eye(3)[answers.truth], answers.probabilities, average="weighted")
    )


def test_scores_of_an_order(class_answers: MakeAnswers) -> None:
    from scipy import stats

    answers = class_answers(rows=500, seed=6)
    assert answers.probabilities is not None
    stated, positive = answers.probabilities[:, 1], answers.truth == 1
    assert METRICS["ks"].of(answers) == pytest.approx(stats.ks_2samp(stated[positive], stated[~positive]).statistic)
    assert METRICS["gini"].of(answers) == pytest.approx(2 * reference.roc_auc_score(positive, stated) - 1)
    assert METRICS["ndcg"].of(answers) == pytest.approx(
        reference.ndcg_score(positive[None, :].astype(float), stated[None, :])
    )
    different = answers.take(np.unique(stated, return_index=True)[1])
    order = np.argsort(-different.probabilities[:, 1])[:10]  # type: ignore[index]
    name = f"precision_at_{1000 / len(different):.9f}_percent"
    assert find_metric(name).of(different) == pytest.approx((different.truth[order] == 1).mean(), abs=1e-6)
    found = find_metric("recall_at_99.9999999_percent")
    assert found.of(different) == pytest.approx(1.0, abs=1e-6)


def test_top_k_is_that_of_scikit_learn(class_answers: MakeAnswers) -> None:
    answers = class_answers(classes=5, seed=7)
    random = np.random.default_rng(8)
    stated = random.dirichlet(np.ones(5), len(answers))
    answers = Answers(
        task="multiclass", truth=answers.truth, given=stated.argmax(1), probabilities=stated, classes=5, positive=None
    )
    for k in (1, 2, 3):
        assert find_metric(f"top-{k} accuracy").of(answers) == pytest.approx(
            reference.top_k_accuracy_score(answers.truth, stated, k=k)
        )


def test_errors_as_fractions(value_answers: Answers) -> None:
    truth, given = value_answers.truth, value_answers.given
    assert METRICS["wape"].of(value_answers) == pytest.approx(np.abs(truth - given).sum() / np.abs(truth).sum())
    halves = (np.abs(truth) + np.abs(given)) / 2
    assert METRICS["smape"].of(value_answers) == pytest.approx((np.abs(truth - given) / halves).mean())
    assert METRICS["bias"].of(value_answers) == pytest.approx(abs((truth - given).mean()))


def test_a_fraction_of_nothing_is_refused(value_answers: Answers) -> None:
    from dataclasses import replace

    none = replace(value_answers, truth=np.where(np.arange(len(value_answers)) < 3, 0.0, value_answers.truth))
    with use_language("en"):
        assert "in 3 rows" in str(fits(METRICS["mape"], none))
        assert "rmsle is not defined" in str(fits(METRICS["rmsle"], replace(none, truth=-value_answers.truth)))
    assert fits(METRICS["mape"], value_answers) is None
    assert fits(METRICS["wape"], none) is None


@pytest.mark.parametrize("name", ["mae", "mse", "mape", "rmsle", "smape", "wape", "pinball_0.8", "poisson_deviance"])
def test_the_constant_answer_is_the_best_constant(name: str, value_answers: Answers) -> None:
    from dataclasses import replace

    from sekisho.probes.statistics.baselines import constant

    metric = find_metric(name)
    best = constant(value_answers, value_answers.truth, metric)
    for moved in (0.97, 1.03):
        other = replace(best, given=best.given * moved)
        assert metric.of(best) <= metric.of(other) + (0.002 if name == "smape" else 1e-12)


@pytest.mark.parametrize("name", OF_VALUES)
def test_scores_of_values_are_those_of_scikit_learn(name: str, value_answers: Answers) -> None:
    weights = np.random.default_rng(6).integers(0, 4, len(value_answers)).astype(float)
    expected = OF_VALUES[name](value_answers.truth, value_answers.given, sample_weight=weights)
    assert weighted(name, value_answers, weights) == pytest.approx(expected)


def test_median_absolute_error_counts_weights(value_answers: Answers) -> None:
    assert METRICS["median_absolute_error"].of(value_answers) == pytest.approx(
        reference.median_absolute_error(value_answers.truth, value_answers.given)
    )
    rows = np.random.default_rng(7).integers(0, len(value_answers), len(value_answers))
    weights = np.bincount(rows, minlength=len(value_answers)).astype(float)
    repeated = value_answers.take(rows)
    assert weighted("median_absolute_error", value_answers, weights) == pytest.approx(
        reference.median_absolute_error(repeated.truth, repeated.given)
    )


def test_every_metric_is_best_for_a_perfect_model(class_answers: MakeAnswers, value_answers: Answers) -> None:
    answers = class_answers()
    sure = np.eye(2)[answers.truth]
    right = Answers(task="binary", truth=answers.truth, given=answers.truth, probabilities=sure, classes=2, positive=1)
    exact = Answers(
        task="regression",
        truth=value_answers.truth,
        given=value_answers.truth,
        probabilities=None,
        classes=0,
        positive=None,
    )
    for metric in METRICS.values():
        judged = exact if metric.reads == "values" else right
        assert metric.of(judged) == pytest.approx(metric.best), metric.name


def test_a_class_that_is_never_right_nor_given_does_not_count(class_answers: MakeAnswers) -> None:
    answers = class_answers(classes=3, seed=8)
    two = answers.take(answers.truth < 2)
    two = two.take(two.given < 2)
    assert METRICS["f1_macro"].of(two) == pytest.approx(reference.f1_score(two.truth, two.given, average="macro"))
    assert METRICS["balanced_accuracy"].of(two) == pytest.approx(
        reference.balanced_accuracy_score(two.truth, two.given)
    )


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("AUC", "roc_auc"),
        ("balanced accuracy", "balanced_accuracy"),
        ("PR-AUC", "average_precision"),
        ("mae", "mae"),
        ("F_beta_2", "f2"),
        ("quadratic weighted kappa", "quadratic_kappa"),
        ("pinball_loss_0.9", "pinball_0.9"),
        ("top_3", "top_3_accuracy"),
        ("precision@10%", "precision_at_10_percent"),
        ("MCC", "matthews_corrcoef"),
    ],
)
def test_synonyms_name_the_same_metric(written: str, name: str) -> None:
    assert find_metric(written).name == name


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(WrongUse) as caught:
        find_metric("acuracy")
    assert "accuracy" in caught.value.remedy.en
    assert "accuracy" in caught.value.remedy.ja
    with pytest.raises(WrongUse) as caught:
        find_metric("neg_mean_squared_error")
    assert "mse" in caught.value.remedy.en
    with pytest.raises(WrongUse) as caught:
        find_metric("zzzzzz")
    assert "choose one of" in caught.value.remedy.en


def test_fits_says_why_a_metric_cannot_be(class_answers: MakeAnswers, value_answers: Answers) -> None:
    answers = class_answers(classes=3)
    with use_language("en"):
        assert "values" in str(fits(METRICS["accuracy"], value_answers))
        assert "classes" in str(fits(METRICS["mae"], answers))
        assert "positive" in str(fits(METRICS["f1"], answers))
    assert fits(METRICS["f1_macro"], answers) is None
    assert fits(METRICS["f1"], class_answers(classes=3, positive=2)) is None
    silent = Answers(task="binary", truth=answers.truth, given=answers.given, probabilities=None, classes=2, positive=1)
    assert "probabilities" in str(fits(METRICS["roc_auc"], silent))
