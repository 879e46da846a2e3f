"""Tensors of the Open Inference Protocol whose shapes or bytes lie."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

from tests.attacks.service.attack import Chapter, Outcome, expect, within
from tests.attacks.service.moves import (
    check_refusal,
)
from tests.attacks.service.target import Target

KINDS = judged = Chapter("input")


J24 = judged(
    "J24",
    ("Shapes of tensors", "テンソルの形"),
    ("400 or 422 (413 for too many rows) without allocating", "400 か 422（行数超過は 413）。メモリを確保しない"),
)

X_J25 = judged(
    "X-J25",
    ("Binary tensors that lie", "偽りのバイナリテンソル"),
    ("400 or 422 without allocating", "400 か 422。メモリを確保しない"),
)


def shaped(
    shape: Any,
    data: Any = None,
    *,
    datatype: Any = "FP64",
    statuses: tuple[int, ...] = (400, 413, 422),
    raw: bool = False,
) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        question = target.questions["infer"]
        tensor = {
            "name": "features",
            "shape": "@@" if raw else shape,
            "datatype": datatype,
            "data": [5.0, 3.0, 1.5, 0.2] if data is None else data,
        }
        body = json.dumps({"inputs": [tensor]}).encode()
        if raw:
            body = body.replace(b'"@@"', shape)
        before = target.process.rss() if target.process else 0
        answer = target.send(question, body)
        expect(answer.status in statuses, f"{answer.status}, not one of {statuses}")
        if answer.status >= 400:
            check_refusal(answer, target)
        grown = (target.process.rss() - before) / 2**20 if target.process else 0.0
        expect(grown < 8, f"memory grew by {grown:.1f} MiB")
        return Outcome(
            seen=f"{answer.status} {answer.code}".strip(),
            figures={"ms": within(answer.milliseconds, 100.0, "the answer")},
        )

    return run


for name, shape in {
    "minus": [-1, 4],
    "minus-both": [-1, -4],
    "1e9": [10**9, 10**9],
    "1e9-rows": [10**9, 4],
    "product-wraps": [2**32, 2**32],
    "product-wraps-to-4": [2**62 + 1, 4],
    "2^63": [2**63, 4],
    "2^64+1": [2**64 + 1, 4],
    "too-few": [2, 4],
    "other-width": [1, 3],
    "turned": [4, 1],
    "empty": [],
    "flat": [4],
    "zero": [0, 4],
    "zero-wide": [1, 0],
    "three": [1, 1, 4],
    "many": [1] * 1000 + [4],
    "null": None,
    "number": 4,
    "string": "1,4",
    "object": {"0": 1},
    "of-null": [None, 4],
    "of-string": ["1", 4],
    "of-true": [True, 4],
    "of-list": [[1], 4],
}.items():
    J24.add(name, shaped(shape), needs=("route:infer",), on="tight")
for name, written in {
    "1.5": b"[1.5, 4]",
    "1e400": b"[1e400, 4]",
    "nan": b"[NaN, 4]",
    "10^400": b"[" + b"9" * 400 + b", 4]",
}.items():
    J24.add(name, shaped(written, raw=True), needs=("route:infer",), on="tight")
J24.add("1.0", shaped(b"[1.0, 4]", raw=True, statuses=(200, 400, 422)), needs=("route:infer",), on="tight")
for name, data in {
    "fewer": [5.0, 3.0],
    "more": [5.0] * 9,
    "nested": [[5.0, 3.0], [1.5, 0.2]],
    "deep": [[[5.0, 3.0, 1.5, 0.2]]],
    "none": [],
    "null": "null",
    "string": "5.0",
    "words": ["5"] * 4,
    "object": {},
    "ragged": [[5.0, 3.0, 1.5], [0.2]],
}.items():
    statuses = (200, 400, 422) if name in {"ragged", "nested"} else (400, 422)
    J24.add("data-" + name, shaped([1, 4], data, statuses=statuses), needs=("route:infer",), on="tight")
for name, datatype in {
    "unknown": "FP65",
    "empty": "",
    "null": None,
    "number": 64,
    "lower": "fp64",
    "bytes": "BYTES",
    "bool": "BOOL",
    "long": "F" * 100_000,
}.items():
    J24.add("datatype-" + name, shaped([1, 4], datatype=datatype), needs=("route:infer",), on="tight")
for datatype, value in {
    "INT8": 300,
    "UINT8": -1,
    "INT32": 2**31,
    "UINT64": 2**64,
    "INT64": 2**63,
    "FP32": 10**39,
    "FP16": 10**6,
}.items():
    J24.add(
        "out-of-" + datatype,
        shaped(
            [1, 4], [value, 3, 1, 0], datatype=datatype, statuses=(200, 400, 422) if datatype == "FP16" else (400, 422)
        ),
        needs=("route:infer",),
        on="tight",
    )


def binary(
    data: bytes,
    *,
    shape: Any = None,
    datatype: str = "FP64",
    size: Any = None,
    statuses: tuple[int, ...] = (400, 413, 422),
    more: dict[str, Any] | None = None,
    prefix: int = 0,
) -> Callable[[Target], Outcome]:
    """Send a tensor in the binary form, and the length of its JSON part in the head."""

    def run(target: Target) -> Outcome:
        question = target.questions["infer"]
        parameters = {"binary_data_size": len(data) if size is None else size, **(more or {})}
        tensor = {"name": "features", "shape": shape or [1, 4], "datatype": datatype, "parameters": parameters}
        text = json.dumps({"inputs": [tensor]}).encode()
        before = target.process.rss() if target.process else 0
        headers = {
            "content-type": "application/octet-stream",
            "inference-header-content-length": str(len(text) + prefix),
        }
        answer = target.send(question, text + data, headers=headers)
        expect(answer.status in statuses, f"{answer.status} {answer.code}, not one of {statuses}")
        if answer.status >= 400:
            check_refusal(answer, target)
        grown = (target.process.rss() - before) / 2**20 if target.process else 0.0
        expect(grown < 8, f"memory grew by {grown:.1f} MiB")
        return Outcome(
            seen=f"{answer.status} {answer.code}".strip(),
            figures={"ms": within(answer.milliseconds, 100.0, "the answer")},
        )

    return run


FLOATS = struct.pack("<4d", 5.0, 3.0, 1.5, 0.2)
for name, run in {
    "good": binary(FLOATS, statuses=(200,)),
    "nan": binary(struct.pack("<4d", float("nan"), 3.0, 1.5, 0.2)),
    "infinity": binary(struct.pack("<4d", float("inf"), 3.0, 1.5, 0.2)),
    "minus-infinity": binary(struct.pack("<4f", float("-inf"), 3.0, 1.5, 0.2), datatype="FP32"),
    "1e300": binary(struct.pack("<4d", 1e300, 3.0, 1.5, 0.2)),
    "half-infinity": binary(struct.pack("<4e", float("inf"), 3.0, 1.5, 0.2), datatype="FP16"),
    "fewer": binary(FLOATS[:-8]),
    "more": binary(FLOATS + b"\0" * 8),
    "half-a-number": binary(FLOATS[:-3]),
    "none": binary(b""),
    "size-larger": binary(FLOATS, size=10**6),
    "size-2^63": binary(FLOATS, size=2**63),
    "size-minus": binary(FLOATS, size=-32),
    "size-smaller": binary(FLOATS, size=8),
    "size-float": binary(FLOATS, size=32.5),
    "size-true": binary(FLOATS, size=True),
    "size-string": binary(FLOATS, size="32"),
    "size-null": binary(FLOATS, more={"binary_data_size": None}),
    "and-data-too": binary(FLOATS, more={"classification": 1}),
    "shape-larger": binary(FLOATS, shape=[10**9, 4]),
    "shape-wraps": binary(FLOATS, shape=[2**62 + 1, 4]),
    "shape-minus": binary(FLOATS, shape=[-1, -4]),
    "prefix-longer": binary(FLOATS, prefix=1000),
    "prefix-one-more": binary(FLOATS, prefix=1),
    "prefix-one-less": binary(FLOATS, prefix=-1),
    "bytes-length-larger": binary(struct.pack("<I", 2**31) + b"abc", datatype="BYTES"),
    "bytes-length-max": binary(struct.pack("<I", 2**32 - 1) + b"abc", datatype="BYTES"),
    "bytes-cut": binary(b"\x01\0", datatype="BYTES"),
    "bytes-many-empty": binary(b"\0" * 40_000, datatype="BYTES"),
    "bool-2": binary(b"\2\0\1\0", datatype="BOOL"),
    "shared-memory": binary(b"", size=0, more={"shared_memory_region": "x", "shared_memory_byte_size": 32}),
    "shared-memory-path": binary(FLOATS, more={"shared_memory_region": "/dev/shm/x", "shared_memory_offset": -1}),
}.items():
    X_J25.add(name, run, needs=("route:infer",), on="tight")


@X_J25.attack("overlapping-tensors", needs=("route:infer", "role:closed"))
def _overlapping(target: Target) -> Outcome:
    """Tensors that share one piece of data, or claim it twice."""
    question = target.questions["infer"]
    inputs = [{**one, "data": None, "parameters": {"binary_data_size": 8}} for one in question.good["inputs"]]
    for one in inputs:
        del one["data"]
    text = json.dumps({"inputs": inputs}).encode()
    headers = {"content-type": "application/octet-stream", "inference-header-content-length": str(len(text))}
    answer = target.send(question, text + b"\0" * 8, headers=headers)
    expect(answer.status in {400, 422}, f"the answer is {answer.status}")
    check_refusal(answer, target)
    return Outcome(seen=f"{answer.status} {answer.code}")
