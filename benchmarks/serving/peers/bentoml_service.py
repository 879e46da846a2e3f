"""BentoML as its guide to scikit-learn shows it: a service class with one API that takes a table."""

from __future__ import annotations

import os

import bentoml
import joblib
import numpy as np
import pandas as pd


@bentoml.service(workers=1)
class Model:
    """The model behind ``POST /predict``."""

    def __init__(self) -> None:
        self.model = joblib.load(os.environ["MODEL"])

    @bentoml.api
    def predict(self, input_data: pd.DataFrame) -> np.ndarray:
        """Predict some rows."""
        return self.model.predict(input_data)
