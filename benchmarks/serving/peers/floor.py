"""The floors: services that predict nothing. What they reach, nothing behind the same server can pass."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

ANSWER = b'{"prediction":1,"probability":0.5}'


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Read the body and answer the same to everybody, with nothing between us and the server."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    fields = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": ANSWER})


class Request(BaseModel):
    """One row."""

    features: dict[str, Any]


app = FastAPI()


@app.post("/predict")
async def predict(request: Request) -> dict[str, Any]:  # noqa: ARG001 - it is read and checked, and no more
    """Read and check one row, and answer the same to everybody."""
    return {"prediction": 1, "probability": 0.5}
