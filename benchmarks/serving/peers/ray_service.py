"""Ray Serve as its guide to scikit-learn shows it: a deployment that reads the request's JSON."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import joblib
import pandas as pd
import ray  # type: ignore[import-not-found]
from ray import serve
from starlette.requests import Request


@serve.deployment(num_replicas=1)
class Model:
    """The model behind ``POST /``."""

    def __init__(self, path: str, columns: list[str]) -> None:
        self.model = joblib.load(path)
        self.columns = columns

    async def __call__(self, request: Request) -> dict[str, Any]:
        """Predict some rows."""
        table = pd.DataFrame((await request.json())["input"], columns=self.columns)
        return {"result": self.model.predict(table).tolist()}


def main() -> None:
    """Start Ray and the deployment, and wait for the end."""
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    bound = Model.bind(os.environ["MODEL"], os.environ["COLUMNS"].split("\n"))  # type: ignore[attr-defined] # the decorator gives it
    serve.run(bound, route_prefix="/predict")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    ray.shutdown()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
