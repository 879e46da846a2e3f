"""A small service behind four kinds of server, with one flaw at a time: its box sees it for its reason, and passes it without."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from tests.flaws.service.conftest import Edits, JudgeSmall

from sekisho.gate.verdict import Status

API, LATENCY, MODE, ERRORS, LOGGING = (f"inference/{name}" for name in ("api", "latency", "mode", "errors", "logging"))
INPUT, KEYS, LIMIT, TLS = (
    f"security/{name}" for name in ("input-validation", "authentication", "rate-limiting", "encryption")
)
TRAFFIC, RESOURCES, LOAD = "infrastructure/traffic", "infrastructure/resources", "testing/load"
SOME_SECONDS = {LATENCY, LIMIT, TRAFFIC, LOAD, RESOURCES}
PER_SECOND = 40
NO_PEAK = {"sekisho.toml": (('peak_per_second = 25\npeak_source = "the access log of the busiest day"\n', ""),)}


@dataclass(frozen=True, kw_only=True)
class Flaw:
    """What is broken, behind which server, and the words of the reason."""

    box: str
    flaw: str
    reason: str
    kind: str = "asgi"
    quick: bool = False
    edits: Edits | None = None


FLAWS = [
    Flaw(box=API, flaw="crossed", reason="single differs from offline"),
    Flaw(box=API, flaw="crossed", reason="16 at once differs", kind="flask"),
    Flaw(box=API, flaw="random", reason="scores up to 0.0"),
    Flaw(box=API, flaw="label-text", reason="neither a class of the model"),
    Flaw(box=API, flaw="percent", reason="the probability is not between 0 and 1", kind="plain"),
    Flaw(box=API, flaw="model-gone", reason="/predict 503", quick=True),
    Flaw(box=API, flaw="short-batch", reason="batch of 100 differs from offline", kind="aiohttp"),
    Flaw(box=API, flaw="cached-by-age", reason="single differs from offline"),
    Flaw(box=LATENCY, flaw="freezes", reason="the limit is 400 ms"),
    Flaw(box=LATENCY, flaw="first-late", reason="the first answer after readiness took"),
    Flaw(box=LATENCY, flaw="first-late,no-health", reason="the first answer after readiness took", kind="plain"),
    Flaw(box=LATENCY, flaw="error-under-load", reason="with a status of success hold no prediction", kind="aiohttp"),
    Flaw(box=MODE, flaw="sorted-batch", reason="batch of 7 answers otherwise"),
    Flaw(box=MODE, flaw="drops-bad-rows", reason="nobody says which row", quick=True),
    Flaw(box=MODE, flaw="names-another-row", reason="nobody says which row", kind="flask"),
    Flaw(box=MODE, flaw="no-row", reason="nobody says which row", kind="aiohttp"),
    Flaw(box=ERRORS, flaw="says-sql", reason="a query of a database", quick=True),
    Flaw(box=ERRORS, flaw="says-exception", reason="the text of an exception", kind="flask"),
    Flaw(box=ERRORS, flaw="says-path", reason="a path of the server", kind="plain"),
    Flaw(box=ERRORS, flaw="says-value", reason="the value that was sent", kind="aiohttp"),
    Flaw(box=ERRORS, flaw="html", reason="lack a steady status and a body in JSON"),
    Flaw(box=ERRORS, flaw="status-lies", reason="lack a steady status and a body in JSON"),
    Flaw(box=ERRORS, flaw="error-in-200", reason="accepted as if right"),
    Flaw(box=ERRORS, flaw="nan-answered", reason="answered with 200 and no prediction", quick=True),
    Flaw(box=ERRORS, flaw="names-another-row", reason="the bad row of a batch is not named"),
    Flaw(box=LOGGING, flaw="body-in-log", reason="a number", kind="plain"),
    Flaw(box=LOGGING, flaw="key-in-log", reason="what callers send stands in the log: key"),
    Flaw(box=LOGGING, flaw="integers-in-log", reason="what callers send stands in the log: a number"),
    Flaw(box=LOGGING, flaw="line-by-hand", reason="of their own into the log: User-Agent", quick=True),
    Flaw(box=LOGGING, flaw="path-by-hand", reason="of their own into the log: path", kind="plain"),
    Flaw(box=LOGGING, flaw="plain-text", reason="no JSON object", kind="flask"),
    Flaw(box=LOGGING, flaw="no-status", reason="lack: status"),
    Flaw(box=LOGGING, flaw="failed-not-logged", reason="requests left a line with their id"),
    Flaw(box=LOGGING, flaw="same-id", reason="1 different ids"),
    Flaw(box=LOGGING, flaw="id-on-success-only", reason="answers carry no request id", kind="aiohttp"),
    Flaw(box=INPUT, flaw="takes-strings", reason="a number in a string"),
    Flaw(box=INPUT, flaw="takes-booleans", reason="true", kind="flask"),
    Flaw(box=INPUT, flaw="takes-nan", reason="NaN", quick=True),
    Flaw(box=INPUT, flaw="more-features", reason="an unknown feature"),
    Flaw(box=INPUT, flaw="fewer-features", reason="a feature missing", kind="aiohttp"),
    Flaw(box=INPUT, flaw="silent", reason="values out of range must be refused or flagged"),
    Flaw(box=INPUT, flaw="clips,silent", reason="as if it had been clipped in silence"),
    Flaw(box=INPUT, flaw="nan-answered", reason="numbers beyond all reason"),
    Flaw(box=INPUT, flaw="no-size-limit", reason="too large are not turned away: body", kind="plain"),
    Flaw(box=INPUT, flaw="no-size-limit", reason="too large are not turned away: body", kind="flask"),
    Flaw(box=INPUT, flaw="no-row-limit", reason="too large are not turned away: rows"),
    Flaw(box=KEYS, flaw="only-predict", reason="POST /predict/batch, POST /invocations, GET /model/info, GET /metrics"),
    Flaw(box=KEYS, flaw="any-case", reason="another spelling of the address: capital letters"),
    Flaw(box=KEYS, flaw="guard-sees-raw", reason="another spelling of the address: percent encoding", quick=True),
    Flaw(box=KEYS, flaw="trailing-slash", reason="another spelling of the address: trailing slash", kind="aiohttp"),
    Flaw(box=KEYS, flaw="trusts-forwarded", reason="another spelling of the address: X-Forwarded-For", kind="flask"),
    Flaw(box=KEYS, flaw="override", reason="another spelling of the address: X-HTTP-Method-Override"),
    Flaw(box=KEYS, flaw="head-open", reason="by HEAD without a key", kind="plain"),
    Flaw(box=KEYS, flaw="validates-first", reason="wrong values are told before the key"),
    Flaw(box=KEYS, flaw="query-key", reason="with the key in the address"),
    Flaw(box=KEYS, flaw="empty-key", reason="with an empty key", kind="plain"),
    Flaw(box=KEYS, flaw="prefix-key", reason="with the first half of the key", quick=True),
    Flaw(box=KEYS, flaw="longer-key", reason="with the key and one more letter"),
    Flaw(box=KEYS, flaw="any-case-key", reason="with the key in the other case"),
    Flaw(box=KEYS, flaw="wildcard-key", reason="with a wildcard"),
    Flaw(box=KEYS, flaw="usual-key", reason="with a usual word"),
    Flaw(box=KEYS, flaw="oracle", reason="refused in other words"),
    Flaw(box=KEYS, flaw="no-scopes", reason="a key without the right to predict may"),
    Flaw(box=LIMIT, flaw="limit-by-connection", reason="were allowed", kind="plain"),
    Flaw(box=LIMIT, flaw="limit-by-path", reason="the batch route has a limit of its own"),
    Flaw(box=LIMIT, flaw="limit-by-forwarded", reason="(X-Forwarded-For), and were believed"),
    Flaw(box=LIMIT, flaw="limit-by-minute", reason="360 of 360 requests passed"),
    Flaw(box=LIMIT, flaw="limit-for-all", reason="another caller lost", kind="aiohttp"),
    Flaw(box=LIMIT, flaw="no-retry-after", reason="lack Retry-After"),
    Flaw(box=LIMIT, flaw="limit-503", reason="neither success nor 429"),
    Flaw(box=TRAFFIC, flaw="leaks", reason="memory grows by"),
    Flaw(box=LOAD, flaw="error-under-load", reason="with a status of success", edits=NO_PEAK),
    Flaw(
        box=TRAFFIC,
        flaw="serial",
        reason="before answers came late",
        edits={"sekisho.toml": (("peak_per_second = 25", "peak_per_second = 60"),)},
    ),
]


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "flaw",
    [
        pytest.param(
            each,
            id=f"{each.box} {each.flaw} behind {each.kind}",
            marks=[] if each.quick else [pytest.mark.slow],
        )
        for each in FLAWS
    ],
)
def test_the_flaw(judge_small: JudgeSmall, flaw: Flaw) -> None:
    limit = PER_SECOND if flaw.box == LIMIT else 0
    item = judge_small(flaw.box, flaw.flaw, flaw.kind, edits=flaw.edits, limit=limit)
    assert item.status is Status.FAIL, item.verdict.summary.en
    assert flaw.reason in item.verdict.summary.en


TWINS = [
    (box, kind)
    for box in (API, MODE, ERRORS, LOGGING, INPUT, KEYS, LATENCY, LIMIT, TRAFFIC)
    for kind in ("asgi", "plain", "flask", "aiohttp")
]


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("box", "kind"),
    [
        pytest.param(
            box,
            kind,
            id=f"{box} behind {kind}",
            marks=[pytest.mark.slow]
            if box in SOME_SECONDS or (box, kind) not in {(API, "plain"), (KEYS, "asgi")}
            else [],
        )
        for box, kind in TWINS
    ],
)
def test_the_twin(judge_small: JudgeSmall, box: str, kind: str) -> None:
    item = judge_small(box, "", kind, limit=PER_SECOND if box == LIMIT else 0)
    if item.status is Status.UNKNOWN and "generator itself" in item.verdict.summary.en:
        pytest.skip("this machine is too busy to tell, and the box says so")
    assert item.status is Status.PASS, item.verdict.summary.en


@pytest.mark.slow
@pytest.mark.parametrize(
    ("box", "flaw", "kind"),
    [
        (API, "zips", "plain"),
        (API, "in-chunks", "plain"),
        (API, "old-http", "plain"),
        (API, "late-start", "asgi"),
        (MODE, "places-in-batch", "asgi"),
        (ERRORS, "places-in-batch", "flask"),
        (INPUT, "flags-otherwise", "asgi"),
        (LOGGING, "echoed-id", "asgi"),
    ],
)
def test_what_is_odd_and_no_flaw(judge_small: JudgeSmall, box: str, flaw: str, kind: str) -> None:
    item = judge_small(box, flaw, kind)
    assert item.status is Status.PASS, item.verdict.summary.en


@pytest.mark.slow
def test_a_limit_of_each_worker(judge_small: JudgeSmall) -> None:
    """F54a: three workers let three times as many through; where one of them answered all, nothing is known."""
    several = {"sekisho.toml": (("[serving]\n", "[serving]\nworkers = 3\n"),)}
    item = judge_small(LIMIT, "", edits=several, limit=PER_SECOND)
    assert item.status in {Status.FAIL, Status.UNKNOWN}, item.verdict.summary.en


def test_a_service_that_ends_is_no_service(judge_small: JudgeSmall) -> None:
    item = judge_small(API, "dies")
    assert item.status is Status.UNKNOWN
    assert "the service ended while it was asked (exit code 7)" in item.verdict.summary.en


@pytest.mark.slow
def test_the_largest_rate_is_shown_with_the_load_test(judge_small: JudgeSmall) -> None:
    item = judge_small(LOAD)
    assert item.status in {Status.PASS, Status.UNKNOWN}, item.verdict.summary.en  # unknown: the generator was late
    figures = item.verdict.figures
    assert float(str(figures["sustained_per_second"])) > 0
    assert figures["bound"] in {"service", "generator"}
    assert float(str(figures["p99_low_ms"])) <= float(str(figures["p99_ms"])) <= float(str(figures["p99_high_ms"]))
    assert "generator_lag_ms" in figures


# Files


COMPOSE = """services:
  api:
    build: .
    ports: ["127.0.0.1:8000:8000"]
    mem_limit: {memory}
    environment:
      DATABASE_URL: {database}
"""


def compose(memory: str = "1g", database: str = "postgresql://book.example.com/p?sslmode=require") -> Edits:
    return {"compose.yaml": (("", COMPOSE.format(memory=memory, database=database)),)}


@pytest.mark.slow
@pytest.mark.parametrize(("memory", "status"), [("1g", Status.PASS), ("24m", Status.FAIL)])
def test_memory_that_is_granted(judge_small: JudgeSmall, memory: str, status: Status) -> None:
    """F44a: a limit below what the largest legal batch takes."""
    item = judge_small(RESOURCES, "", edits=compose(memory))
    assert item.status is status, item.verdict.summary.en


@pytest.mark.slow
def test_a_store_in_the_clear(judge_small: JudgeSmall) -> None:
    item = judge_small(TLS, "", edits=compose(database="postgresql://book.example.com/p"))
    assert item.status is Status.FAIL
    assert "stores on other machines are reached without TLS: compose.yaml, api DATABASE_URL" in item.verdict.summary.en
    twin = judge_small(TLS, "", edits=compose())
    assert "without TLS" not in twin.verdict.summary.en


@pytest.mark.slow
def test_plain_http_on_every_address(judge_small: JudgeSmall) -> None:
    """F53a: the command binds to all addresses, whatever host it is told."""
    undeclared: Edits = {"sekisho.toml": (('tls = "proxy"\n', ""),)}
    item = judge_small(TLS, "", edits=undeclared, SERVICE_HOST="0.0.0.0")
    assert item.status is Status.FAIL
    assert "plain HTTP is offered to the network: serving.command" in item.verdict.summary.en
    assert judge_small(TLS, "", edits=undeclared, SERVICE_HOST="127.0.0.1").status is Status.UNKNOWN
