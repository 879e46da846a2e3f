"""Logs that leak what callers send, that hold more than one record a line, or that nobody can find a request in."""

from __future__ import annotations

import pytest
from tests.flaws.service.conftest import Edits, Judge

from sekisho.gate.verdict import Status

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

BOX = "inference/logging"
IMPORTS = ("import hashlib\n", "import datetime, json, secrets, sys\nimport hashlib\n")
LINE = """    began = time.perf_counter()
    response = await guarded(request, call_next)
    identity = secrets.token_hex(8)
    response.headers["X-Request-ID"] = identity
    print(json.dumps({"time": datetime.datetime.now(datetime.UTC).isoformat(), "level": "info", "request_id": identity,
                      "path": request.url.path, "status": response.status_code, "model_version": artifact.version,
                      "latency_ms": (time.perf_counter() - began) * 1e3EXTRA}), flush=True)
    return response


async def guarded(request: Request, call_next):
    try:"""
BEGIN = "async def guard(request: Request, call_next):\n    try:"


def logged(extra: str = "", more: tuple[tuple[str, str], ...] = ()) -> Edits:
    line = f"async def guard(request: Request, call_next):\n{LINE.replace('EXTRA', extra)}"
    return {"app.py": (IMPORTS, (BEGIN, line), *more)}


def test_the_twin_one_json_line_a_request(judge: Judge) -> None:
    item = judge(BOX, logged())
    assert item.status is Status.PASS, item.verdict.summary.en


def test_f35a_inputs_in_the_log(judge: Judge) -> None:
    more = (
        (
            "    outputs = artifact.predict(rows)",
            "    print(json.dumps({'rows': rows}), flush=True)\n    outputs = artifact.predict(rows)",
        ),
    )
    item = judge(BOX, logged(more=more))
    assert item.status is Status.FAIL
    assert "a number" in item.verdict.summary.en


def test_f35a_the_query_in_the_log(judge: Judge) -> None:
    item = judge(BOX, logged(', "url": str(request.url)'))
    assert item.status is Status.FAIL
    assert "the query" in item.verdict.summary.en


def test_f35a_the_key_in_the_log(judge: Judge) -> None:
    item = judge(BOX, logged(', "headers": dict(request.headers)'))
    assert item.status is Status.FAIL
    assert "key" in item.verdict.summary.en


def test_f35b_arrays_printed_over_many_lines(judge: Judge) -> None:
    more = (
        ("    outputs = artifact.predict(rows)", "    outputs = artifact.predict(rows); print(outputs, flush=True)"),
    )
    item = judge(BOX, logged(more=more))
    assert item.status is Status.FAIL
    assert "no JSON object" in item.verdict.summary.en


def test_nothing_is_logged(judge: Judge) -> None:
    assert judge(BOX, {}).status is Status.FAIL
