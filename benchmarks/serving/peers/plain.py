"""A service as many tutorials write it: FastAPI, a pydantic body, a data frame, the pipeline itself."""

from __future__ import annotations

import os
from typing import Any

import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
model = joblib.load(os.environ["MODEL"])
columns = os.environ["COLUMNS"].split("\n")


class Request(BaseModel):
    """One row."""

    features: dict[str, Any]


@app.post("/predict")
def predict(request: Request) -> dict[str, Any]:
    """Predict one row."""
    frame = pd.DataFrame([request.features], columns=columns)
    probabilities = model.predict_proba(frame)[0]
    best = probabilities.argmax()
    return {"prediction": model.classes_[best].item(), "probability": float(probabilities[best])}


@app.post("/predict/batch")
def predict_batch(requests: list[Request]) -> dict[str, Any]:
    """Predict many rows."""
    frame = pd.DataFrame([request.features for request in requests], columns=columns)
    probabilities = model.predict_proba(frame)
    best = probabilities.argmax(axis=1)
    return {"predictions": model.classes_[best].tolist(), "probabilities": probabilities.max(axis=1).tolist()}
