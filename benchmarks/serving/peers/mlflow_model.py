"""Keep a model in MLflow's own form, with a signature, as its guide shows: ``python mlflow_model.py FOLDER``."""

from __future__ import annotations

import os
import sys

import joblib
import mlflow.sklearn
from mlflow.models import infer_signature

model = joblib.load(os.environ["MODEL"])
prototype = joblib.load(os.environ["PROTOTYPE"])
signature = infer_signature(prototype, model.predict(prototype))
mlflow.sklearn.save_model(
    model, sys.argv[1], signature=signature, serialization_format="cloudpickle", pip_requirements=["scikit-learn"]
)
