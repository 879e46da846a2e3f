"""Another version takes over in a running service: nobody notices, or nothing happens.

Version ``n.0.0`` of the model answers ``n * x``, so that every answer shows by itself which version made it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

import sekisho
from sekisho.artifact.registry.registry import Registry
from sekisho.serving.guards.keys import new_key

from .conftest import HERE, Answer, Running, children, command_of, is_alive, serving, until
from .traffic import Traffic

Packed = Callable[[int], Path]
ADMIN, ADMIN_LINE = new_key("boss", ("admin",))
CALLER, CALLER_LINE = new_key("caller", ("predict",))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions 1 to 4 of a model, and what they must not be replaced by."""
    folder = tmp_path_factory.mktemp("versions")
    for version in range(1, 5):
        pack(folder / str(version), version)
    pack(folder / "wide", 5, columns=("x", "y"))
    return folder


def pack(folder: Path, version: int, columns: tuple[str, ...] = ("x",)) -> None:
    frame = pd.DataFrame({name: np.linspace(0.0, 40.0, 60) for name in columns})
    model = LinearRegression(fit_intercept=False).fit(frame, version * frame["x"])
    sekisho.pack(model, frame, version * frame["x"], folder=folder, name="times", version=f"{version}.0.0", lock=False)


@pytest.fixture
def registry(shelf: Path, tmp_path: Path) -> Registry:
    """A registry of its own, whose champion is version 1."""
    registry = Registry(tmp_path / "registry")
    for name in ("1", "2", "3", "wide"):
        registry.push(shelf / name)
    registry.promote("times@1.0.0")
    return registry


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text(f"{ADMIN_LINE}\n{CALLER_LINE}\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def service(registry: Registry, keys: Path, tmp_path: Path) -> Iterator[Running]:
    with from_registry(registry, keys, tmp_path) as running:
        yield running


def from_registry(registry: Registry, keys: Path, tmp_path: Path, **more: Any) -> Any:
    return serving(
        "times@champion",
        registry=registry.location,
        key_file=keys,
        environment={"SEKISHO_CACHE": str(tmp_path / "cache")},
        **{"workers": 2, "ledger": tmp_path / "book.sqlite", **more},
    )


def change(service: Running, deed: str, key: str = ADMIN, **body: Any) -> Answer:
    return service.ask(f"/models/times/{deed}", body, key=key, timeout=120)


def live(service: Running) -> str:
    return str(service.ask("/models", key=CALLER).json()["models"][0]["version"])


def check(traffic: Traffic) -> None:
    """Nothing was lost, and every answer is that of the version which it names."""
    assert not traffic.failures
    wrong = [one for one in traffic.seen if abs(one.prediction - one.asked * float(one.version[0])) > 1e-3]
    assert not wrong, wrong[:3]


def test_a_new_version_takes_over_under_load_and_back_and_nobody_notices(service: Running) -> None:
    with Traffic(service.port, key=CALLER) as traffic:
        asked = time.monotonic()
        answer = change(service, "activate", version="2.0.0")
        done = time.monotonic()
        assert (answer.status, answer.json()["version"], answer.json()["changed"]) == (200, "2.0.0", True)
        assert answer.json()["before"]["version"] == "1.0.0"
        traffic.wait(300)
        back = time.monotonic()
        answer = change(service, "rollback")
        rolled = time.monotonic()
        assert (answer.status, answer.json()["version"]) == (200, "1.0.0")
        assert rolled - back < 2.0  # it was kept
        traffic.wait(300)
    check(traffic)
    # Before, the old version alone; after the caller was told, on every worker, the new one alone.
    assert traffic.versions(before=asked) == {"1.0.0"}
    assert traffic.versions(after=done, before=back) == {"2.0.0"}
    assert traffic.versions(after=rolled) == {"1.0.0"}
    assert service.ask("/v2/models/times", key=CALLER).json()["versions"] == ["1.0.0", "2.0.0"]
    old, new = (sum(one.version == version for one in traffic.seen) for version in ("1.0.0", "2.0.0"))
    counted = metrics(service)
    assert counted["ml_predictions_total", "1.0.0"] >= old
    assert counted["ml_predictions_total", "2.0.0"] == new
    assert counted["ml_model_info", "1.0.0"] == 1.0
    assert counted["ml_model_info", "2.0.0"] == 0.0


def metrics(service: Running) -> dict[tuple[str, str], float]:
    from prometheus_client.parser import text_string_to_metric_families

    text = service.ask("/metrics", key=ADMIN).body.decode()
    found: dict[tuple[str, str], float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            version = sample.labels.get("model_version") or sample.labels.get("version") or ""
            if sample.labels.get("status", "success") == "success":
                found[sample.name, version] = sample.value
    return found


def test_what_must_not_answer_is_refused_and_the_version_of_before_serves_on(
    service: Running, registry: Registry, shelf: Path, tmp_path: Path
) -> None:
    damage(registry, shelf / "3")
    with Traffic(service.port, key=CALLER) as traffic:
        refusals = [
            change(service, "activate", version="3.0.0"),  # a file of it is damaged
            change(service, "activate", version="5.0.0"),  # needs another column
            change(service, "activate", version="9.9.9"),  # there is none
            change(service, "activate", version="../../etc"),
            change(service, "activate", path="/etc/passwd"),
            change(service, "activate"),
            change(service, "rollback"),  # nothing was live before
            change(service, "activate", key=CALLER, version="2.0.0"),
            change(service, "reload", key=CALLER),
        ]
        traffic.wait(100)
    assert [answer.status for answer in refusals] == [409, 409, 404, 422, 422, 422, 404, 403, 403]
    assert [answer.code for answer in refusals[:3]] == ["change_refused", "change_refused", "no_such_version"]
    assert "'y'" in refusals[1].json()["detail"]
    assert str(tmp_path) not in b"".join(answer.body for answer in refusals).decode()
    check(traffic)
    assert traffic.versions() == {"1.0.0"}
    assert live(service) == "1.0.0"
    told = [json.loads(line) for line in service.lines if '"change refused"' in line]
    assert [line["model"] for line in told] == ["times", "times"]
    assert all(line["why"] and line["by"] == "boss" for line in told)
    # Who knows what they do may let a version in that needs something else.
    assert change(service, "activate", version="5.0.0", allow_changed_signature=True).status == 200
    assert service.ask("/predict", {"features": [2.0, 3.0]}, key=CALLER).json()["model_version"] == "5.0.0"


def damage(registry: Registry, artifact: Path) -> None:
    """Change one byte of the model of an artifact where the registry keeps it."""
    content = (artifact / "model.onnx").read_bytes()
    for path in Path(registry.location).rglob("*"):
        if path.is_file() and path.read_bytes() == content:
            path.chmod(0o600)
            path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def test_two_changes_at_once_are_one_after_the_other_and_both_are_told_the_truth(service: Running) -> None:
    answers: dict[str, Answer] = {}

    def ask(version: str) -> None:
        answers[version] = change(service, "activate", version=version)

    with Traffic(service.port, key=CALLER) as traffic:
        threads = [threading.Thread(target=ask, args=(version,)) for version in ("2.0.0", "3.0.0")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        told = time.monotonic()
        traffic.wait(200)
    check(traffic)
    assert {answer.status for answer in answers.values()} == {200}
    before = {version: answer.json()["before"]["version"] for version, answer in answers.items()}
    (first,) = [version for version, one in before.items() if one == "1.0.0"]
    (last,) = set(before) - {first}
    assert before[last] == first
    assert traffic.versions(after=told) == {last}


def test_an_alias_that_moves_is_followed_and_one_that_moves_to_a_broken_version_is_not(
    registry: Registry, keys: Path, shelf: Path, tmp_path: Path
) -> None:
    with from_registry(registry, keys, tmp_path, follow=True, follow_seconds=0.3, workers=1) as service:
        with Traffic(service.port, key=CALLER, clients=4, pipelined=1) as traffic:
            registry.promote("times@2.0.0")
            until(lambda: live(service) == "2.0.0")
            damage(registry, shelf / "3")
            registry.promote("times@3.0.0")
            until(lambda: any('"change refused"' in line for line in service.lines))
            assert live(service) == "2.0.0"
            registry.rollback("times")  # to what 3.0.0 had replaced: nothing to do
            time.sleep(0.8)
            registry.promote("times@1.0.0")
            until(lambda: live(service) == "1.0.0")
            registry_away = Path(registry.location)
            registry_away.rename(tmp_path / "gone")
            until(lambda: any("the registry cannot be read" in line for line in service.lines))
            (tmp_path / "gone").rename(registry_away)
            traffic.wait(100)
        check(traffic)
        assert sum('"change refused"' in line for line in service.lines) == 1  # it was not asked for again and again


def test_sighup_looks_anew_where_a_link_leads(shelf: Path, tmp_path: Path) -> None:
    link = tmp_path / "current"
    link.symlink_to(shelf / "1")
    with serving(link, workers=2) as service:
        with Traffic(service.port, clients=8) as traffic:
            for target in ("2", "wide", "3"):
                (tmp_path / "next").symlink_to(shelf / target)
                (tmp_path / "next").replace(link)
                count = sum('"event":"change ' in line for line in service.lines)
                service.process.send_signal(signal.SIGHUP)
                until(lambda count=count: sum('"event":"change ' in line for line in service.lines) > count)
            told = time.monotonic()
            traffic.wait(100)
        check(traffic)
        assert traffic.versions() == {"1.0.0", "2.0.0", "3.0.0"}
        assert traffic.versions(after=told) == {"3.0.0"}
        # Nobody needs a key here, and so nobody may change anything over the network.
        for deed in ("activate", "reload", "rollback"):
            assert change(service, deed, key="", version="1.0.0").code == "scope_missing"


@pytest.mark.slow
def test_another_artifact_of_the_same_version_is_refused(shelf: Path, tmp_path: Path) -> None:
    folder = tmp_path / "current"
    shutil.copytree(shelf / "1", folder)
    with serving(folder) as service:
        shutil.rmtree(folder)
        frame = pd.DataFrame({"x": np.linspace(0.0, 40.0, 60)})
        model = LinearRegression(fit_intercept=False).fit(frame, 7 * frame["x"])
        sekisho.pack(model, frame, 7 * frame["x"], folder=folder, name="times", version="1.0.0", lock=False)
        service.process.send_signal(signal.SIGHUP)
        line = until(lambda: [one for one in service.lines if '"change refused"' in one])[0]
        assert "another artifact is served as version 1.0.0" in line
        assert service.predict([3.0]).json()["prediction"] == pytest.approx(3.0)


def test_a_worker_that_dies_meanwhile_leaves_one_version_on_all(service: Running) -> None:
    answers: list[Answer] = []

    def ask() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):  # it may be the worker that was asked
            answers.append(change(service, "activate", version="2.0.0"))

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.3)
    os.kill(service.workers()[0], signal.SIGKILL)
    thread.join()
    until(lambda: metrics_ready(service) == 2, 30)
    (only,) = {live(service) for _ in range(20)}
    for answer in answers:
        assert (answer.status, only) in {(503, "1.0.0"), (200, "2.0.0")}, answer
    assert change(service, "activate", version="2.0.0").status == 200
    # A worker that starts later serves what is live now.
    os.kill(service.workers()[0], signal.SIGKILL)
    time.sleep(0.3)
    until(lambda: metrics_ready(service) == 2, 30)
    assert {live(service) for _ in range(20)} == {"2.0.0"}


def metrics_ready(service: Running) -> float:
    with contextlib.suppress(OSError):
        return metrics(service).get(("ml_worker_ready", ""), 0.0)
    return 0.0


def test_told_to_end_in_the_middle_of_a_change(service: Running) -> None:
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(change(service, "activate", version="2.0.0")))
    thread.start()
    time.sleep(0.15)
    workers = children(service.process.pid)
    began = time.monotonic()
    assert service.end(signal.SIGTERM) == 0
    assert time.monotonic() - began < 10
    thread.join()
    assert [answer.status in {200, 503} for answer in answers] == [True]
    assert not any(map(is_alive, workers))


def test_a_change_of_one_model_leaves_the_others_as_they_are(
    shelf: Path, registry: Registry, keys: Path, tmp_path: Path
) -> None:
    with (
        serving(
            {"still": shelf / "4", "times": "times@champion"},
            registry=registry.location,
            key_file=keys,
            environment={"SEKISHO_CACHE": str(tmp_path / "cache")},
        ) as service,
        Traffic(service.port, key=CALLER, clients=4, path="/models/times/predict") as traffic,
        Traffic(service.port, key=CALLER, clients=4) as others,
    ):
        assert change(service, "activate", version="2.0.0").status == 200
        for name in ("activate", "reload"):
            body = {"version": "2.0.0"} if name == "activate" else {}
            answer = service.ask(f"/models/still/{name}", body, key=ADMIN)
            assert answer.status == (404 if name == "activate" else 200)
        traffic.wait(100)
    check(traffic)
    check(others)
    assert traffic.versions() == {"1.0.0", "2.0.0"}
    assert others.versions() == {"4.0.0"}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_native_version_that_misbehaves_is_refused_whatever_it_does(
    registry: Registry, keys: Path, tmp_path: Path
) -> None:
    sys.path.insert(0, str(HERE))
    try:
        from moody import Moody  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(HERE))
    moods = {"21": "raise", "22": "nan", "23": "slow", "24": "die", "25": "wrong", "26": "hang", "7": "good"}
    frame = pd.DataFrame({"x": np.linspace(0.0, 40.0, 60)})
    for version in moods:
        model = Moody(int(version)).fit(frame, frame["x"])
        folder = tmp_path / version
        sekisho.pack(
            model,
            frame,
            int(version) * frame["x"],
            folder=folder,
            name="times",
            version=f"{version}.0.0",
            lock=False,
            trusted_types=("moody.Moody",),
        )
        registry.push(folder)
    environment = {f"MOODY_{version}": mood for version, mood in moods.items()}
    with serving(
        "times@champion",
        registry=registry.location,
        key_file=keys,
        environment={**environment, "SEKISHO_CACHE": str(tmp_path / "cache")},
        trusted_types=["moody.Moody"],
        deadline_ms=1_500,
        start_seconds=60.0,
        model_processes=2,
    ) as service:
        with Traffic(service.port, key=CALLER, pause=0.02) as traffic:
            for version, mood in moods.items():
                answer = change(service, "activate", version=f"{version}.0.0")
                assert answer.status == (200 if mood == "good" else 409), (mood, answer)
                assert b"hunter2" not in answer.body
            assert change(service, "rollback").json()["version"] == "1.0.0"
            traffic.wait(100)
        check(traffic)
        assert traffic.versions() <= {"1.0.0", "7.0.0"}
        (worker,) = service.workers()
        # What was refused has left no process behind; the version of before keeps its nursery.
        until(lambda: len(children(worker)) == 1, 20)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_many_changes_leave_no_memory_thread_or_descriptor_behind(service: Running) -> None:
    def used(worker: int) -> tuple[int, int, float]:
        resident = int(Path(f"/proc/{worker}/statm").read_text().split()[1]) * 4 / 1024
        return (
            len(list(Path(f"/proc/{worker}/fd").iterdir())),
            len(list(Path(f"/proc/{worker}/task").iterdir())),
            resident,
        )

    def go_round(times: int) -> None:
        for _ in range(times):
            for version in ("2.0.0", "3.0.0", "1.0.0"):
                assert change(service, "activate", version=version).status == 200

    go_round(3)
    time.sleep(1)
    before = {worker: used(worker) for worker in service.workers()}
    with Traffic(service.port, key=CALLER, clients=4, pause=0.01) as traffic:
        go_round(8)
    check(traffic)
    time.sleep(1)
    for worker, (descriptors, threads, resident) in before.items():
        now = used(worker)
        assert now[0] <= descriptors + 4
        assert now[1] <= threads + 4
        assert now[2] <= resident + 20.0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_workers_killed_again_and_again_during_changes_end_on_one_version(service: Running) -> None:
    random = np.random.default_rng(0)
    stop = threading.Event()

    def kill() -> None:
        while not stop.wait(float(random.uniform(0.2, 1.5))):
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.kill(service.workers()[int(random.integers(2))], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    told: list[tuple[int, str]] = []
    for at in range(6):
        version = f"{at % 3 + 1}.0.0"
        with contextlib.suppress(OSError, http.client.HTTPException):
            answer = change(service, "activate", version=version)
            told.append((answer.status, version))
            assert answer.status in {200, 409, 503}, answer
    stop.set()
    killer.join()
    until(lambda: metrics_ready(service) == 2, 60)
    assert len({live(service) for _ in range(30)}) == 1
    assert change(service, "activate", version="2.0.0").status == 200
    assert {live(service) for _ in range(30)} == {"2.0.0"}


@pytest.mark.slow
def test_drift_is_watched_against_the_version_that_is_live(registry: Registry, keys: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "sekisho.watch.live", "--ledger", str(tmp_path / "book.sqlite")]
    with from_registry(registry, keys, tmp_path, workers=1, watcher=command) as service:

        def watched() -> list[str]:
            found = [command_of(child) for child in children(service.process.pid)]
            return [one.split("--artifact ")[1].strip() for one in found if "sekisho.watch.live" in one]

        first = until(watched)
        until(lambda: b"ml_drift_effect{" in service.ask("/metrics", key=ADMIN).body)
        assert change(service, "activate", version="2.0.0").status == 200
        second = until(lambda: [one for one in watched() if one not in first])
        until(lambda: watched() == second)
        assert "ml_drift_effect{" in service.ask("/metrics", key=ADMIN).body.decode()
        assert not [line for line in service.lines if "process died" in line]
