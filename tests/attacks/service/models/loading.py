"""A model that does something when it is loaded: the environment says what. While it is packed it does nothing."""

from __future__ import annotations

import ctypes
import os
import socket
import sys
import threading
import time
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

WHEN = "WHEN_LOADED"
"""The variable that says what is done."""
SECRET = "hunter2 at /etc/secret-4711"


def _load(what: str) -> None:
    word, _, detail = what.partition(":")
    if word == "sleep":
        time.sleep(float(detail))
    elif word == "raise":
        raise ValueError("cannot be read\nin two lines")
    elif word == "missing":
        import no_such_library  # type: ignore[import-not-found] # noqa: F401
    elif word == "attribute":
        from numpy import no_such_name  # type: ignore[attr-defined] # noqa: F401
    elif word == "exit":
        sys.exit(0)
    elif word == "die":
        os._exit(9)
    elif word == "crash":
        ctypes.string_at(0)
    elif word == "memory":
        np.ones(2**40)
    elif word == "connect":
        address, _, port = detail.partition(",")
        socket.create_connection((address, int(port)))
    elif word == "resolve":
        socket.getaddrinfo(detail, 80)
    elif word == "receive":
        socket.create_connection(("127.0.0.1", int(detail))).recv(1)
    elif word == "shout":
        print("noise\n" * 100_000, flush=True)
        os.write(2, b'{"level":"fake"}\n' * 1_000)
    elif word == "threads":
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
    elif word == "read":
        sys.stdin.read()


if os.environ.get(WHEN):
    _load(os.environ[WHEN])


class Loading(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts whether the second feature is positive."""

    def fit(self, rows: Any, labels: Any) -> Loading:
        self.classes_ = np.unique(labels)
        self.n_features_in_ = np.asarray(rows).shape[1]
        if hasattr(rows, "columns"):
            self.feature_names_in_ = np.array(list(rows.columns), dtype=object)
        return self

    def predict(self, rows: Any) -> Any:
        return self.classes_[self.predict_proba(rows).argmax(axis=1)]

    def predict_proba(self, rows: Any) -> Any:
        table = np.asarray(rows, dtype=float)
        positive = 1.0 / (1.0 + np.exp(-table[:, 1]))
        return np.column_stack([1.0 - positive, positive])
