"""Loan approval API: only what the model was made for reaches it, and only for those who may ask."""

import hashlib
import hmac
import os
import re
import time
import uuid
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from starlette.exceptions import HTTPException

from sekisho import ModelArtifact

LARGEST_BODY = 1024 * 1024
MOST_ROWS = 500
PER_SECOND = 300.0
FLOAT32 = 3.4e38
REQUEST_ID = re.compile("[A-Za-z0-9._-]{8,64}")
PUBLIC = {"/health", "/health/ready"}

PREDICTIONS = Counter("loan_predictions_total", "Requests for a prediction, by outcome", ["status"])
LATENCY = Histogram("loan_prediction_seconds", "Time of an answered request", buckets=(0.005, 0.02, 0.1, 0.4, 0.6, 2))

artifact = ModelArtifact.load("model")
features = {feature.name: feature for feature in artifact.signature.features}
Features = msgspec.defstruct("Features", [(name, float) for name in features], forbid_unknown_fields=True)


class Row(msgspec.Struct, forbid_unknown_fields=True):
    features: Features


class Refused(Exception):
    """A request that is not answered: its status, a stable code, and what was expected."""

    def __init__(self, status, code, detail, **more):
        super().__init__(code)
        self.status, self.code, self.detail, self.more = status, code, detail, more


# Who may ask, and how often


class Callers:
    """Callers known by the hash of their key, each with a bucket of tokens. One process answers, so one bucket is enough."""

    def __init__(self, file):
        lines = (line.split(":") for line in file.read_text().split())
        self.known = [(name, scope, bytes.fromhex(digest)) for name, scope, digest in lines]
        self.buckets = {}

    def admit(self, key, scope):
        digest = hashlib.sha256(key.encode()).digest()
        found = [caller for caller in self.known if hmac.compare_digest(caller[2], digest)]
        if not found:
            raise Refused(401, "unauthorized", "send a valid key in X-API-Key")
        name, scopes, _ = found[0]
        if scope not in scopes.split(","):
            raise Refused(403, "forbidden", "this key has no right to do this")
        tokens, at = self.buckets.get(name, (PER_SECOND, time.monotonic()))
        now = time.monotonic()
        tokens = min(PER_SECOND, tokens + (now - at) * PER_SECOND)
        self.buckets[name] = (tokens - 1 if tokens >= 1 else tokens, now)
        if tokens < 1:
            raise Refused(429, "too_many_requests", "try again in a second")


callers = Callers(Path(os.environ["LOAN_KEY_FILE"]))


@asynccontextmanager
async def warm(_app):
    artifact.verify()
    yield


app = FastAPI(title="Loan Approval API", version=artifact.version, lifespan=warm)


@app.middleware("http")
async def guard(request: Request, call_next):
    began = time.perf_counter()
    sent = request.headers.get("X-Request-ID", "")
    request_id = sent if REQUEST_ID.fullmatch(sent) else uuid.uuid4().hex
    response = await admitted(request, call_next)
    response.headers["X-Request-ID"] = request_id
    log(request, request_id, response.status_code, time.perf_counter() - began)
    return response


async def admitted(request, call_next):
    try:
        path = request.scope["path"]
        if path not in PUBLIC:
            callers.admit(request.headers.get("X-API-Key", ""), "metrics" if path == "/metrics" else "predict")
        return await call_next(request)
    except Refused as refused:
        return problem(refused)


def log(request, request_id, status, seconds):
    """Write one line a request: nothing that the caller sent stands in it but an id of harmless letters."""
    line = {
        "time": datetime.now(UTC).isoformat(),
        "level": "info" if status < 500 else "error",
        "event": "request",
        "request_id": request_id,
        "route": getattr(request.scope.get("route"), "path", "other"),
        "status": status,
        "latency_ms": round(seconds * 1000, 3),
        "model": artifact.name,
        "model_version": artifact.version,
    }
    print(msgspec.json.encode(line).decode(), flush=True)


# What is answered when it is not


def problem(refused):
    headers = {429: {"Retry-After": "1"}, 401: {"WWW-Authenticate": "ApiKey"}}.get(refused.status, {})
    body = {"title": refused.code.replace("_", " "), "status": refused.status, "code": refused.code}
    content = msgspec.json.encode({**body, "detail": refused.detail, **refused.more})
    return Response(content, refused.status, headers, "application/problem+json")


@app.exception_handler(Refused)
async def refused_handler(_request, refused):
    return problem(refused)


@app.exception_handler(HTTPException)
async def http_handler(_request, error):
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "error")
    return problem(Refused(error.status_code, code, "see the documentation of the API"))


@app.exception_handler(Exception)
async def any_handler(_request, _error):
    PREDICTIONS.labels("failed").inc()
    return problem(Refused(500, "internal_error", "the request could not be answered"))


# What comes in


async def body_of(request):
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "unsupported_media_type", "send application/json")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_BODY:
            raise Refused(413, "too_large", f"send at most {LARGEST_BODY} bytes")
    return bytes(body)


def decoded(data, kind, **where):
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError:
        raise Refused(422, "invalid_row", "send every feature once, by name, as a number", **where) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refused(400, "not_json", "send JSON in UTF-8", **where) from None


def values_of(sent, **where):
    values = msgspec.structs.asdict(sent.features)
    if any(abs(value) > FLOAT32 for value in values.values()):
        raise Refused(422, "too_large_a_number", "send numbers that a 32-bit float can hold", **where)
    return values


# What goes out


def answered(rows):
    outputs = artifact.predict(rows)
    return [
        {
            "prediction": label,
            "probability": max(scores),
            "model_version": artifact.version,
            "flags": [
                name for name, value in row.items() if not features[name].minimum <= value <= features[name].maximum
            ],
        }
        for row, label, scores in zip(rows, outputs.values.tolist(), outputs.probabilities.tolist(), strict=True)
    ]


async def counted(request, answer):
    began = time.perf_counter()
    try:
        result = answer(await body_of(request))
    except Refused:
        PREDICTIONS.labels("refused").inc()
        raise
    PREDICTIONS.labels("answered").inc()
    LATENCY.observe(time.perf_counter() - began)
    return Response(msgspec.json.encode(result), media_type="application/json")


@app.post("/predict")
async def predict(request: Request):
    return await counted(request, lambda body: answered([values_of(decoded(body, Row))])[0])


@app.post("/predict/batch")
async def predict_batch(request: Request):
    def answer(body):
        raw = decoded(body, list[msgspec.Raw])
        if not 1 <= len(raw) <= MOST_ROWS:
            raise Refused(413 if raw else 422, "rows", f"send 1 to {MOST_ROWS} rows")
        rows = [values_of(decoded(row, Row, row=index), row=index) for index, row in enumerate(raw)]
        return {"predictions": answered(rows), "count": len(rows)}

    return await counted(request, answer)


@app.get("/health")
@app.get("/health/ready")
async def health():
    return {"status": "ok", "model_version": artifact.version}


@app.get("/model/info")
async def info():
    return {"name": artifact.name, "version": artifact.version, "features": list(features)}


@app.get("/metrics")
async def metrics():
    return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
