"""A small prediction service that checks its input, for tests to break in one place: ``python plain_server.py PORT FILE``.

FILE defines ``score(row)``, which returns a number from 0 to 1 (or anything, where the test is about that).
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CATEGORIES = {"plan": {"basic", "plus", "pro"}}
NUMBERS = ("age", "income", "debt")
NULLABLE = ("income",)
MOST_ROWS = 10_000
known: dict[str, Any] = {}
exec(compile(Path(sys.argv[2]).read_text(encoding="utf-8"), sys.argv[2], "exec"), known)


class Refused(Exception):
    pass


def no_constant(word: str) -> float:
    raise ValueError(word)


def checked(row: object) -> dict[str, Any]:
    if not isinstance(row, dict) or set(row) != {*NUMBERS, *CATEGORIES}:
        raise Refused
    for name in NUMBERS:
        value = row[name]
        if value is None and name in NULLABLE:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e300 or value != value:
            raise Refused
        if name == "age" and value != int(value):
            raise Refused
    if not isinstance(row["plan"], str) or len(row["plan"]) > 10_000:
        raise Refused
    row["plan"].encode()
    return row


def answer(row: dict[str, Any]) -> dict[str, Any]:
    score = known["score"](row)
    flags = [] if row["plan"] in CATEGORIES["plan"] else ["unseen_category:plan"]
    label = score if isinstance(score, str) else "yes" if score >= 0.5 else "no"
    if isinstance(score, str):
        return {"prediction": label, "flags": flags}
    return {"prediction": label, "probabilities": {"no": 1 - score, "yes": score}, "flags": flags}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.say(200 if self.path in {"/health", "/health/ready"} else 404, {"status": "healthy"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            asked = json.loads(body, parse_constant=no_constant)
            if self.path == "/predict":
                rows = [checked(asked["features"])]
            elif self.path == "/predict/batch":
                if not 0 < len(asked) <= MOST_ROWS:
                    raise Refused
                rows = [checked(each["features"]) for each in asked]
            else:
                self.say(404, {})
                return
        except (Refused, ValueError, TypeError, KeyError):
            self.say(422, {"code": "invalid_input"})
            return
        try:
            answers = known["batch"](rows, answer) if "batch" in known else [answer(row) for row in rows]
        except Exception:
            self.say(500, {"code": "model_failed"})
            return
        self.say(200, answers[0] if self.path == "/predict" else {"predictions": answers, "count": len(answers)})

    def say(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
