"""The floor without a wire: the model asked in a loop, by one thread of one process: ``python in_process.py PICKLE ROWS ONNX|- SECONDS``.

Prints, as JSON, how often a second it answers one row and a thousand: the pipeline itself, and its ONNX graph.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import pandas as pd


def per_second(answer: Callable[[], Any], seconds: float) -> float:
    """Return how often a second ``answer`` can be called."""
    answer()
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        answer()
        count += 1
    return count / (time.perf_counter() - began)


def pipeline(pickle: str, table: pd.DataFrame, seconds: float) -> dict[str, float]:
    """Return how fast the pipeline answers."""
    model, one = joblib.load(pickle), table.iloc[:1]
    return {
        "single": per_second(lambda: model.predict(one), seconds),
        "batch": per_second(lambda: model.predict(table), seconds),
    }


def graph(file: str, table: pd.DataFrame, seconds: float) -> dict[str, float]:
    """Return how fast its ONNX graph answers, where that takes all features as one tensor; else nothing."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    if len(session.get_inputs()) != 1:
        return {}
    (taken,) = session.get_inputs()
    many = table.to_numpy(np.float32 if taken.type == "tensor(float)" else np.float64)
    one = many[:1].copy()
    return {
        "single": per_second(lambda: session.run(None, {taken.name: one}), seconds),
        "batch": per_second(lambda: session.run(None, {taken.name: many}), seconds),
    }


def main() -> None:
    """Measure and print."""
    pickle, rows, onnx, words = sys.argv[1:]
    table, seconds = joblib.load(rows), float(words)
    found = {"pipeline": pipeline(pickle, table, seconds)}
    if onnx != "-":
        found["graph"] = graph(onnx, table, seconds)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
