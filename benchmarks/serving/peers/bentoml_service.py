"""BentoML as its guide to scikit-learn shows it: a service class with one API that takes a table."""

from __future__ import annotations

import os

import bentoml  # type: ignore[import-not-found]
import joblib
import numpy as np
import pandas as pd


@bentoml.service(workers=1)
class Model:
    """The model behind ``POST /predict``."""

    def __init__(self) -> None:
        self.model = joblib.load(os.environ["MODEL"])

    @bentoml.api  # type: ignore[untyped-decorator]
    def predict(self, input_data: pd.DataFrame) -> np.ndarray:
        """Predict some rows."""
        predictions: np.ndarray = self.model.predict(input_data)
        return predictions
