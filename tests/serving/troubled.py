"""A model that does what models do at the worst moment. The number in its first feature says what."""

from __future__ import annotations

import ctypes
import os
import time
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

HANG, DIE, RAISE, NAN, FEWER, IMPOSSIBLE, CRASH, HOARD, PRINT = 601, 602, 603, 604, 605, 606, 607, 608, 609
SLOW = 610


class Troubled(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts whether the second feature is positive."""

    def fit(self, rows: Any, labels: Any) -> Troubled:
        self.classes_ = np.unique(labels)
        self.n_features_in_ = np.asarray(rows).shape[1]
        if hasattr(rows, "columns"):
            self.feature_names_in_ = np.array(list(rows.columns), dtype=object)
        return self

    def predict(self, rows: Any) -> Any:
        return self.classes_[self.predict_proba(rows).argmax(axis=1)]

    def predict_proba(self, rows: Any) -> Any:
        table = np.asarray(rows, dtype=float)
        what = set(table[:, 0].tolist())
        if HANG in what:
            time.sleep(3600)
        if SLOW in what:
            time.sleep(0.3)
        if DIE in what:
            os._exit(9)
        if CRASH in what:
            ctypes.string_at(0)
        if RAISE in what:
            raise ValueError("the password of /etc/secret is hunter2")
        if HOARD in what:
            np.ones(2**40)
        if PRINT in what:
            print("noise\n" * 100_000, flush=True)
        positive = 1.0 / (1.0 + np.exp(-table[:, 1]))
        answer = np.column_stack([1.0 - positive, positive])
        if NAN in what:
            answer[table[:, 0] == NAN] = np.nan
        if IMPOSSIBLE in what:
            answer[table[:, 0] == IMPOSSIBLE] = [1.5, 0.7]
        return answer[:-1] if FEWER in what else answer
