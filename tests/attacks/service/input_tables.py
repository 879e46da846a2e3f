"""CSV, JSON Lines, invocations and feedback that do not fit."""

from __future__ import annotations

import itertools
import json
from typing import Any

from tests.attacks.service.attack import Chapter, Outcome, expect
from tests.attacks.service.moves import (
    check_refusal,
)
from tests.attacks.service.target import Target

KINDS = judged = Chapter("input")


X_J31 = judged(
    "X-J31",
    ("CSV and JSON Lines that do not fit", "合わない CSV・JSON Lines"),
    ("refused by the same rules and codes as JSON", "JSON と同じ規則とコードで拒否"),
)
for name, (body, codes) in {
    "empty": (b"", ("no_rows",)),
    "blank-lines": (b"\n\n\n", ("no_rows",)),
    "fewer": (b"1,2,3\n", ("wrong_count",)),
    "more": (b"1,2,3,4,5\n", ("wrong_count",)),
    "nan": (b"1,2,3,nan\n", ("wrong_type",)),
    "inf": (b"1,2,3,inf\n", ("wrong_type",)),
    "underscore": (b"1,2,3,1_000\n", ("wrong_type",)),
    "null": (b"1,2,3,\n", ("null_not_allowed",)),
    "quote": (b'1,2,3,"4\n', ("malformed_csv",)),
    "byte": (b"1,2,3,\xff\n", ("malformed_csv",)),
    "1e999": (b"1,2,3,1e999\n", ("not_finite",)),
    "1e300": (b"1,2,3,1e300\n", ("not_finite",)),
    "hex": (b"1,2,3,0x10\n", ("wrong_type",)),
    "blank": (b"1,2,3, 4\n", ("wrong_type",)),
    "full-width": ("1,2,3,４\n".encode(), ("wrong_type",)),
    "semicolons": (b"1;2;3;4\n", ("wrong_count",)),
    "tabs": (b"1\t2\t3\t4\n", ("wrong_count",)),
    "formula": (b"=1+1,2,3,4\n", ("wrong_type",)),
    "nul": (b"1,2,3,\0\n", ("malformed_csv", "wrong_type")),
    "utf-16": ("1,2,3,4\n".encode("utf-16"), ("malformed_csv",)),
    "long-cell": (b"1,2,3," + b"4" * 60_000 + b"\n", ("wrong_type", "not_finite", "malformed_csv")),
    "many-cells": (b"1," * 30_000 + b"\n", ("wrong_count",)),
    "second-line": (b"1,2,3,4\n1,2,3\n", ("wrong_count",)),
    "quoted-line": (b'1,2,3,"4\n5"\n', ("wrong_type",)),
}.items():

    def _csv(target: Target, body: bytes = body, codes: tuple[str, ...] = codes) -> Outcome:
        before = target.predicted()
        for path in ("/predict/batch", "/invocations"):
            answer = target.ask(path, body, headers={"content-type": "text/csv"})
            expect(answer.status in {400, 422}, f"{path}: {answer.status}")
            expect(answer.code in codes, f"{path}: the code is {answer.code}")
            check_refusal(answer, target)
        expect(target.predicted() == before, "something was predicted")
        return Outcome(seen=f"{answer.status} {answer.code}")

    X_J31.add("csv-" + name, _csv, needs=("ours", "route:batch"), on="tight")
for name, (body, codes) in {
    "empty": (b"", ("no_rows",)),
    "blank-lines": (b"\n \n\n", ("no_rows",)),
    "not-json": (b"[1,2,3,4]\nx\n", ("malformed_json",)),
    "cut": (b"[1,2,3,4]\n[1,2\n", ("malformed_json",)),
    "list": (b"[[1,2,3,4],[1,2,3,4]]\n", ("wrong_count", "wrong_type")),
    "number": (b"1\n2\n", ("wrong_type",)),
    "null": (b"null\n", ("wrong_type",)),
    "nan": (b"[1,2,3,NaN]\n", ("malformed_json",)),
    "twice": (b'{"features":[1,2,3,4],"features":[1,2,3,4]}\n', ("duplicate_key",)),
    "deep": (b"[" * 30_000 + b"\n", ("malformed_json",)),
    "two-a-line": (b"[1,2,3,4][1,2,3,4]\n", ("malformed_json",)),
    "carriage-return": (b"[1,2,3,4]\r[1,2,3]\r", ("malformed_json",)),
    "bom": (b"\xef\xbb\xbf[1,2,3,4]\n", ("malformed_json",)),
    "second": (b"[1,2,3,4]\n[1,2,3]\n", ("wrong_count",)),
    "1e300": (b"[1,2,3,1e300]\n", ("not_finite",)),
}.items():

    def _lines(target: Target, body: bytes = body, codes: tuple[str, ...] = codes) -> Outcome:
        for path, media_type in itertools.product(
            ("/predict/batch", "/invocations"), ("application/jsonlines", "application/x-ndjson")
        ):
            answer = target.ask(path, body, headers={"content-type": media_type})
            expect(answer.status in {400, 422}, f"{path}: {answer.status}")
            expect(answer.code in codes, f"{path}: the code is {answer.code}")
            check_refusal(answer, target)
        return Outcome(seen=f"{answer.status} {answer.code}")

    X_J31.add("lines-" + name, _lines, needs=("ours", "route:batch"), on="tight")
INVOCATIONS: dict[str, tuple[Any, str]] = {
    "nothing": ({}, "missing_field"),
    "two": ({"instances": [[5, 3, 1, 0.2]], "inputs": [[5, 3, 1, 0.2]]}, "missing_field"),
    "unknown": ({"rows": []}, "unknown_field"),
    "number": ({"instances": 3}, "wrong_type"),
    "list-of-numbers": ({"instances": [3]}, "wrong_type"),
    "fewer": ({"instances": [[1, 2]]}, "wrong_count"),
    "no-columns": ({"dataframe_split": {"data": [[1, 2, 3, 4]]}}, "missing_field"),
    "other-columns": ({"dataframe_split": {"columns": ["a"], "data": [[1]]}}, "unknown_feature"),
    "column-twice": ({"dataframe_split": {"columns": ["a", "a"], "data": [[1, 1]]}}, "duplicate_key"),
    "ragged": ({"dataframe_split": {"columns": ["a", "b"], "data": [[1]]}}, "wrong_count"),
    "uneven": ({"inputs": {"a": [1], "b": [1, 2]}}, "wrong_count"),
    "text": ("text", "wrong_type"),
    "bare-number": ([3], "wrong_type"),
}
for name, (given, code) in INVOCATIONS.items():

    def _table(target: Target, given: Any = given, code: str = code) -> Outcome:
        answer = target.ask("/invocations", json.dumps(given).encode())
        expect(answer.code == code, f"the code is {answer.code}")
        check_refusal(answer, target)
        return Outcome(seen=f"{answer.status} {answer.code}")

    X_J31.add("invocations-" + name, _table, needs=("ours", "route:invocations"), on="tight")


X_J32 = judged(
    "X-J32",
    ("Feedback that does not fit", "合わないフィードバック"),
    ("4xx with a code; nothing is kept", "4xx とコード。何も記録しない"),
)
for name, given in {
    "no-id": {"outcome": "stays"},
    "no-outcome": {"request_id": "a"},
    "empty-id": {"request_id": "", "outcome": "stays"},
    "long-id": {"request_id": "a" * 129, "outcome": "stays"},
    "id-newline": {"request_id": "a\n", "outcome": "stays"},
    "id-quote": {"request_id": "a'; DROP TABLE outcomes_1; --", "outcome": "stays"},
    "id-number": {"request_id": 1, "outcome": "stays"},
    "other-class": {"request_id": "a", "outcome": "goes"},
    "number-for-class": {"request_id": "a", "outcome": 1},
    "true-for-class": {"request_id": "a", "outcome": True},
    "null": {"request_id": "a", "outcome": None},
    "list": {"request_id": "a", "outcome": ["stays"]},
    "object": {"request_id": "a", "outcome": {"churn": "stays"}},
    "row-minus": {"request_id": "a", "outcome": "stays", "row": -1},
    "row-huge": {"request_id": "a", "outcome": "stays", "row": 2**31},
    "row-2^70": {"request_id": "a", "outcome": "stays", "row": 2**70},
    "row-fraction": {"request_id": "a", "outcome": "stays", "row": 1.5},
    "row-true": {"request_id": "a", "outcome": "stays", "row": True},
    "row-null": {"request_id": "a", "outcome": "stays", "row": None},
    "unknown": {"request_id": "a", "outcome": "stays", "x": 1},
}.items():

    def _feedback(target: Target, given: Any = given) -> Outcome:
        answer = target.ask("/feedback", json.dumps(given).encode())
        expect(answer.status == 422, f"the answer is {answer.status} {answer.code}")
        check_refusal(answer, target)
        return Outcome(seen=f"{answer.status} {answer.code}")

    X_J32.add(name, _feedback, needs=("ours", "route:feedback"))
