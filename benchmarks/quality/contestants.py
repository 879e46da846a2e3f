"""One way of judging, on answers in a file: ``python contestants.py NAME TASK FILE`` prints seconds, the interval and the peak of memory as JSON.

Each runs as its documentation shows it, in a process of its own, and is timed from arrays in memory to its result.
"""

from __future__ import annotations

import importlib.metadata
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

RESAMPLES = 2_000
SEED = 1
Found = dict[str, Any]


def _arrays(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return frame["truth"].to_numpy(), frame["given"].to_numpy(), frame["stated"].to_numpy()


def sekisho(frame: pd.DataFrame, task: str) -> Found:
    from sekisho.probes.statistics.answers import Answers
    from sekisho.probes.statistics.estimates import Resampling, estimate
    from sekisho.probes.statistics.metrics import METRICS

    truth, given, stated = _arrays(frame)
    probabilities = np.stack([1 - stated, stated], axis=1)
    answers = Answers(task="binary", truth=truth, given=given, probabilities=probabilities, classes=2, positive=1)
    if task == "slices":
        return _slices(frame, answers)
    found = estimate(METRICS[task], answers, (), Resampling(confidence=0.95, resamples=RESAMPLES, seed=SEED))
    return {"low": found.interval.low, "high": found.interval.high}


def _slices(frame: pd.DataFrame, answers: Any) -> Found:
    """Search all columns and pairs of them on half of the rows, and measure what was found on the other half."""
    from sekisho.artifact.table import Table
    from sekisho.probes.statistics.estimates import Resampling, estimate
    from sekisho.probes.statistics.metrics import METRICS
    from sekisho.probes.statistics.slicing import Cut, cut, worst_parts

    table = Table.of(frame.drop(columns=["truth", "given", "stated"]))
    cuts = [made for made in map(cut, table.columns) if made is not None]
    mixed = np.random.default_rng(SEED).permutation(len(frame))
    searched, shown = mixed[::2][:100_000], mixed[1::2]
    half = [Cut(column=each.column, codes=each.codes[searched], labels=each.labels) for each in cuts]
    losses = (answers.truth != answers.given).astype(np.float64)
    parts, looked = worst_parts(half, losses[searched], smallest=max(30, len(searched) // 100), most=8)
    how = Resampling(confidence=1 - 0.05 / max(1, len(parts)), resamples=RESAMPLES, seed=SEED)
    for part in parts:
        estimate(METRICS["accuracy"], answers.take(shown[part.rows(cuts)[shown]]), (), how)
    return {"parts": looked, "intervals": len(parts)}


def scipy_bootstrap(frame: pd.DataFrame, task: str) -> Found:
    """Percentiles: the default, BCa, would score once more for every row."""
    from scipy import stats
    from sklearn import metrics

    truth, given, stated = _arrays(frame)
    score: Callable[..., float] = {
        "roc_auc": metrics.roc_auc_score,
        "balanced_accuracy": metrics.balanced_accuracy_score,
        "log_loss": metrics.log_loss,
    }[task]
    found = stats.bootstrap(
        (truth, given if task == "balanced_accuracy" else stated),
        score,
        paired=True,
        vectorized=False,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=SEED,
    ).confidence_interval
    return {"low": float(found.low), "high": float(found.high)}


def sklearn_resample(frame: pd.DataFrame, task: str) -> Found:
    """The loop that tutorials write: ``sklearn.utils.resample`` and the score, again and again."""
    from sklearn import metrics
    from sklearn.utils import resample

    truth, given, stated = _arrays(frame)
    score: Callable[..., float] = {
        "roc_auc": metrics.roc_auc_score,
        "balanced_accuracy": metrics.balanced_accuracy_score,
        "log_loss": metrics.log_loss,
    }[task]
    answered = given if task == "balanced_accuracy" else stated
    scores = [score(*resample(truth, answered, random_state=number)) for number in range(RESAMPLES)]
    low, high = np.quantile(scores, [0.025, 0.975])
    return {"low": float(low), "high": float(high)}


def fairlearn(frame: pd.DataFrame, task: str) -> Found:  # noqa: ARG001 - it knows one task
    """The accuracy of each group of one column, with intervals from 100 resamples: what it offers nearest to a search."""
    from fairlearn.metrics import MetricFrame
    from sklearn.metrics import accuracy_score

    truth, given, _ = _arrays(frame)
    found = MetricFrame(
        metrics=accuracy_score,
        y_true=truth,
        y_pred=given,
        sensitive_features=frame["c0"],
        n_boot=100,
        ci_quantiles=[0.025, 0.975],
        random_state=SEED,
    )
    return {"parts": len(found.by_group), "intervals": len(found.by_group_ci[0])}


CONTESTANTS: dict[str, tuple[Callable[[pd.DataFrame, str], Found], str, tuple[str, ...]]] = {
    "sekisho": (sekisho, "sekisho", ("roc_auc", "balanced_accuracy", "log_loss", "slices")),
    "scipy.stats.bootstrap": (scipy_bootstrap, "scipy", ("roc_auc", "balanced_accuracy", "log_loss")),
    "sklearn.utils.resample": (sklearn_resample, "scikit-learn", ("roc_auc", "balanced_accuracy", "log_loss")),
    "fairlearn MetricFrame, one column": (fairlearn, "fairlearn", ("slices",)),
}


def main(name: str, task: str, file: str) -> None:
    """Run one contestant."""
    judge, distribution, _ = CONTESTANTS[name]
    frame = pd.read_parquet(file)
    wanted = RESAMPLES
    globals()["RESAMPLES"] = 20
    judge(frame.head(2_000).copy(), task)  # imports and caches are not what is compared
    globals()["RESAMPLES"] = wanted
    began = time.perf_counter()
    found = judge(frame, task)
    seconds = time.perf_counter() - began
    peak = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(
        json.dumps({"seconds": seconds, "version": importlib.metadata.version(distribution), "peak_mib": peak} | found)
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
