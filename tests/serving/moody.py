"""A model that behaves while it is packed, and afterwards as the environment says: ``MOODY_2=nan`` for version 2."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin


class Moody(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts its version times the first feature."""

    def __init__(self, version: int = 1) -> None:
        self.version = version

    @property
    def mood(self) -> str:
        return os.environ.get(f"MOODY_{self.version}", "")

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.mood == "hang":
            time.sleep(3600)
        if self.mood == "die":
            os._exit(9)

    def fit(self, rows: Any, values: Any) -> Moody:
        self.n_features_in_ = np.asarray(rows).shape[1]
        if hasattr(rows, "columns"):
            self.feature_names_in_ = np.array(list(rows.columns), dtype=object)
        return self

    def predict(self, rows: Any) -> Any:
        answer = self.version * np.asarray(rows, dtype=float)[:, 0]
        if self.mood == "raise":
            raise ValueError("the password is hunter2")
        if self.mood == "slow":
            time.sleep(3.0)
        if self.mood == "nan":
            answer = answer * np.nan
        if self.mood == "wrong":
            answer = answer + 1.0
        return answer
