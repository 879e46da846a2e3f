"""Each flaw is one edit of a service that passes: it must fail its box, for its own reason."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from sekisho.artifact.reference import DriftReference
from sekisho.artifact.table import Table
from sekisho.contract.loader import load_project
from sekisho.gate.report import Item
from sekisho.gate.runner import run_gate
from sekisho.gate.verdict import Status

Edits = Mapping[str, tuple[tuple[str, str], ...]]
Judge = Callable[[str, Edits], Item]


@dataclass(frozen=True, kw_only=True)
class Flaw:
    id: str
    box: str
    edits: Edits
    reason: str
    slow: bool = False


def app(*changes: tuple[str, str]) -> Edits:
    return {"app.py": changes}


def contract(*changes: tuple[str, str]) -> Edits:
    return {"sekisho.toml": changes}


ANSWER = "outputs = artifact.predict(rows)"
SEVERAL = ('"--no-access-log"]', '"--no-access-log", "--workers", "3"]')
FAST = ("rate_per_second = 50\nload_seconds = 8", "rate_per_second = 100\nload_seconds = 4")

FLAWS = [
    Flaw(
        id="F31a: features in another order",
        box="inference/api",
        edits=app((ANSWER, "outputs = artifact.predict([dict(zip(row, reversed(row.values()))) for row in rows])")),
        reason="single differs from offline",
    ),
    Flaw(
        id="F31b: every answer needs a probability that the model does not give",
        box="inference/api",
        edits=app((ANSWER, f"{ANSWER}; float(None)")),
        reason="/predict 500",
        slow=True,
    ),
    Flaw(
        id="F22b: the version falls back to that of the code",
        box="inference/api",
        edits=app(('"model_version": artifact.version,', '"model_version": "1.0.0",')),
        reason="versions disagree",
        slow=True,
    ),
    Flaw(
        id="F33a: the batch route differs",
        box="inference/api",
        edits=app(("answered(rows),", "answered([{k: float(round(v)) for k, v in row.items()} for row in rows]),")),
        reason="batch of 7 differs from offline",
        slow=True,
    ),
    Flaw(
        id="F32a: three requests of two hundred are slow",
        box="inference/latency",
        edits={
            **contract(FAST, ("latency_p99_ms = 500", "latency_p99_ms = 300")),
            **app(
                ("LARGEST_BODY = ", "import asyncio, itertools\nturns = itertools.count(1)\nLARGEST_BODY = "),
                (
                    "        result = answer(await",
                    "        await asyncio.sleep(0.4 * (next(turns) % 67 == 0))\n        result = answer(await",
                ),
            ),
        },
        reason="the limit is 300 ms",
        slow=True,
    ),
    Flaw(
        id="F32b: the first answer is late",
        box="inference/latency",
        edits={
            **contract(FAST),
            **app(
                ("LARGEST_BODY = ", "import itertools\nturns = itertools.count(1)\nLARGEST_BODY = "),
                (
                    "        result = answer(await",
                    "        time.sleep(2 * (next(turns) == 1))\n        result = answer(await",
                ),
            ),
        },
        reason="the first answer after readiness took 2",
        slow=True,
    ),
    Flaw(
        id="F34a: the exception's text is sent",
        box="inference/errors",
        edits=app(
            (
                "        return msgspec.json.decode(data, type=kind)",
                "        import json\n\n        return json.loads(data) if kind is Row else msgspec.json.decode(data, type=kind)",
            ),
            (
                "values = msgspec.structs.asdict(sent.features)",
                'values = {name: float(value) for name, value in sent["features"].items()}',
            ),
            ("async def any_handler(_request, _error)", "async def any_handler(_request, error)"),
            ('"the request could not be answered"', "str(error)"),
        ),
        reason="the text of an exception",
    ),
    Flaw(
        id="F34b: NaN reaches the model",
        box="inference/errors",
        edits=app(
            (
                "        return msgspec.json.decode(data, type=kind)",
                "        import json\n\n        return msgspec.convert(json.loads(data), kind)",
            ),
        ),
        reason="value: NaN (",
        slow=True,
    ),
    Flaw(
        id="F33b: the bad row is not named",
        box="inference/errors",
        edits=app(("decoded(row, Row, row=index)", "decoded(row, Row)")),
        reason="the bad row of a batch is not named",
        slow=True,
    ),
    Flaw(
        id="F51a: clipped in silence",
        box="security/input-validation",
        edits=app(
            (
                ANSWER,
                "rows = [{k: min(max(v, features[k].minimum), features[k].maximum) for k, v in row.items()} for row in rows]; "
                + ANSWER,
            ),
        ),
        reason="as if it had been clipped in silence",
        slow=True,
    ),
    Flaw(
        id="F51b: strings made into numbers",
        box="security/input-validation",
        edits=app(("msgspec.json.decode(data, type=kind)", "msgspec.json.decode(data, type=kind, strict=False)")),
        reason="a number in a string",
        slow=True,
    ),
    Flaw(
        id="F51c: no limit on size",
        box="security/input-validation",
        edits=app(("LARGEST_BODY = 1024 * 1024", "LARGEST_BODY = 10**9")),
        reason="too large are not turned away: body (",
        slow=True,
    ),
    Flaw(
        id="F52a: no key asked for",
        box="security/authentication",
        edits=app(("if path not in PUBLIC:", "if False:")),
        reason="open to anybody: POST /predict,",
        slow=True,
    ),
    Flaw(
        id="F52b: only the prediction is guarded",
        box="security/authentication",
        edits=app(("if path not in PUBLIC:", 'if path == "/predict":')),
        reason="open to anybody: POST /predict/batch, GET /model/info, GET /metrics",
    ),
    Flaw(
        id="F52c: a key in the compose file, and compared with ==",
        box="security/authentication",
        edits={
            "docker-compose.yml": (("LOAN_KEY_FILE: /run/secrets/loan_keys", "API_KEY: hunter2-in-production"),),
            **app(
                ("hmac.compare_digest(caller[2], digest)", "caller[2] == (api_key := digest) or api_key == caller[2]")
            ),
        },
        reason="a secret in a file: docker-compose.yml:7",
        slow=True,
    ),
    Flaw(
        id="F54a: each worker limits for itself",
        box="security/rate-limiting",
        edits={
            **contract(SEVERAL, ("rate_limit = 300", "rate_limit = 50")),
            **app(("PER_SECOND = 30_000.0", "PER_SECOND = 50.0")),
        },
        reason="were allowed",
        slow=True,
    ),
    Flaw(
        id="F62a: a test at 5 % for each column",
        box="monitoring/drift",
        edits={
            "drift.py": (
                ("p_value * len(reference.columns) < ALPHA and statistic >= SMALLEST_EFFECT", "p_value < 0.05"),
            )
        },
        reason="unchanged windows alarm",
        slow=True,
    ),
    Flaw(
        id="F63a: bytes through JSON",
        box="monitoring/system",
        edits=app(
            (
                'return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})',
                "return generate_latest()",
            ),
        ),
        reason="Prometheus cannot read /metrics",
        slow=True,
    ),
    Flaw(
        id="F63c: refusals are not counted",
        box="monitoring/system",
        edits=app(('PREDICTIONS.labels("refused").inc()', "pass")),
        reason="0 of 17 refused requests were counted",
        slow=True,
    ),
    Flaw(
        id="L01: the path is a label",
        box="monitoring/system",
        edits=app(
            (
                "LATENCY = Histogram(",
                'PATHS = Counter("paths_total", "Requests by path", ["path"])\nLATENCY = Histogram(',
            ),
            (
                '        path = request.scope["path"]\n',
                '        path = request.scope["path"]\n        PATHS.labels(path).inc()\n',
            ),
        ),
        reason="they grow without bound",
        slow=True,
    ),
    Flaw(
        id="L03: each worker counts for itself",
        box="monitoring/system",
        edits=contract(SEVERAL),
        reason="each worker counts for itself",
        slow=True,
    ),
]


@pytest.mark.parametrize(
    "flaw", [pytest.param(flaw, id=flaw.id, marks=[pytest.mark.slow] if flaw.slow else []) for flaw in FLAWS]
)
def test_the_box_fails_for_its_reason(judge: Judge, flaw: Flaw) -> None:
    item = judge(flaw.box, flaw.edits)
    assert item.verdict.status is Status.FAIL, item.verdict.summary.en
    assert flaw.reason in item.verdict.summary.en


def test_a_reference_from_elsewhere_fails(sound: Path, tmp_path: Path) -> None:
    """F62b: the drift reference was put there afterwards, so that its digest is not in the manifest."""
    project = tmp_path / "project"
    shutil.copytree(sound, project)
    other = pd.read_csv(project / "data/train.csv").drop(columns="approved") * 2
    (project / "model/reference.npz").write_bytes(DriftReference.of(Table.of(other)).encoded())
    (item,) = run_gate(load_project(project), ids=["monitoring/drift"]).items
    assert item.verdict.status is Status.FAIL
    assert "its digest is not in the manifest" in item.verdict.summary.en
