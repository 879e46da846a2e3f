"""Metrics: labels that callers would like to choose, totals over workers that die, odd windows of drift."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from tests.attacks.service.attack import Chapter, Outcome, expect
from tests.attacks.service.client import one_answer
from tests.attacks.service.moves import statuses_from
from tests.attacks.service.own import LIMITS, Workshop, configuration, questions_about_flowers, target_of
from tests.attacks.service.target import Target
from tests.serving.conftest import until

KINDS = observability = Chapter("observability")
HOSTILE = [
    'say "hi"',
    "back\\slash",
    "new\nline",
    "絵文字 😀",
    '{a="b"}',
    "$( id )",
    "%0d%0a",
    "</script>",
    " ",
    "#EOF",
    "a,b",
    "NaN",
]

L01 = observability(
    "L01",
    ("Label explosion", "ラベルの爆発"),
    ("the number of series stays what it is", "系列の数は変わらない"),
)
L02 = observability(
    "L02",
    ("Injection into labels and help", "ラベルや説明への注入"),
    ("the text parses, and the values are kept", "テキストは解析でき、値は保たれる"),
)
L03 = observability(
    "L03",
    ("Metrics over workers", "ワーカーをまたぐメトリクス"),
    (
        "totals are exact, nothing is counted twice, and nothing is lost with a worker but what it was answering",
        "合計は正確で二重計上なし。落ちたワーカーが応答中だった分以外は失われない",
    ),
)
L04 = observability(
    "L04",
    ("Metrics can be scraped", "メトリクスの収集"),
    ("text/plain exposition that parses", "text/plain の公開形式で、解析できる"),
)
L13 = observability(
    "L13",
    ("Odd drift windows", "変則的なドリフト窓"),
    (
        "no crash; not enough data says so; no alarm where there is nothing to compare",
        "落ちず、データ不足と示し、比べるものがなければ警報を出さない",
    ),
)
XL16 = observability(
    "X-L16",
    ("Scrapes while workers come and go", "ワーカー交代中の収集"),
    ("every scrape parses; no counter goes back", "毎回解析でき、カウンターは減らない"),
)


def series(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return every sample of an exposition."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scraped(target: Target) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return series(target.ask("/metrics").body.decode())


def floods(target: Target, number: int) -> dict[str, bytes]:
    """Return requests with something that a caller may choose, another one for each number."""
    host = target.host_field
    key = next((f"{name}: {value}" for name, value in target.headers.items()), "X-None: 1").encode()
    return {
        "path": b"GET /p%d/%d HTTP/1.1\r\n%b\r\n\r\n" % (number, number, host),
        "query": b"GET /health?x%d=%d HTTP/1.1\r\n%b\r\n\r\n" % (number, number, host),
        "agent": b"GET /health HTTP/1.1\r\n%b\r\nUser-Agent: agent-%d\r\n\r\n" % (host, number),
        "key": b"GET /model/info HTTP/1.1\r\n%b\r\nX-API-Key: sk_%040d\r\n\r\n" % (host, number),
        "id": b"GET /health HTTP/1.1\r\n%b\r\nX-Request-ID: id-%d\r\n\r\n" % (host, number),
        "version": b"GET /v2/models/churn/versions/%d.0.0 HTTP/1.1\r\n%b\r\n%b\r\n\r\n" % (number, host, key),
        "model": b"GET /v2/models/m%d HTTP/1.1\r\n%b\r\n%b\r\n\r\n" % (number, host, key),
        "method": b"M%d /health HTTP/1.1\r\n%b\r\n\r\n" % (number, host),
        "host": b"GET /health HTTP/1.1\r\nHost: h%d.example\r\n\r\n" % number,
    }


def _exploded(count: int) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        kinds = list(floods(target, 0))

        def flood(first: int, last: int) -> None:
            for begin in range(first, last, 100):
                numbers = range(begin, min(last, begin + 100))
                for kind in kinds:
                    # An unknown method ends the connection.
                    size = 1 if kind == "method" else 100
                    requests = [floods(target, number)[kind] for number in numbers][: 5 if kind == "method" else None]
                    for at in range(0, len(requests), size):
                        statuses_from(target, "127.0.0.9", requests[at : at + size])

        flood(0, 40)
        scraped(target)
        before = scraped(target)
        assert target.process is not None
        resident = target.process.rss()
        flood(1_000, 1_000 + count // len(kinds))
        after = scraped(target)
        expect(after.keys() == before.keys(), f"new series: {list(after.keys() - before.keys())[:3]}")
        grown = (target.process.rss() - resident) / 2**20
        expect(grown < 32, f"{grown:.0f} MiB more")
        return Outcome(
            seen="the same series", figures={"series": len(after), "requests": count, "rss_mib": round(grown, 1)}
        )

    return run


L01.add("few", _exploded(2_700), needs=("key",), seconds=60.0)
L01.add("as-listed", _exploded(90_000), needs=("key",), seconds=300.0, slow=True)


@configuration("hostile-names")
def _hostile_names(workshop: Workshop) -> Iterator[Target]:
    """Classes and features with names that would break a line."""
    import numpy as np
    import pandas as pd
    from sklearn.linear_model import LogisticRegression
    from tests.serving.conftest import serving

    import sekisho

    folder = workshop.folder / "hostile-names"
    if not folder.exists():
        random = np.random.default_rng(3)
        names = ['size "s"', "wei\\ght\n", "高さ😀"]
        frame = pd.DataFrame(random.normal(0, 1, (600, 3)), columns=names)
        labels = pd.Series([HOSTILE[number % len(HOSTILE)] for number in range(600)], name="answer")
        frame[names[0]] += [number % len(HOSTILE) for number in range(600)]
        model = LogisticRegression(max_iter=5_000).fit(frame, labels)
        sekisho.pack(model, frame, labels, folder=folder, name="hostile", version="1.0+build.7", lock=False)
    with serving(folder) as running:
        target = target_of(running, {}, limits=LIMITS)
        target.more["names"] = ['size "s"', "wei\\ght\n", "高さ😀"]
        yield target


@L02.attack("names", on="hostile-names")
def _names(target: Target) -> Outcome:
    told = set()
    for number in range(60):
        body = json.dumps({"features": [number / 5.0, 100.0, 0.0]}).encode()
        answer = target.ask("/predict", body)
        expect(answer.status == 200, f"{answer.status} {answer.body[:200]!r}")
        told.add(answer.json()["prediction"])
    text = target.ask("/metrics").body.decode()
    found = series(text)
    labels: dict[str, set[str]] = {}
    for _, pairs in found:
        for name, value in pairs:
            labels.setdefault(name, set()).add(value)
    expect(labels["class"] == set(HOSTILE), f"{labels['class'] ^ set(HOSTILE)}")
    expect(set(target.more["names"]) == labels["feature"], f"{labels['feature']}")
    expect("1.0+build.7" in labels["model_version"], f"{labels['model_version']}")
    counted = sum(value for (name, _), value in found.items() if name == "ml_predictions_by_class_total")
    expect(counted == 60, f"{counted} are counted by class")
    flagged = [pairs for (name, pairs), value in found.items() if name == "ml_prediction_flags_total" and value]
    expect(
        any(dict(pairs)["feature"] == "wei\\ght\n" for pairs in flagged), "the flag of a hostile name is not counted"
    )
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    expect(len(lines) == len(found), f"{len(lines)} lines hold {len(found)} samples")
    return Outcome(seen="kept", figures={"classes": len(told), "series": len(found)})


# Totals over workers


@configuration("four-workers", fresh=True)
def _four_workers(workshop: Workshop) -> Iterator[Target]:
    """Four workers for a model of flowers."""
    from tests.serving.conftest import serving

    with serving(workshop.iris, workers=4) as running:
        yield target_of(running, questions_about_flowers(), limits={**LIMITS, "workers": 4})


def _totals(count: int, kills: int) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        assert target.process is not None
        done: Counter[str] = Counter()
        guard = threading.Lock()
        callers = 8

        def ask() -> None:
            mine: Counter[str] = Counter()
            connection = target.connect()
            data = target.post()
            while sum(mine.values()) < count // callers:
                try:
                    connection.sendall(data)
                    mine[str(one_answer(connection).status)] += 1
                except OSError:
                    mine["lost"] += 1
                    connection.close()
                    connection = target.connect()
            connection.close()
            with guard:
                done.update(mine)

        threads = [threading.Thread(target=ask, daemon=True) for _ in range(callers)]
        for thread in threads:
            thread.start()
        killed = 0
        while killed < kills and any(thread.is_alive() for thread in threads):
            time.sleep(0.15)
            workers = target.process.pids()
            busiest = max(workers, key=_processor_time)
            os.kill(busiest, signal.SIGKILL)
            killed += 1
            time.sleep(0.6)
        for thread in threads:
            thread.join(200)
        answered = done["200"]
        expect(set(done) <= {"200", "lost"}, f"{done}")
        expect(done["lost"] <= callers * kills, f"{done}")
        totals = {
            "predictions": target.process.metric("ml_predictions_total", status="success"),
            "requests": target.process.metric("ml_http_requests_total", route="/predict", status="200"),
            "latency": target.process.metric("ml_prediction_latency_seconds_count"),
            "classes": target.process.metric("ml_predictions_by_class_total"),
            "value": target.process.metric("ml_prediction_value_count"),
        }
        for name, total in totals.items():
            # Counted before it is sent: what a worker had counted when it was killed may not have arrived.
            expect(
                answered <= total <= answered + done["lost"],
                f"{name}: {total}, and {answered} were answered, {done['lost']} lost",
            )
        for _ in range(3):
            again = target.process.metric("ml_predictions_total", status="success")
            expect(again == totals["predictions"], "another worker tells another total")
        until(lambda: target.process.metric("ml_worker_starts_total") == 4 + killed, 20)
        figures = {"answered": answered, "lost": done["lost"], "counted": totals["predictions"], "killed": killed}
        return Outcome(seen="exact", figures=figures)

    return run


def _processor_time(process: int) -> int:
    try:
        with open(f"/proc/{process}/stat", encoding="ascii") as file:  # noqa: PTH123
            fields = file.read().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])
    except OSError:
        return -1


L03.add("one-killed", _totals(4_000, 1), on="four-workers", seconds=90.0, spares=("workers",))
L03.add("as-listed", _totals(10_000, 1), on="four-workers", seconds=200.0, slow=True, spares=("workers",))
L03.add("three-killed", _totals(10_000, 3), on="four-workers", seconds=200.0, slow=True, spares=("workers",))


@XL16.attack("killed", on="four-workers", seconds=60.0, spares=("workers",))
def _scrapes(target: Target) -> Outcome:
    assert target.process is not None
    before: dict[Any, float] = {}
    back: list[Any] = []
    scrapes = failed = 0
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            try:
                target.send(target.question)
            except OSError:
                continue

    thread = threading.Thread(target=load, daemon=True)
    thread.start()
    ends = time.monotonic() + 4.0
    due = time.monotonic() + 0.5
    while time.monotonic() < ends:
        if time.monotonic() > due:
            os.kill(target.process.pids()[0], signal.SIGKILL)
            due += 1.0
        try:
            found = scraped(target)
        except OSError:
            failed += 1  # it was with the worker that was killed
            continue
        scrapes += 1
        counters = {key: value for key, value in found.items() if key[0].endswith(("_total", "_count", "_bucket"))}
        back += [key for key, value in counters.items() if value < before.get(key, 0.0)]
        before = counters
    stop.set()
    thread.join(10)
    expect(not back, f"counters that went back: {back[:3]}")
    expect(scrapes > 20, f"{scrapes} scrapes")
    expect(failed <= 8, f"{failed} scrapes failed")
    return Outcome(seen="never back", figures={"scrapes": scrapes, "failed": failed})


@L04.attack("text", needs=("ours",))
def _text(target: Target) -> Outcome:
    answer = target.ask("/metrics")
    expect(answer.status == 200, f"{answer.status}")
    expect(answer.headers["content-type"].startswith("text/plain; version="), answer.headers["content-type"])
    expect(not answer.body.startswith((b'"', b"{", b"[")), "it is JSON")
    families = list(text_string_to_metric_families(answer.body.decode()))
    for family in families:
        expect(
            family.documentation and family.type in {"counter", "gauge", "histogram"}, f"{family.name}: {family.type}"
        )
    names = [family.name for family in families]
    expect(len(names) == len(set(names)), "a metric stands there twice")
    for family in families:
        if family.type == "histogram":
            _check_histogram(family)
    head = target.ask("/metrics", method="HEAD")
    expect((head.status, head.body) == (200, b""), "HEAD is answered otherwise")
    for accept in ("application/openmetrics-text", "application/json", "text/html", "*/*", "garbage"):
        again = target.ask("/metrics", headers={"accept": accept})
        expect(again.status in {200, 406}, f"{accept}: {again.status}")
        expect(again.status == 406 or series(again.body.decode()), f"{accept}: nothing parses")
    return Outcome(seen=answer.headers["content-type"], figures={"families": len(families)})


def _check_histogram(family: Any) -> None:
    """Say that buckets only grow, and that the last one is the count."""
    buckets: dict[Any, list[tuple[float, float]]] = {}
    counts: dict[Any, float] = {}
    for sample in family.samples:
        others = tuple(sorted((name, value) for name, value in sample.labels.items() if name != "le"))
        if sample.name.endswith("_bucket"):
            buckets.setdefault(others, []).append((float(sample.labels["le"]), sample.value))
        elif sample.name.endswith("_count"):
            counts[others] = sample.value
    for others, found in buckets.items():
        values = [value for _, value in sorted(found)]
        expect(values == sorted(values), f"{family.name}: buckets that shrink")
        expect(values[-1] == counts[others], f"{family.name}: the last bucket is not the count")


# Drift


def windows(workshop: Workshop) -> dict[str, tuple[Any, bool | None]]:
    """Return windows of rows, and whether each is drift; ``None``: it must only not crash."""
    import numpy as np
    from tests.serving.conftest import people

    usual = people(2_000, seed=5)
    odd = {
        "empty": (usual.iloc[:0], False),
        "one-row": (usual.iloc[:1], False),
        "two-rows": (usual.iloc[:2], False),
        "nineteen-rows": (usual.iloc[:19], False),
        "no-columns": (usual[[]], None),
        "as-usual": (usual, False),
        "constant": (usual.assign(age=40.0), True),
        "all-null": (usual.assign(income=np.nan), True),
        "all-null-everywhere": (usual.assign(**dict.fromkeys(usual.columns, None)), None),
        "infinite": (usual.assign(age=np.inf), None),
        "some-infinite": (usual.assign(age=usual["age"].where(usual.index % 50 > 0, -np.inf)), None),
        "huge": (usual.assign(age=1e308), True),
        "tiny": (usual.assign(age=5e-324), True),
        "unseen-categories": (usual.assign(city="Atlantis"), True),
        "every-row-another-category": (usual.assign(city=[f"city {number}" for number in range(len(usual))]), True),
        "a-column-is-gone": (usual.drop(columns="city"), True),
        "a-column-more": (usual.assign(more=1.0), False),
        "another-type": (usual.assign(age=usual["age"].astype(str)), None),
        "one-category-is-empty": (usual.assign(city=""), True),
    }
    many = people(100_000, seed=6)
    odd["hundred-thousand-categories"] = (many.assign(city=[f"c{number}" for number in range(len(many))]), True)
    return odd


@configuration("drift")
def _drift(workshop: Workshop) -> Iterator[Target]:
    """No service: a detector."""
    from sekisho.artifact.artifact import ModelArtifact
    from sekisho.watch.drift.detector import DriftDetector

    target = Target(url="http://127.0.0.1:9", ours=True)
    target.more |= {"detector": DriftDetector(ModelArtifact.load(workshop.people)), "windows": windows(workshop)}
    yield target


NAMES = (
    *(
        "empty",
        "one-row",
        "two-rows",
        "nineteen-rows",
        "no-columns",
        "as-usual",
        "constant",
        "all-null",
        "all-null-everywhere",
    ),
    *(
        "infinite",
        "some-infinite",
        "huge",
        "tiny",
        "unseen-categories",
        "every-row-another-category",
        "a-column-is-gone",
    ),
    *("a-column-more", "another-type", "one-category-is-empty", "hundred-thousand-categories"),
)
for name in NAMES:

    @L13.attack(name, on="drift", spares=("service",), seconds=60.0)
    def _window(target: Target, name: str = name) -> Outcome:
        from sekisho.errors import SekishoError
        from sekisho.text import use_language

        window, drifts = target.more["windows"][name]
        try:
            report = target.more["detector"].detect_drift(window)
        except SekishoError as error:
            expect(drifts is None and "\n" not in str(error), f"it says {error}")
            return Outcome(seen=str(error)[:100])
        if drifts is not None:
            expect(report.detected == drifts, f"{report.verdict}: {[column.name for column in report.drifted]}")
        if len(window) < 20:
            expect(not report.enough and not report.detected, f"{len(window)} rows are enough: {report.verdict}")
            expect("enough" in report.verdict.en and report.verdict.ja != report.verdict.en, f"{report.verdict}")
        expect("NaN" not in report.to_json() and "Infinity" not in report.to_json(), "the report is no JSON")
        with use_language("ja"):
            report.as_dict()
        return Outcome(seen=str(report.verdict))
