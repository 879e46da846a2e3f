"""LitServe as its guide shows it: a ``LitAPI`` with setup, decode, predict and encode, and ``LitServer.run``."""

import os
import sys
from typing import Any

import joblib
import litserve  # type: ignore[import-not-found]
import pandas as pd


class Model(litserve.LitAPI):  # type: ignore[misc]
    """The model behind ``POST /predict``."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - the library gives it
        """Load the model."""
        self.model = joblib.load(os.environ["MODEL"])
        self.columns = os.environ["COLUMNS"].split("\n")

    def decode_request(self, request):  # type: ignore[no-untyped-def] # the library reads annotations
        """Read some rows."""
        return pd.DataFrame(request["input"], columns=self.columns)

    def predict(self, x: pd.DataFrame) -> Any:
        """Predict them."""
        return self.model.predict(x)

    def encode_response(self, output: Any) -> dict[str, Any]:
        """Write the answers."""
        return {"output": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Model(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False)
