"""Loan approval API."""

import json
import logging
import time
from typing import List

import joblib
import numpy as np
from fastapi import FastAPI, HTTPException
from prometheus_client import Counter, Histogram, generate_latest
from pydantic import BaseModel

logging.basicConfig(level=logging.INFO)
logger = logging.getLogger(__name__)

app = FastAPI(title="Loan Approval API", version="1.0.0")

model = joblib.load("model/model.joblib")
metadata = json.load(open("model/metadata.json"))

PREDICTIONS = Counter("predictions_total", "Number of predictions")
LATENCY = Histogram("prediction_latency_seconds", "Prediction latency")


class PredictionRequest(BaseModel):
    features: List[float]


class PredictionResponse(BaseModel):
    prediction: int
    probability: float
    model_version: str


def make_prediction(features):
    start = time.time()
    array = np.array(features).reshape(1, -1)
    prediction = model.predict(array)[0]
    probability = model.predict_proba(array)[0].max()
    PREDICTIONS.inc()
    LATENCY.observe(time.time() - start)
    return PredictionResponse(
        prediction=int(prediction),
        probability=float(probability),
        model_version=metadata.get("model_version", "1.0.0"),
    )


@app.get("/health")
def health():
    return {"status": "healthy"}


@app.get("/model/info")
def model_info():
    return metadata


@app.post("/predict", response_model=PredictionResponse)
def predict(request: PredictionRequest):
    logger.info(f"Received request: {request}")
    try:
        return make_prediction(request.features)
    except Exception as e:
        logger.error(f"Prediction failed: {e}")
        raise HTTPException(status_code=500, detail=str(e))


@app.post("/predict/batch")
def predict_batch(requests: List[PredictionRequest]):
    try:
        return {"predictions": [make_prediction(request.features) for request in requests]}
    except Exception as e:
        raise HTTPException(status_code=500, detail=str(e))


@app.get("/metrics")
def metrics():
    return generate_latest()
