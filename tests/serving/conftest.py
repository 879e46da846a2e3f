"""Artifacts, and services that serve them: real processes, real sockets, one of each kind for all tests."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import sekisho
from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.signature import Note
from sekisho.serving.guards.keys import new_key

HERE = Path(__file__).parent
SERVE = "import json, sys, sekisho; sekisho.serve(sys.argv[1], **json.loads(sys.argv[2]))"


@dataclass(kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        assert self.headers["content-type"] == "application/problem+json", self
        return str(self.json()["code"])


@dataclass(kw_only=True)
class Running:
    """A service that runs."""

    url: str
    process: subprocess.Popen[bytes]
    lines: list[str] = field(default_factory=list)
    key: str | None = None
    keys: dict[str, str] = field(default_factory=dict)
    key_file: Path | None = None
    ledger: Path | None = None
    reader: threading.Thread | None = None

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def ask(
        self,
        path: str,
        body: object = None,
        *,
        method: str | None = None,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        timeout: float = 30.0,
    ) -> Answer:
        """Send one request on a connection of its own."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {"content-type": "application/json"} if data is not None else {}
        chosen = key if key is not None else self.key
        if chosen:
            sent["x-api-key"] = chosen
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method or ("GET" if data is None else "POST"), path, data, {**sent, **(headers or {})})
            reply = connection.getresponse()
            return Answer(
                status=reply.status,
                headers={name.lower(): value for name, value in reply.getheaders()},
                body=reply.read(),
            )
        finally:
            connection.close()

    def predict(self, features: object, **more: Any) -> Answer:
        return self.ask("/predict", {"features": features}, **more)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def raw(self, data: bytes, *, half_close: bool = False) -> bytes:
        """Send bytes as they are, and return everything that comes back until the other side closes."""
        with self.connect() as connection:
            try:
                connection.sendall(data)
                if half_close:
                    connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # refused before everything was sent
            return read_all(connection)

    def metric(self, name: str, **labels: str) -> float:
        from prometheus_client.parser import text_string_to_metric_families

        found = [
            sample.value
            for family in text_string_to_metric_families(self.ask("/metrics").body.decode())
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return sum(found)

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        return [child for child in children(self.process.pid) if "sekisho.serving.worker" in command_of(child)]

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(60)
        assert self.reader is not None
        assert self.process.stdout is not None
        self.reader.join(10)  # to the end of the log, which the workers hold open as well
        self.process.stdout.close()
        return code


def read_all(connection: socket.socket) -> bytes:
    received = b""
    try:
        while data := connection.recv(65_536):
            received += data
    except (TimeoutError, ConnectionError):
        return received
    return received


def children(process: int) -> list[int]:
    """Return the children of all threads of a process."""
    return [int(word) for task in Path(f"/proc/{process}/task").glob("*/children") for word in task.read_text().split()]


def command_of(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def is_alive(process: int) -> bool:
    """Whether a process runs; one that is dead and not buried yet does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition: Any, seconds: float = 15.0) -> Any:
    """Return the first true value of ``condition()``; fail if there is none for too long."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s")


def start(
    artifact: Path | str | dict[str, Any] | list[Any],
    *,
    wait: bool = True,
    environment: dict[str, str] | None = None,
    **settings: Any,
) -> Running:
    """Start a service on a free port, and wait until it is ready."""
    given = {name: str(value) if isinstance(value, Path) else value for name, value in settings.items()}
    several = not isinstance(artifact, Path | str)
    code = SERVE.replace("sys.argv[1]", "json.loads(sys.argv[1])") if several else SERVE
    what = json.dumps(artifact, default=str) if several else str(artifact)
    process = subprocess.Popen(
        [sys.executable, "-c", code, what, json.dumps({"port": 0, **given})],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH")))),
            **(environment or {}),
        },
    )
    running = Running(url="", process=process)

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            running.lines.append(line.decode())

    running.reader = threading.Thread(target=read, daemon=True)
    running.reader.start()
    if wait:
        ends = time.monotonic() + 60
        while not running.url:
            for line in list(running.lines):
                if '"event":"ready"' in line:
                    running.url = json.loads(line)["url"]
            if process.poll() is not None or time.monotonic() > ends:
                raise AssertionError("the service did not start:\n" + "".join(running.lines))
            time.sleep(0.01)
    return running


@contextmanager
def serving(artifact: Path | str | dict[str, Any] | list[Any], **settings: Any) -> Iterator[Running]:
    running = start(artifact, **settings)
    try:
        yield running
    finally:
        running.end()


def people(rows: int, seed: int = 0) -> pd.DataFrame:
    """Return rows with every kind of column, some of them null."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": random.integers(18, 90, rows).astype(float),
            "income": random.lognormal(10, 1, rows).round(2),
            "children": random.integers(0, 6, rows),
            "city": random.choice(["Kyoto", "Osaka", "Nara"], rows).astype(object),
            "employed": random.random(rows) < 0.6,
            "plan": random.choice(["basic", "plus"], rows).astype(object),
        }
    )
    frame.loc[random.random(rows) < 0.1, "income"] = np.nan
    frame.loc[random.random(rows) < 0.1, "city"] = None
    return frame


def churn(frame: pd.DataFrame) -> pd.Series:
    score = (frame["age"] - 50) / 20 + frame["employed"] * 1.0 - (frame["plan"] == "plus") * 0.8
    return pd.Series(np.where(score + np.sin(frame["children"]) > 0, "stays", "leaves"), name="churn")


def pack_people(folder: Path) -> Path:
    """Pack a model of people, as an ONNX graph."""
    frame = people(600)
    numbers, words = ["age", "income", "children", "employed"], ["city", "plan"]
    model = make_pipeline(
        ColumnTransformer(
            [
                ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers),
                ("words", OneHotEncoder(handle_unknown="ignore"), words),
            ]
        ),
        LogisticRegression(max_iter=500),
    ).fit(frame, churn(frame))
    notes = {
        "children": Note(out_of_range="reject"),
        "plan": Note(unseen_category="reject"),
        "income": Note(personal=True),
    }
    packed = sekisho.pack(
        model, frame, churn(frame), folder=folder, name="churn", version="1.2.3", notes=notes, lock=False
    )
    assert packed.runtime_name == "onnx"
    return folder


@pytest.fixture(scope="session")
def people_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack_people(tmp_path_factory.mktemp("artifacts") / "people")


@pytest.fixture(scope="session")
def price_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(1)
    frame = pd.DataFrame({"size": random.uniform(20, 200, 300), "rooms": random.integers(1, 7, 300)})
    price = 3.0 * frame["size"] + 20.0 * frame["rooms"] + random.normal(0, 1, 300)
    folder = tmp_path_factory.mktemp("artifacts") / "price"
    sekisho.pack(LinearRegression().fit(frame, price), frame, price, folder=folder, name="price", lock=False)
    return folder


def pack_iris(folder: Path) -> Path:
    """Pack a forest for iris flowers, as an ONNX graph."""
    from sklearn.datasets import load_iris

    data = load_iris(as_frame=True)
    model = RandomForestClassifier(20, random_state=0).fit(data.data, data.target)
    sekisho.pack(model, data.data, data.target, folder=folder, name="iris", lock=False)
    return folder


@pytest.fixture(scope="session")
def iris_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack_iris(tmp_path_factory.mktemp("artifacts") / "iris")


def pack_troubled(folder: Path) -> Path:
    """Pack a model that does what models do at the worst moment; it stays in its own library."""
    sys.path.insert(0, str(HERE))
    try:
        from troubled import Troubled  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(HERE))
    random = np.random.default_rng(2)
    frame = pd.DataFrame({"what": random.uniform(0, 1000, 200), "value": random.normal(0, 1, 200)})
    frame["what"] = frame["what"].where(frame["what"].round() < 600, 0.5)
    labels = (frame["value"] > 0).to_numpy()
    packed = sekisho.pack(
        Troubled().fit(frame, labels),
        frame,
        labels,
        folder=folder,
        name="troubled",
        trusted_types=("troubled.Troubled",),
        lock=False,
    )
    assert packed.runtime_name == "skops"
    return folder


@pytest.fixture(scope="session")
def troubled_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack_troubled(tmp_path_factory.mktemp("artifacts") / "troubled")


@pytest.fixture(scope="session")
def service(people_artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The usual service: keys of every scope, a book of predictions, one worker."""
    folder = tmp_path_factory.mktemp("service")
    keys = {scope: new_key(scope, (scope,)) for scope in ("predict", "metrics", "admin")}
    key_file = folder / "keys"
    key_file.write_text("\n".join(line for _, line in keys.values()) + "\n")
    ledger = folder / "predictions.sqlite"
    with serving(people_artifact, key_file=key_file, ledger=ledger, access_log_per_second=100_000) as running:
        running.keys = {scope: secret for scope, (secret, _) in keys.items()}
        running.key = running.keys["admin"]
        running.key_file = key_file
        running.ledger = ledger
        yield running


@pytest.fixture(scope="session")
def open_service(iris_artifact: Path) -> Iterator[Running]:
    """A service without keys, with short time-outs and small limits."""
    limits = {
        "head_seconds": 1.0,
        "body_seconds": 1.0,
        "idle_seconds": 1.5,
        "write_seconds": 1.0,
        "body_bytes": 65_536,
        "rows": 50,
    }
    with serving(iris_artifact, limits=limits) as running:
        yield running


@pytest.fixture(scope="session")
def good() -> dict[str, Any]:
    return {"age": 40.0, "income": None, "children": 2, "city": "Kyoto", "employed": True, "plan": "basic"}


@pytest.fixture(scope="session")
def loaded(people_artifact: Path) -> ModelArtifact:
    return ModelArtifact.load(people_artifact)
