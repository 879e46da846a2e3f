from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sekisho.probes.statistics.answers import Answers
from sekisho.probes.statistics.bootstrap import bca_bounds, bootstrap
from sekisho.probes.statistics.estimates import Resampling, estimate
from sekisho.probes.statistics.metrics import METRICS

MakeAnswers = Callable[..., Answers]
HOW = Resampling(confidence=0.95, resamples=2_000, seed=1)


def binary(truth: np.ndarray, given: np.ndarray, stated: np.ndarray | None = None) -> Answers:
    return Answers(task="binary", truth=truth, given=given, probabilities=stated, classes=2, positive=1)


def test_grouped_rows_give_the_same_spread_as_single_rows(class_answers: MakeAnswers) -> None:
    answers = class_answers(rows=500)
    metric = METRICS["f1_macro"]
    grouped = estimate(metric, answers, (), HOW)
    single = bootstrap([lambda w: metric.score(answers, w)], np.ones(500, dtype=np.int64), 2_000, 2)
    assert grouped.interval.point == pytest.approx(metric.of(answers))
    assert grouped.replicates.std() == pytest.approx(single.std(), rel=0.1)


@pytest.mark.parametrize("name", ["f1", "roc_auc", "log_loss", "matthews_corrcoef"])
def test_intervals_hold_the_truth_as_often_as_they_say(name: str) -> None:
    metric, how, held, worlds = METRICS[name], Resampling(confidence=0.9, resamples=400, seed=3), 0, 150
    random = np.random.default_rng(9)

    def sample(rows: int) -> Answers:
        truth = (random.random(rows) < 0.3).astype(int)
        score = 1 / (1 + np.exp(-random.normal(2.0 * truth - 1.2, 1.2)))
        return binary(truth, (score > 0.5).astype(int), np.stack([1 - score, score], axis=1))

    right = metric.of(sample(400_000))
    for _ in range(worlds):
        interval = estimate(metric, sample(150), (), how).interval
        held += interval.low <= right <= interval.high
    assert 0.82 <= held / worlds <= 0.97


def test_a_small_faultless_sample_is_not_certain() -> None:
    truth = np.arange(40) % 2
    stated = np.stack([1 - truth, truth], axis=1).astype(float)
    for name in ("accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "recall", "matthews_corrcoef"):
        interval = estimate(METRICS[name], binary(truth, truth, stated), (), HOW).interval
        assert interval.point == 1
        assert interval.low < 0.92, name
    high = estimate(METRICS["brier"], binary(truth, truth, stated), (), HOW).interval.high
    assert high > 0.05


def test_nine_of_ten_on_forty_rows_proves_little() -> None:
    truth = np.arange(40) % 2
    given = truth.copy()
    given[:4] = 1 - given[:4]
    interval = estimate(METRICS["accuracy"], binary(truth, given), (), HOW).interval
    assert interval.point == 0.9
    assert interval.low == pytest.approx(0.769, abs=1e-3)


def test_paired_difference_is_narrower_than_either_interval() -> None:
    random = np.random.default_rng(5)
    truth = random.integers(0, 2, 2_000)
    given = np.where(random.random(2_000) < 0.8, truth, 1 - truth)
    nearly = given.copy()
    nearly[:20] = 1 - nearly[:20]
    result = estimate(METRICS["accuracy"], binary(truth, given), (binary(truth, nearly),), HOW)
    (gap,) = result.differences
    assert gap.high - gap.low < (result.interval.high - result.interval.low) / 2
    assert gap.low <= gap.point <= gap.high


def test_same_seed_same_result(class_answers: MakeAnswers) -> None:
    answers = class_answers(rows=200)
    first, again = (estimate(METRICS["roc_auc"], answers, (), HOW) for _ in range(2))
    other = estimate(METRICS["roc_auc"], answers, (), replace(HOW, seed=2))
    assert np.array_equal(first.replicates, again.replicates)
    assert not np.array_equal(first.replicates, other.replicates)


def test_bca_is_that_of_scipy() -> None:
    from scipy import stats

    values = np.random.default_rng(11).exponential(2.0, 60)

    def mean(weights: np.ndarray) -> np.ndarray:
        means: np.ndarray = (weights @ values) / weights.sum(axis=1)
        return means

    counts = np.ones(60, dtype=np.int64)
    replicates = bootstrap([mean], counts, 20_000, 1)[0]
    low, high = bca_bounds(mean, counts, float(values.mean()), replicates, 0.95)
    expected = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="BCa", rng=2).confidence_interval
    assert low == pytest.approx(expected.low, rel=0.02)
    assert high == pytest.approx(expected.high, rel=0.02)


def test_many_rows_scatter_as_little_as_they_should() -> None:
    random = np.random.default_rng(12)
    truth = random.integers(0, 2, 6_000)
    second = np.clip(0.5 + 0.2 * (truth - 0.5) + random.normal(0, 0.2, 6_000), 0, 1)
    answers = binary(truth, (second > 0.5).astype(int), np.stack([1 - second, second], axis=1))
    whole = estimate(METRICS["roc_auc"], answers, (), HOW)
    part = estimate(METRICS["roc_auc"], answers, (), replace(HOW, most_rows=1_500))
    assert part.interval.point == whole.interval.point
    assert part.replicates.mean() == pytest.approx(whole.interval.point, abs=2e-3)
    assert part.replicates.std() == pytest.approx(whole.replicates.std(), rel=0.1)


def worlds(kind: str, random: np.random.Generator, rows: int) -> Answers:
    """One sample of a world whose scores are known from a very large one."""
    if kind == "values":
        truth = random.normal(10, 3, rows)
        given = truth + random.normal(0, 1, rows)
        return Answers(task="regression", truth=truth, given=given, probabilities=None, classes=0, positive=None)
    truth = (random.random(rows) < 0.3).astype(int)
    truth[:4] = (0, 1, 0, 1)
    logit = np.log(0.3 / 0.7) + 1.5 * random.normal(1.5 * truth, 1) - 1.125
    stated = 1 / (1 + np.exp(-logit))
    return binary(truth, (stated > 0.3).astype(int), np.stack([1 - stated, stated], axis=1))


@pytest.mark.slow
@pytest.mark.parametrize("rows", [40, 150])
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, "classes") for name in ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "f1_macro")),
        *((name, "classes") for name in ("matthews_corrcoef", "roc_auc", "average_precision", "log_loss", "brier")),
        *((name, "classes") for name in ("calibration_error", "gini")),
        *((name, "values") for name in ("mae", "rmse", "smape", "wape", "r2")),
    ],
)
def test_coverage_is_nominal_or_nearly(name: str, kind: str, rows: int) -> None:
    """At 95 %, intervals hold the truth in 93 of 100 worlds or more; three standard errors of 400 worlds are allowed for."""
    metric, random, how = METRICS[name], np.random.default_rng(17), Resampling(confidence=0.95, resamples=600, seed=3)
    right = metric.of(worlds(kind, random, 400_000)) if name != "calibration_error" else 0.0
    held = sum(
        interval.low <= right <= interval.high
        for interval in (estimate(metric, worlds(kind, random, rows), (), how).interval for _ in range(400))
    )
    assert held / 400 >= 0.93 - 3 * np.sqrt(0.93 * 0.07 / 400)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_extremes_have_an_interval(share: float) -> None:
    """All wrong, all right, constant answers and ties: finite bounds round the point, and no certainty on few rows."""
    truth = np.arange(40) % 2
    given = truth if share else 1 - truth
    stated = np.stack([1 - given, given], axis=1).astype(float)
    for name in ("accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "brier", "calibration_error", "log_loss"):
        interval = estimate(METRICS[name], binary(truth, given, stated), (), HOW).interval
        assert interval.low <= interval.point <= interval.high, name
        assert np.isfinite([interval.low, interval.high]).all(), name
    constant = estimate(METRICS["roc_auc"], binary(truth, truth * 0, np.full((40, 2), 0.5)), (), HOW).interval
    assert constant.point == 0.5
