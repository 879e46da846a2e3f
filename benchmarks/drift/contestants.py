"""One drift detector on one pair of tables: ``python contestants.py NAME FOLDER`` prints seconds, and the columns it calls drifted, as JSON.

Each runs as its documentation shows it, in an environment of its own, and is timed from two data frames in memory to its verdict. This
file imports nothing but the contestant, so that any environment can run it.
"""

from __future__ import annotations

import importlib.metadata
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

Judge = Callable[[pd.DataFrame, pd.DataFrame], list[str]]


def sekisho(reference: pd.DataFrame, current: pd.DataFrame) -> list[str]:
    from sekisho.watch.drift.detector import DriftDetector

    return [column.name for column in DriftDetector(reference).detect_drift(current).drifted]


def scipy_columns(reference: pd.DataFrame, current: pd.DataFrame) -> list[str]:
    """The floor: SciPy's Kolmogorov-Smirnov and chi-square tests, column by column, at 0.05 as tutorials have it."""
    from scipy import stats

    drifted = []
    for name in reference.columns:
        if reference[name].dtype.name == "category":
            counts = pd.concat([reference[name].value_counts(), current[name].value_counts()], axis=1).fillna(0)
            p_value = stats.chi2_contingency(counts.to_numpy()).pvalue
        else:
            p_value = stats.ks_2samp(reference[name].dropna(), current[name].dropna()).pvalue
        if p_value < 0.05:
            drifted.append(name)
    return drifted


def evidently(reference: pd.DataFrame, current: pd.DataFrame) -> list[str]:
    from evidently import DataDefinition, Dataset, Report  # type: ignore[import-not-found]
    from evidently.presets import DataDriftPreset  # type: ignore[import-not-found]

    numbers = [name for name in reference.columns if name.startswith("number")]
    labels = [name for name in reference.columns if name.startswith("category")]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=labels)
    before = Dataset.from_pandas(reference, data_definition=definition)
    now = Dataset.from_pandas(current, data_definition=definition)
    result = Report([DataDriftPreset()]).run(now, before).dict()
    return [
        metric["config"]["column"]
        for metric in result["metrics"]
        if metric["metric_name"].startswith("ValueDrift(") and _evidently_drifted(metric)
    ]


def _evidently_drifted(metric: dict[str, Any]) -> bool:
    """A p-value is drift below its threshold, a distance above it."""
    is_p_value = "p_value" in metric["config"]["method"] or "p_value" in metric["metric_name"]
    below = float(metric["value"]) < float(metric["config"]["threshold"])
    return below if is_p_value else not below


def nannyml(reference: pd.DataFrame, current: pd.DataFrame) -> list[str]:
    """By chunks, as it works by default; a column has drifted when any of its methods alarms in more than half of the chunks."""
    import nannyml as nml  # type: ignore[import-not-found]

    calculator = nml.UnivariateDriftCalculator(column_names=list(reference.columns))
    calculator.fit(reference)
    found = calculator.calculate(current).filter(period="analysis").to_df(multilevel=True)
    alerts = found.xs("alert", axis="columns", level=2)
    return sorted({name for name, _ in alerts.columns if name != "chunk" and (alerts[name].mean() > 0.5).any()})


def alibi_detect(reference: pd.DataFrame, current: pd.DataFrame) -> list[str]:
    import numpy as np
    from alibi_detect.cd import TabularDrift  # type: ignore[import-not-found]

    def encoded(frame: pd.DataFrame) -> np.ndarray:
        return np.column_stack(
            [frame[name].cat.codes if frame[name].dtype.name == "category" else frame[name] for name in frame.columns]
        ).astype(np.float32)

    for name in reference.columns:
        if reference[name].dtype.name == "category":
            known = reference[name].cat.categories.union(current[name].cat.categories)
            reference[name] = reference[name].cat.set_categories(known)
            current[name] = current[name].cat.set_categories(known)
    categories = {index: None for index, name in enumerate(reference.columns) if name.startswith("category")}
    detector = TabularDrift(encoded(reference), p_val=0.05, categories_per_feature=categories)
    found = detector.predict(encoded(current), drift_type="batch")["data"]
    return [name for name, p in zip(reference.columns, found["p_val"], strict=True) if p < found["threshold"]]


def deepchecks(reference: pd.DataFrame, current: pd.DataFrame) -> list[str]:
    from deepchecks.tabular import Dataset  # type: ignore[import-not-found]
    from deepchecks.tabular.checks import FeatureDrift  # type: ignore[import-not-found]

    labels = [name for name in reference.columns if name.startswith("category")]
    check = FeatureDrift().add_condition_drift_score_less_than()
    result = check.run(Dataset(reference, cat_features=labels), Dataset(current, cat_features=labels))
    return [
        name for name, found in result.value.items() if found["Drift score"] is not None and found["Drift score"] >= 0.2
    ]


CONTESTANTS: dict[str, tuple[Judge, str]] = {
    "sekisho": (sekisho, "sekisho"),
    "scipy, column by column": (scipy_columns, "scipy"),
    "evidently": (evidently, "evidently"),
    "nannyml": (nannyml, "nannyml"),
    "alibi-detect": (alibi_detect, "alibi-detect"),
    "deepchecks": (deepchecks, "deepchecks"),
}


def main(name: str, folder: Path) -> None:
    judge, distribution = CONTESTANTS[name]
    reference, current = (pd.read_parquet(folder / f"{side}.parquet") for side in ("reference", "current"))
    judge(reference.head(500).copy(), current.head(500).copy())  # imports and caches are not what is compared
    began = time.perf_counter()
    drifted = judge(reference, current)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    version = importlib.metadata.version(distribution)
    print(json.dumps({"seconds": seconds, "drifted": sorted(drifted), "version": version, "peak_mib": round(peak)}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
