"""A model of known slowness: it sleeps a little for each row, so that what a service can bear is the model's doing, not the machine's.

How long, the environment says: while it is packed it does not sleep at all.
"""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

SECONDS = "SECONDS_A_ROW"
"""The variable that says how long a row takes."""


class Slow(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts whether a number is positive."""

    def fit(self, rows: Any, labels: Any) -> Slow:
        self.classes_ = np.unique(labels)
        self.n_features_in_ = np.asarray(rows).shape[1]
        if hasattr(rows, "columns"):
            self.feature_names_in_ = np.array(list(rows.columns), dtype=object)
        return self

    def predict(self, rows: Any) -> Any:
        return self.classes_[self.predict_proba(rows).argmax(axis=1)]

    def predict_proba(self, rows: Any) -> Any:
        table = np.asarray(rows, dtype=float)
        time.sleep(float(os.environ.get(SECONDS, "0")) * len(table))
        positive = 1.0 / (1.0 + np.exp(-table[:, 0]))
        return np.column_stack([1.0 - positive, positive])
