"""A small service for a small model, written without a framework, and every flaw that it can be given.

``FLAWS`` in the environment names the flaws, separated by commas; without any it is sound. :mod:`server` puts it behind a wire.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import math
import os
import re
import secrets
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

FLAWS = set(filter(None, os.environ.get("FLAWS", "").split(",")))
HERE = Path(__file__).parent
MODEL = json.loads((HERE / "weights.json").read_text())
FEATURES = MODEL["features"]
KEYS = json.loads(os.environ.get("SERVICE_KEYS", "{}"))
"""SHA-256 of each key: its scopes."""
PER_SECOND = float(os.environ.get("SERVICE_LIMIT", "0"))
VERSION = MODEL["version"]
LARGEST_BODY = 256 * 1024
MOST_ROWS = 200
PUBLIC = {"/health", "/health/ready", "/ping", "/v2/health/live", "/v2/health/ready"}
_lock = threading.Lock()
_cache: dict = {}
_shared: dict = {}
_leaked: list = []
_turns = [0]
_began = time.monotonic()


def flawed(name: str) -> bool:
    return name in FLAWS


@dataclass
class Ask:
    """One request as it came."""

    method: str
    target: str
    headers: dict
    body: bytes
    client: str = "127.0.0.1"
    connection: int = 0

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> str:
        return urlsplit(self.target).query


@dataclass
class Reply:
    """One answer."""

    status: int
    body: bytes = b""
    headers: dict = field(default_factory=dict)


class Refused(Exception):
    """A request that is not answered."""

    def __init__(self, status: int, code: str, detail: str, **more: object) -> None:
        super().__init__(code)
        self.status, self.code, self.detail, self.more = status, code, detail, more


def respond(ask: Ask) -> Reply:
    """Answer, and leave one line about it."""
    began = time.perf_counter()
    identity = "1" if flawed("same-id") else secrets.token_hex(8)
    if flawed("echoed-id") and "x-request-id" in ask.headers:
        identity = ask.headers["x-request-id"]
    try:
        reply = guarded(ask)
    except Refused as refused:
        reply = problem(refused)
    except Exception as error:
        reply = broken(error)
    reply.headers.setdefault("Content-Type", "application/json")
    if not flawed("no-id") and not (flawed("id-on-success-only") and reply.status >= 400):
        reply.headers["X-Request-ID"] = identity
    log(ask, reply, identity, (time.perf_counter() - began) * 1e3)
    if ask.method == "HEAD":
        reply.body = b""
    return reply


def log(ask: Ask, reply: Reply, identity: str, milliseconds: float) -> None:
    now = dt.datetime.now(dt.UTC).isoformat()
    line = {"time": now, "level": "info", "request_id": identity, "status": reply.status, "model_version": VERSION}
    line |= {"latency_ms": round(milliseconds, 3), "method": ask.method}
    text = json.dumps(line)
    if flawed("failed-not-logged") and reply.status >= 400:
        return
    if flawed("body-in-log"):
        text = json.dumps({**line, "body": ask.body.decode("utf-8", "replace")})
    if flawed("key-in-log"):
        text = json.dumps({**line, "caller": ask.headers.get("x-api-key", "")})
    if flawed("integers-in-log"):
        text = json.dumps({**line, "numbers": re.findall(rb'"age":\s*(\d+)', ask.body).__repr__()})
    if flawed("line-by-hand"):
        text = text[:-1] + f', "agent": "{ask.headers.get("user-agent", "")}"}}'
    if flawed("path-by-hand"):
        text = text[:-1] + f', "path": "{ask.path}"}}'
    if flawed("plain-text"):
        text = f"{now} INFO {identity} {reply.status} {VERSION} {milliseconds:.1f}ms"
    if flawed("no-status"):
        del line["status"]
        text = json.dumps(line)
    print(text, flush=True)


def broken(error: Exception) -> Reply:
    if flawed("traceback-in-log"):
        traceback.print_exc(file=sys.stdout)
    return problem(Refused(500, "internal_error", "the request could not be answered"))


def problem(refused: Refused) -> Reply:
    headers = {"Content-Type": "application/problem+json"}
    body = {"title": refused.code, "status": refused.status, "code": refused.code, "detail": refused.detail}
    if refused.status == 429 and not flawed("no-retry-after"):
        headers["Retry-After"] = "1"
    if flawed("html"):
        return Reply(refused.status, b"<html><h1>Error</h1></html>", {"Content-Type": "text/html"})
    if flawed("status-lies"):
        body["status"] = 500 if refused.status == 422 else refused.status
    if flawed("error-in-200") and refused.status == 422:
        return Reply(200, json.dumps({"error": refused.detail}).encode())
    return Reply(refused.status, json.dumps({**body, **refused.more}).encode(), headers)


# Who may ask, and how often


def guarded(ask: Ask) -> Reply:
    path = ask.path
    if flawed("any-case"):
        path, guard = path.lower(), path
    else:
        guard = path
    if flawed("guard-sees-raw"):
        guard = urlsplit(ask.target).path
    if flawed("trailing-slash"):
        path = path.rstrip("/") or "/"
    needs_key = guard not in PUBLIC
    if flawed("only-predict"):
        needs_key = guard == "/predict"
    if flawed("any-case") or flawed("guard-sees-raw") or flawed("trailing-slash"):
        needs_key = guard in {"/predict", "/predict/batch", "/invocations", "/model/info", "/metrics"}
    if flawed("head-open") and ask.method == "HEAD":
        needs_key = False
    if flawed("trusts-forwarded") and ask.headers.get("x-forwarded-for") == "127.0.0.1":
        needs_key = False
    if flawed("override") and ask.headers.get("x-http-method-override") == "GET":
        needs_key = False
    if flawed("validates-first") and path == "/predict":
        features_of(decoded(ask.body))
    if KEYS and needs_key:
        scopes = scopes_of(ask)
        if re.search("predict|invocations|infer", path) and "predict" not in scopes:
            raise Refused(403, "forbidden", "this key has no right to do this")
        if path == "/metrics" and "metrics" not in scopes:
            raise Refused(403, "forbidden", "this key has no right to do this")
    if PER_SECOND and guard not in PUBLIC:
        limited(ask, path)
    return routed(ask, path)


def scopes_of(ask: Ask) -> str:
    key = ask.headers.get("x-api-key", "")
    if flawed("query-key") and not key:
        found = re.search(r"(?:^|&)(?:api_)?key=([^&]*)", ask.query)
        key = found[1] if found else ""
    if flawed("empty-key") and "x-api-key" in ask.headers and not key:
        return "predict,metrics"
    plain = json.loads(os.environ.get("SERVICE_PLAIN_KEYS", "{}"))
    for known, scopes in plain.items():
        if flawed("prefix-key") and len(key) >= 4 and known.startswith(key):
            return scopes
        if flawed("longer-key") and key.startswith(known):
            return scopes
        if flawed("any-case-key") and key.lower() == known.lower():
            return scopes
        if flawed("oracle") and key[:8] == known[:8] and key != known:
            raise Refused(401, "unauthorized", "this key exists, and its second half is wrong")
    if flawed("wildcard-key") and "*" in key:
        return "predict,metrics"
    if flawed("usual-key") and key == "admin":
        return "predict,metrics"
    digest = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
    found = [scopes for known, scopes in KEYS.items() if hmac.compare_digest(known, digest)]
    if not found:
        raise Refused(401, "unauthorized", "send a valid key in X-API-Key")
    return "predict,metrics" if flawed("no-scopes") else found[0]


_buckets: dict = {}


def limited(ask: Ask, path: str) -> None:
    caller = ask.headers.get("x-api-key") or ask.client
    if flawed("limit-by-connection"):
        caller = f"{caller} {ask.connection}"
    if flawed("limit-by-path"):
        caller = f"{caller} {path}"
    if flawed("limit-by-forwarded"):
        caller = ask.headers.get("x-forwarded-for") or caller
    if flawed("limit-for-all"):
        caller = "all"
    now = time.monotonic()
    with _lock:
        if flawed("limit-by-minute"):
            window = int(time.time() // 60)
            count = _buckets[caller, window] = _buckets.get((caller, window), 0) + 1
            allowed = count <= PER_SECOND * 60
        else:
            tokens, at = _buckets.get(caller, (PER_SECOND, now))
            tokens = min(PER_SECOND, tokens + (now - at) * PER_SECOND)
            allowed = tokens >= 1
            _buckets[caller] = (tokens - 1 if allowed else tokens, now)
    if not allowed:
        raise Refused(503 if flawed("limit-503") else 429, "too_many_requests", "try again in a second")


# What is answered


def routed(ask: Ask, path: str) -> Reply:
    if path in PUBLIC and "/v2" not in path and ask.method in {"GET", "HEAD"} and not flawed("no-health"):
        return sent({"status": "healthy", "model_version": VERSION})
    if path == "/model/info" and ask.method in {"GET", "HEAD"}:
        return sent({"name": "cover", "version": VERSION, "features": [each["name"] for each in FEATURES]})
    if path == "/metrics" and ask.method in {"GET", "HEAD"}:
        return Reply(200, b"# TYPE up gauge\nup 1\n", {"Content-Type": "text/plain; version=0.0.4"})
    if path in {"/predict", "/predict/batch"}:
        if ask.method not in {"POST", *({"GET"} if flawed("override") else ())}:
            raise Refused(405, "method_not_allowed", "send a POST")
        if not ask.headers.get("content-type", "").startswith("application/json"):
            raise Refused(415, "unsupported_media_type", "send application/json")
        slow()
        return one(ask) if path == "/predict" else many(ask)
    if path == "/invocations" and ask.method == "POST":
        return table(ask)
    if path.startswith("/v2"):
        return open_inference(ask, path)
    raise Refused(404, "not_found", "see the documentation")


# Other shapes


def table(ask: Ask) -> Reply:
    """Answer as containers of SageMaker and servers of MLflow do."""
    body = decoded(ask.body)
    split = body.get("dataframe_split") if isinstance(body, dict) else None
    if not isinstance(split, dict) or split.keys() != {"columns", "data"} or body.keys() != {"dataframe_split"}:
        raise Refused(422, "no_table", "send dataframe_split")
    return sent({"predictions": tabular(split["columns"], split["data"])})


def tabular(columns: object, data: object) -> list:
    if not isinstance(columns, list) or not isinstance(data, list) or not 1 <= len(data) <= MOST_ROWS:
        raise Refused(422, "no_table", "send columns, and rows of data")
    answers = []
    for index, values in enumerate(data):
        if not isinstance(values, list) or len(values) != len(columns):
            raise Refused(422, "wrong_length", "send a value for each column", row=index)
        try:
            answers.append(predicted(features_of({"features": dict(zip(map(str, columns), values, strict=True))})))
        except Refused as refused:
            raise Refused(refused.status, refused.code, refused.detail, row=index) from None
    return answers


def open_inference(ask: Ask, path: str) -> Reply:
    """Answer as the Open Inference Protocol has it."""
    if path in {"/v2/health/live", "/v2/health/ready"}:
        return sent({"live": True})
    kinds = {
        each["name"]: "BYTES" if each["categories"] else "INT64" if each["integer"] else "FP64" for each in FEATURES
    }
    if path == "/v2/models/cover" and ask.method == "GET":
        inputs = [{"name": name, "datatype": kind, "shape": [-1, 1]} for name, kind in kinds.items()]
        return sent(
            {"name": "cover", "versions": [VERSION], "platform": "hand-written", "inputs": inputs, "outputs": []}
        )
    if path == "/v2/models" or path != "/v2/models/cover/infer":
        raise Refused(404, "not_found", "see the documentation")
    if ask.method != "POST":
        raise Refused(405, "method_not_allowed", "send a POST")
    body = decoded(ask.body)
    tensors = body.get("inputs") if isinstance(body, dict) else None
    if (
        not isinstance(tensors, list)
        or body.keys() != {"inputs"}
        or not all(isinstance(each, dict) for each in tensors)
    ):
        raise Refused(422, "no_inputs", "send inputs")
    columns = [each.get("name") for each in tensors]
    data = [each.get("data") for each in tensors]
    if not all(isinstance(each, list) for each in data) or len({len(each) for each in data}) != 1:
        raise Refused(422, "no_data", "send as many values for each input")
    answers = tabular(columns, [list(row) for row in zip(*data, strict=True)])
    outputs = [
        {
            "name": "prediction",
            "datatype": "INT64",
            "shape": [len(answers), 1],
            "data": [each["prediction"] for each in answers],
        },
        {
            "name": "flags",
            "datatype": "BYTES",
            "shape": [len(answers), 1],
            "data": [",".join(each["out_of_range"]) for each in answers],
        },
    ]
    return sent({"model_name": "cover", "model_version": VERSION, "outputs": outputs})


def slow() -> None:
    with _lock:
        _turns[0] += 1
        turn = _turns[0]
    if flawed("first-late") and turn == 1:
        time.sleep(2)
    if flawed("freezes") and int((time.monotonic() - _began) / 2.5) != _shared.get("frozen"):
        with _lock:
            _shared["frozen"] = int((time.monotonic() - _began) / 2.5)
            time.sleep(1.2)
    if flawed("ages"):
        time.sleep(turn / 6_000)
    if flawed("serial"):
        with _lock:
            time.sleep(0.03)
    if flawed("leaks"):
        _leaked.append(os.urandom(2**20))
    if flawed("dies") and turn == 30:
        os._exit(7)
    if flawed("model-gone"):
        raise Refused(503, "no_model", "the model is not there")


def sent(body: object) -> Reply:
    return Reply(200, json.dumps(body, allow_nan=flawed("nan-answered")).encode())


def one(ask: Ask) -> Reply:
    if flawed("error-under-load") and _turns[0] % 40 == 0:
        return sent({"error": "busy"})
    return sent(predicted(features_of(decoded(ask.body))))


def many(ask: Ask) -> Reply:
    items = decoded(ask.body)
    if not isinstance(items, list) or not items:
        raise Refused(422, "no_rows", "send a list of rows")
    if len(items) > MOST_ROWS and not flawed("no-row-limit"):
        raise Refused(413, "too_many_rows", f"send at most {MOST_ROWS} rows")
    rows = []
    for index, item in enumerate(items):
        try:
            rows.append(features_of(item))
        except Refused as refused:
            if flawed("drops-bad-rows"):
                continue
            if flawed("places-in-batch"):
                return sent({"predictions": [placed(each) for each in items], "count": len(items)})
            said = {"row": 0 if flawed("names-another-row") else index}
            raise Refused(refused.status, refused.code, refused.detail, **({} if flawed("no-row") else said)) from None
    answers = [predicted(row) for row in rows]
    if flawed("sorted-batch"):
        answers.sort(key=lambda each: each["probability"])
    if flawed("short-batch") and len(answers) > 50:
        answers = answers[:50]
    return sent({"predictions": answers, "count": len(answers)})


def placed(item: object) -> dict:
    try:
        return predicted(features_of(item))
    except Refused as refused:
        return {"error": refused.code}


def decoded(body: bytes) -> object:
    def odd(word: str) -> float:
        if flawed("takes-nan"):
            return float(word)
        raise Refused(400, "not_json", "send JSON")

    def paired(pairs: list) -> dict:
        if len({name for name, _ in pairs}) < len(pairs) and not flawed("twice"):
            raise Refused(422, "twice", "send every member once")
        return dict(pairs)

    try:
        return json.loads(body.decode("utf-8"), parse_constant=odd, object_pairs_hook=paired)
    except Refused:
        raise
    except (ValueError, RecursionError):
        raise Refused(400, "not_json", "send JSON") from None


def features_of(sent_row: object) -> dict:
    if not isinstance(sent_row, dict) or not isinstance(sent_row.get("features"), dict):
        raise Refused(422, "no_features", "send features by name")
    given = sent_row["features"]
    if sent_row.keys() - {"features"}:
        raise Refused(422, "unknown_member", "send features alone")
    names = {each["name"] for each in FEATURES}
    if given.keys() - names and not flawed("more-features"):
        raise Refused(422, "unknown_feature", "send the features of the model")
    if names - given.keys() and not flawed("fewer-features"):
        raise Refused(422, "missing_feature", "send every feature")
    row = {}
    for each in FEATURES:
        row[each["name"]] = value_of(each, given.get(each["name"], each["categories"][0] if each["categories"] else 0))
    return row


def value_of(feature: dict, value: object) -> object:
    name = feature["name"]
    if feature["categories"]:
        if not isinstance(value, str):
            raise Refused(422, "wrong_type", f"{name} is a word", field=name)
        if value not in feature["categories"]:
            raise Refused(422, "unknown_category", f"{name} is one of few", field=name)
        return value
    if flawed("takes-strings") and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            raise Refused(422, "wrong_type", f"{name} is a number", field=name) from None
    if isinstance(value, bool) and flawed("takes-booleans"):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        leak(value)
        raise Refused(422, "wrong_type", f"{name} is a number", field=name)
    if feature["integer"] and not isinstance(value, int) and not flawed("cuts-fractions"):
        raise Refused(422, "wrong_type", f"{name} is a whole number", field=name)
    if abs(value) > 1e15 and not flawed("takes-all") and not flawed("nan-answered"):
        raise Refused(422, "too_large", f"{name} is too large", field=name)
    return value


def leak(value: object) -> None:
    if flawed("says-exception"):
        raise Refused(422, "wrong", f"could not convert string to float: {type(value).__name__}")
    if flawed("says-sql"):
        raise Refused(422, "wrong", 'near "x": syntax error in SELECT id, age FROM customers WHERE age = ?')
    if flawed("says-path"):
        raise Refused(422, "wrong", f"see {HERE}/core.py")
    if flawed("says-value"):
        raise Refused(422, "wrong", f"{value} is no number")


def predicted(row: dict) -> dict:
    if flawed("crossed"):
        _shared["row"] = row
        time.sleep(0.002)
        row = _shared["row"]
    if flawed("cached-by-age"):
        row = _cache.setdefault(row["age"], row)
    flags = [] if flawed("silent") else [each["name"] for each in FEATURES if strange(each, row[each["name"]])]
    if flawed("clips"):
        row = {name: min(max(v, low(name)), high(name)) if not isinstance(v, str) else v for name, v in row.items()}
    probability = score(row)
    if flawed("random"):
        probability = min(max(probability + secrets.SystemRandom().uniform(-1e-3, 1e-3), 0), 1)
    label = MODEL["classes"][probability > 0.5]
    certain = max(probability, 1 - probability)
    answer = {"prediction": label, "probability": certain, "model_version": VERSION, "out_of_range": flags}
    if flawed("percent"):
        answer["probability"] *= 100
    if flawed("label-text"):
        answer["prediction"] = str(label)
    if flawed("flags-otherwise"):
        del answer["out_of_range"]
        answer["input_check"] = {"within_training_range": not flags}
    return answer


def strange(feature: dict, value: object) -> bool:
    return not feature["categories"] and not low(feature["name"]) <= value <= high(feature["name"])


def low(name: str) -> float:
    return next(each["minimum"] for each in FEATURES if each["name"] == name)


def high(name: str) -> float:
    return next(each["maximum"] for each in FEATURES if each["name"] == name)


def score(row: dict) -> float:
    total = MODEL["intercept"]
    for each in FEATURES:
        value = row[each["name"]]
        if each["categories"]:
            total += each["weights"][each["categories"].index(value)]
        else:
            total += each["weight"] * (value - each["mean"]) / each["scale"]
    if flawed("nan-answered") and abs(total) > 1e15:
        return math.nan
    return 1 / (1 + math.exp(-min(max(total, -500), 500)))
