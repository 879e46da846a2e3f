"""The log: lines that callers would like to forge, secrets that must not stand there, floods."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.attacks.service.attack import Chapter, Outcome, expect
from tests.attacks.service.moves import statuses_from
from tests.attacks.service.own import (
    LIMITS,
    Workshop,
    configuration,
    questions_about_flowers,
    questions_about_people,
    target_of,
)
from tests.attacks.service.starts import refused_start
from tests.attacks.service.target import Target

from sekisho.serving.guards.keys import new_key

KINDS = observability = Chapter("observability")
LEVELS = {"debug", "info", "warning", "error"}
PASSWORD = "S3cretPassw0rd4711"
LINES_A_SECOND = 50

L05 = observability(
    "L05",
    ("Log injection", "ログへの注入"),
    (
        "one valid JSON object a line, and nothing that a caller has made up in it",
        "1行1つの正しい JSON。呼び出し元の作った行は混じらない",
    ),
)
L06 = observability(
    "L06",
    ("Secrets in logs", "ログ中の秘密"),
    (
        "in no line of the log, no metric, no answer, no error, no command line",
        "ログ・メトリクス・応答・エラー・コマンドラインのどこにもない",
    ),
)
L12 = observability(
    "L12",
    ("Log flood", "ログの氾濫"),
    ("the log grows no faster than its limit; the counters are exact", "ログの増加は上限まで。計数は正確"),
)

FORGED = 'x","level":"fatal","event":"forged'
INJECTED: dict[str, Callable[[Target], bytes]] = {
    "path-percent": lambda t: b'GET /x%%0d%%0a{"level":"fatal"} HTTP/1.1\r\n%b\r\n\r\n' % t.host_field,
    "path-quote": lambda t: b"GET /%b HTTP/1.1\r\n%b\r\n\r\n" % (FORGED.encode(), t.host_field),
    "path-ansi": lambda t: b"GET /\x1b[31mred HTTP/1.1\r\n%b\r\n\r\n" % t.host_field,
    "path-raw-cr": lambda t: b'GET /a\r{"level":"fatal"} HTTP/1.1\r\n%b\r\n\r\n' % t.host_field,
    "path-raw-lf": lambda t: b'GET /a\n{"level":"fatal"}\n HTTP/1.1\r\n%b\r\n\r\n' % t.host_field,
    "path-utf-8": lambda t: "GET /\u2028\u202e\u0085 HTTP/1.1\r\n".encode() + t.host_field + b"\r\n\r\n",
    "method": lambda t: b'G"ET /health HTTP/1.1\r\n%b\r\n\r\n' % t.host_field,
    "agent": lambda t: t.get(b'User-Agent: a\x1b[31m"\\' + FORGED.encode()),
    "agent-cr": lambda t: t.get(b'User-Agent: a\r{"level":"fatal"}'),
    "id": lambda t: t.get(b"X-Request-ID: " + FORGED.encode()),
    "id-percent": lambda t: t.get(b"X-Request-ID: a%0d%0aforged"),
    "id-ansi": lambda t: t.get(b"X-Request-ID: \x1b[31mforged"),
    "id-long": lambda t: t.get(b"X-Request-ID: " + b"forged" * 1_000),
    "forwarded": lambda t: t.get(b'X-Forwarded-For: 1.2.3.4", "level":"fatal'),
    "traceparent": lambda t: t.get(b'traceparent: 00-"},{"level":"fatal"-01'),
    "key": lambda t: t.get(b"X-API-Key: " + FORGED.encode(), bare=True, path="/model/info"),
    "host": lambda t: t.get().replace(t.host_field, b"Host: " + FORGED.encode()),
    "category": lambda t: t.post(body=t.question.replaced("word", FORGED + "\r\n\x1b[31m")),
    "feature-name": lambda t: t.post(body=json.dumps({"features": {FORGED + "\n": 1}}).encode()),
    "unknown-field": lambda t: t.post(body=json.dumps({FORGED + "\r\n": 1}).encode()),
    "not-json": lambda t: t.post(body=b'\n{"level":"fatal"}\n' * 3),
}


def _injected(make: Callable[[Target], bytes]) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        assert target.process is not None
        before = len(target.process.lines())
        received = target.raw(make(target), wait=0.4)
        time.sleep(0.25)
        said = target.process.lines()[before:]
        for line in said:
            one = json.loads(line)
            expect(one["level"] in LEVELS, f"a line says {one['level']}")
            expect("forged" not in line and "fatal" not in line, f"what was sent stands in the log: {line[:200]}")
            expect(line.count("\n") == 1 and "\x1b" not in line and "\r" not in line, f"{line!r}")
            expect(all(ord(letter) >= 32 for letter in line.rstrip("\n")), "a control character stands in a line")
        return Outcome(seen=f"{received.statuses}, {len(said)} lines")

    return run


for name, make in INJECTED.items():
    L05.add(name, _injected(make), needs=("ours", "key"))


# Secrets


@configuration("secrets")
def _secrets(workshop: Workshop) -> Iterator[Target]:
    """A store of limits whose password stands in its address, as it should not; nobody is there."""
    from tests.serving.conftest import serving

    folder = workshop.place("secrets")
    keys = {scope: new_key(scope, (scope,)) for scope in ("predict", "admin")}
    (folder / "keys").write_text("\n".join(line for _, line in keys.values()) + "\n")
    store = f"redis://user:{PASSWORD}@127.0.0.1:9/0"
    with serving(workshop.people, key_file=folder / "keys", rate_limit=1e6, rate_store=store) as running:
        secrets = {scope: secret for scope, (secret, _) in keys.items()}
        running.key = secrets["admin"]
        yield target_of(running, questions_about_people(), key=secrets["admin"], keys=secrets, limits=LIMITS)


@L06.attack("everywhere", on="secrets", seconds=60.0)
def _everywhere(target: Target) -> Outcome:
    assert target.process is not None
    jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzZWNyZXQtNDcxMSJ9.c2lnbmF0dXJlLTQ3MTE"
    cookie, basic = "session=cookie-4711-secret", "dXNlcjpiYXNpYy00NzEx"
    secrets = [*target.keys.values(), jwt, *jwt.split("."), "cookie-4711", basic, PASSWORD]
    answers: list[bytes] = []
    for headers in (
        {"authorization": f"Bearer {jwt}"},
        {"authorization": f"Basic {basic}"},
        {"cookie": cookie},
        {"x-api-key": target.keys["admin"] + "x"},
        {"x-api-key": target.keys["predict"]},
        {"authorization": f"Bearer {target.keys['admin']}"},
        {"proxy-authorization": f"Basic {basic}", "cookie": cookie},
        {"referer": f"https://x/?key={target.keys['admin']}", "user-agent": jwt},
    ):
        paths = ("/metrics", "/model/info", "/no/such/route", "/health", "/docs", "/openapi.json", "/v2")
        answers += [target.ask(path, bare=True, headers=headers).body for path in paths]
        answers.append(target.ask("/predict", target.question.body, bare=True, headers=headers).body)
        answers.append(target.ask("/predict", b"{garbage", bare=True, headers=headers).body)
    paths = ("/metrics", "/model/info", "/docs", "/openapi.json", "/health", "/models", "/feedback")
    answers += [target.ask(path).body for path in paths]
    time.sleep(0.5)
    pids = [target.process.running.process.pid, *target.process.pids()]  # type: ignore[attr-defined]
    places = {
        "the log": "".join(target.process.lines()).encode(),
        "an answer": b"".join(answers),
        "a command line": b"".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids[1:]),
    }
    for place, content in places.items():
        for secret in secrets:
            expect(secret.encode() not in content, f"{place} holds a secret: {secret[:12]}…")
    expect(target.process.metric("ml_rate_store_failures_total") > 0, "the store was never asked: nothing was tried")
    return Outcome(seen="nowhere", figures={"answers": len(answers)})


BAD_SETTINGS: dict[str, dict[str, Any]] = {
    "store-of-limits": {"rate_limit": 1.0, "rate_store": f"redis://user:{PASSWORD}@ho st:6379"},
    "store-of-limits-port": {"rate_limit": 1.0, "rate_store": f"redis://user:{PASSWORD}@host:port/0"},
    "store-of-limits-scheme": {"rate_limit": 1.0, "rate_store": f"http://user:{PASSWORD}@host/0"},
    "token-keys": {
        "token_keys": f"https://user:{PASSWORD}@login.example/keys",
        "token_issuer": "i",
        "token_audience": "a",
    },
    "ledger": {"ledger": f"postgresql://user:{PASSWORD}@127.0.0.1:9/db?connect_timeout=1"},
    "ledger-scheme": {"ledger": f"mysql://user:{PASSWORD}@127.0.0.1/db"},
    "unknown-setting": {"password": PASSWORD},
    "wrong-type": {"workers": PASSWORD},
    "wrong-choice": {"out_of_range": PASSWORD},
    "wrong-number": {"deadline_ms": PASSWORD},
    "wrong-proxy": {"trusted_proxies": [PASSWORD]},
    "wrong-header": {"key_header": PASSWORD + " "},
    "wrong-algorithm": {"token_algorithms": [PASSWORD]},
    "wrong-limits": {"limits": {"rows": PASSWORD}},
    "unknown-limit": {"limits": {PASSWORD: 1}},
}
for name, settings in BAD_SETTINGS.items():

    @L06.attack(f"setting-{name}", on="workshop", spares=("service",))
    def _bad_setting(target: Target, settings: dict[str, Any] = settings) -> Outcome:
        import sekisho
        from sekisho.errors import SekishoError
        from sekisho.text import LANGUAGES, use_language

        said = []
        for language in LANGUAGES:
            try:
                sekisho.serve(target.more["workshop"].iris, port=0, **settings)
            except SekishoError as error:
                with use_language(language):
                    said.append(str(error))
        expect(len(said) == 2, "it serves")
        expect(said[0] != said[1], f"it says so in one language only: {said[0]}")
        for words in said:
            expect(PASSWORD not in words and "\n" not in words, f"it says {words[:200]}")
        return Outcome(seen=said[0][:120])


@L06.attack("in-a-real-start", on="workshop", spares=("service",))
def _real_start(target: Target) -> Outcome:
    ledger = f"postgresql://user:{PASSWORD}@127.0.0.1:9/db?connect_timeout=1"
    return Outcome(seen=refused_start(target.more["workshop"].iris, ledger=ledger, never=PASSWORD)[:120])


# Floods


@configuration("brief-log", fresh=True)
def _brief_log(workshop: Workshop) -> Iterator[Target]:
    """A log of at most fifty lines a second about single requests."""
    from tests.serving.conftest import serving

    with serving(workshop.iris, access_log_per_second=LINES_A_SECOND) as running:
        yield target_of(running, questions_about_flowers(), limits=LIMITS)


def _flooded(count: int) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        assert target.process is not None
        bad = {
            "wrong_count": target.post(body=b'{"features":[]}'),
            "malformed_json": target.post(body=b"{garbage"),
            "unsupported_media_type": target.post(body=b"x").replace(b"application/json", b"text/plain", 1),
            "not_found": target.get(path="/no/such/route"),
        }
        before = {code: target.process.metric("ml_problems_total", code=code) for code in bad}
        lines = len(target.process.lines())
        began = time.monotonic()
        each = count // len(bad)
        statuses: Counter[int] = Counter()
        for data in bad.values():
            for first in range(0, each, 200):
                statuses.update(statuses_from(target, "127.0.0.1", [data] * min(200, each - first)))
        seconds = time.monotonic() - began
        time.sleep(0.5)
        for code in bad:
            counted = target.process.metric("ml_problems_total", code=code) - before[code]
            expect(counted == each, f"{code}: {counted} of {each} are counted")
        written = target.process.lines()[lines:]
        most = (seconds + 2) * (LINES_A_SECOND + 12)  # and a summary each time that the log is written
        expect(len(written) <= most, f"{len(written)} lines in {seconds:.1f} s")
        told = sum(json.loads(line)["count"] for line in written if "not logged one by one" in line)
        single = sum('"event":"request"' in line and "/metrics" not in line for line in written)
        expect(told + single >= count, f"{told} summed up and {single} written of {count}")
        size = sum(map(len, written))
        expect(size < most * 500, f"{size} bytes")
        dropped = target.process.metric("ml_log_lines_dropped_total")
        expect(dropped >= told, f"the counter says {dropped}, the log {told}")
        figures = {
            "requests": sum(statuses.values()),
            "lines": len(written),
            "kib": round(size / 1024),
            "seconds": round(seconds, 1),
        }
        return Outcome(seen=str(dict(statuses)), figures=figures)

    return run


L12.add("few", _flooded(8_000), on="brief-log", seconds=60.0)
L12.add("as-listed", _flooded(100_000), on="brief-log", seconds=400.0, slow=True)
