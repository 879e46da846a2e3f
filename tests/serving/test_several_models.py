"""Several models and versions in one service: each is asked by its name, and minds its own business."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pandas as pd
import pytest
import tritonclient.http as triton
from sklearn.linear_model import LinearRegression

import sekisho
from sekisho.cli.serve import artifacts_of
from sekisho.errors import SekishoError, WrongUse
from sekisho.serving.grpc.inferring import model_of
from sekisho.serving.grpc.messages import messages
from sekisho.serving.lineup import Lineup, Served

from .conftest import Running, serving, until
from .troubled import DIE, HANG

PEOPLE = {"age": 40.0, "income": None, "children": 2, "city": "Kyoto", "employed": True, "plan": "basic"}
IRIS = [5.0, 3.0, 1.5, 0.2]


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second version of the price model, which answers ten times as much."""
    frame = pd.DataFrame({"size": np.linspace(20.0, 200.0, 60), "rooms": np.arange(60) % 6 + 1})
    price = 30.0 * frame["size"] + 200.0 * frame["rooms"]
    folder = tmp_path_factory.mktemp("newer") / "price"
    model = LinearRegression().fit(frame, price)
    sekisho.pack(model, frame, price, folder=folder, name="price", version="2.0.0+b", lock=False)
    return folder


@pytest.fixture(scope="module")
def several(
    people_artifact: Path, price_artifact: Path, newer: Path, grpc_free: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    book = tmp_path_factory.mktemp("several") / "book.sqlite"
    with serving([people_artifact, price_artifact, newer], ledger=book, grpc_port=grpc_free) as running:
        running.ledger = book
        yield running


@pytest.fixture(scope="module")
def grpc_free() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_each_is_asked_by_its_name_and_by_its_version(several: Running) -> None:
    def price(path: str) -> Any:
        answer = several.ask(path, {"features": [100.0, 3]})
        assert answer.status == 200, answer
        return answer.json()["model_version"], round(answer.json()["prediction"])

    assert several.predict(PEOPLE).json()["model_version"] == "1.2.3"  # the first one answers where no name is said
    assert several.ask("/models/churn/predict", {"features": PEOPLE}).json()["model_version"] == "1.2.3"
    live, old = price("/models/price/predict"), price("/models/price/versions/1.0.0/predict")
    new = price("/models/price/versions/2.0.0%2Bb/predict")
    assert live == old
    assert (live[0], new[0]) == ("1.0.0", "2.0.0+b")
    assert new[1] == pytest.approx(10 * live[1], rel=0.02)
    rows = [{"features": [100.0, 3]}] * 3
    assert several.ask("/models/price/predict/batch", rows).json()["count"] == 3
    table = {"dataframe_split": {"columns": ["size", "rooms"], "data": [[100.0, 3]]}}
    assert several.ask("/models/price/invocations", table).status == 200
    for path in ("/models/other/predict", "/models/price/versions/9/predict", "/models/price/versions/1.2.3/predict"):
        assert several.ask(path, {"features": [1.0, 1]}).code == "not_found"
    # A row of one model is none of another.
    assert several.ask("/models/price/predict", {"features": PEOPLE}).status == 422


def test_the_open_inference_protocol_knows_them_by_name_and_version(several: Running, grpc_free: int) -> None:
    tensors = {
        "inputs": [
            {"name": "size", "shape": [1], "datatype": "FP64", "data": [100.0]},
            {"name": "rooms", "shape": [1], "datatype": "INT64", "data": [3]},
        ]
    }
    found = {}
    for path in ("/v2/models/price", "/v2/models/price/versions/1.0.0", "/v2/models/price/versions/2.0.0%2Bb"):
        assert several.ask(path).json()["versions"] == ["1.0.0", "2.0.0+b"]
        assert several.ask(f"{path}/ready").json() == {"name": "price", "ready": True}
        answer = several.ask(f"{path}/infer", tensors).json()
        found[path] = (answer["model_version"], answer["outputs"][0]["data"][0])
    assert found["/v2/models/price"] == found["/v2/models/price/versions/1.0.0"]
    assert several.ask("/v2/models/churn").json()["name"] == "churn"
    with triton.InferenceServerClient(f"127.0.0.1:{several.port}") as client:
        index = client.get_model_repository_index()
    assert {(one["name"], one["version"], one["state"]) for one in index} == {
        ("churn", "1.2.3", "READY"),
        ("price", "1.0.0", "READY"),
        ("price", "2.0.0+b", "READY"),
    }
    kinds = messages()
    with grpc.insecure_channel(f"127.0.0.1:{grpc_free}") as channel:

        def infer(name: str, version: str) -> Any:
            request = kinds["ModelInferRequest"](model_name=name, model_version=version)
            for one, datatype, field, value in (
                ("size", "FP64", "fp64_contents", 100.0),
                ("rooms", "INT64", "int64_contents", 3),
            ):
                tensor = request.inputs.add(name=one, datatype=datatype, shape=[1])
                getattr(tensor.contents, field).append(value)
            call = channel.unary_unary(
                "/inference.GRPCInferenceService/ModelInfer",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=kinds["ModelInferResponse"].FromString,
            )
            return call(request, timeout=20)

        for version, wanted in (("", "1.0.0"), ("1.0.0", "1.0.0"), ("2.0.0+b", "2.0.0+b")):
            answer = infer("price", version)
            path = "/v2/models/price" + (f"/versions/{version.replace('+', '%2B')}" if version else "")
            assert (answer.model_version, answer.outputs[0].contents.fp64_contents[0]) == (wanted, found[path][1])
        for name, version in (("price", "9"), ("other", "")):
            with pytest.raises(grpc.RpcError) as refused:
                infer(name, version)
            assert refused.value.code() == grpc.StatusCode.NOT_FOUND


def test_the_model_of_a_message_is_found_without_reading_all_of_it() -> None:
    request = messages()["ModelInferRequest"]
    assert model_of(request(model_name="m", model_version="1").SerializeToString()) == ("m", "1")
    assert model_of(request(model_name="m", id="x").SerializeToString()) == ("m", "")
    long = "n" * 200
    assert model_of(request(model_name=long, model_version="v").SerializeToString()) == (long, "v")
    one, other = request(model_version="1").SerializeToString(), request(model_name="m").SerializeToString()
    assert model_of(one + other) == ("m", "1")  # in another order
    assert model_of(other + request(model_name="last").SerializeToString()) == ("last", "")  # the last one counts
    for broken in (b"", b"\x0a", b"\x0a\x05ab", b"\xff" * 20):
        assert model_of(broken) in {("", ""), ("ab", "")}


def test_what_is_told_of_them(several: Running) -> None:
    told = several.ask("/models").json()
    assert told["default"] == "churn"
    assert [(one["name"], one["version"], one["state"]) for one in told["models"]] == [
        ("churn", "1.2.3", "ready"),
        ("price", "1.0.0", "ready"),
    ]
    assert [one["role"] for one in told["models"][1]["versions"]] == ["live", "beside"]
    assert several.ask("/models/price").json() == told["models"][1]
    assert several.ask("/models/price/info").json()["version"] == "1.0.0"
    assert several.ask("/model/info").json()["name"] == "churn"
    health = several.ask("/health").json()
    assert (health["model_version"], health["models"]) == ("1.2.3", {"churn": "ready", "price": "ready"})
    assert several.ask("/models/price/health").json()["model_version"] == "1.0.0"
    paths = several.ask("/openapi.json").json()["paths"]
    assert {"/predict", "/models/churn/predict", "/models/price/predict", "/models/price/activate"} <= set(paths)
    shown = paths["/models/price/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert set(shown["features"]) == {"size", "rooms"}


def test_metrics_and_the_book_tell_them_apart(several: Running) -> None:
    def counted(**labels: str) -> float:
        return several.metric("ml_predictions_total", status="success", **labels)

    before = counted(model="churn"), counted(model="price", model_version="2.0.0+b")
    answers = [several.predict(PEOPLE)]
    answers += [several.ask("/models/price/versions/2.0.0%2Bb/predict", {"features": [100.0, 3]}) for _ in range(3)]
    assert (counted(model="churn"), counted(model="price", model_version="2.0.0+b")) == (before[0] + 1, before[1] + 3)
    assert several.metric("ml_model_ready") == 2
    info = [line for line in several.ask("/metrics").body.decode().splitlines() if line.startswith("ml_model_info{")]
    # What the name alone does not mean is not the model that answers.
    assert sorted(('version="2.0.0+b"' in line, line.endswith(" 1.0")) for line in info) == [
        (False, True),
        (False, True),
        (True, False),
    ]
    routes = {
        line.partition('route="')[2].partition('"')[0]
        for line in several.ask("/metrics").body.decode().splitlines()
        if line.startswith("ml_http_requests_total")
    }
    assert "/models/price/versions/{version}/predict" in routes  # no version makes another series
    assert not [route for route in routes if "2.0.0" in route]
    ids = {answer.json()["request_id"] for answer in answers}
    digests = {one["name"]: one["digest"] for one in several.ask("/models").json()["models"]}

    def written() -> Any:
        with sqlite3.connect(several.ledger or "") as book:
            found = book.execute("SELECT request_id, model FROM predictions").fetchall()
        return (rows := [digest for request_id, digest in found if request_id in ids]) and len(rows) == 4 and rows

    rows = until(written)
    assert rows.count(digests["churn"]) == 1


def test_an_outcome_goes_to_the_model_that_answered(several: Running) -> None:
    answer = several.ask("/models/price/predict", {"features": [100.0, 3]}).json()
    time.sleep(0.5)
    told = {"request_id": answer["request_id"], "outcome": 123.0}
    assert several.ask("/models/price/feedback", told).status == 200
    assert several.ask("/feedback", told).code == "unknown_class"  # the first model knows classes, and no numbers


@pytest.mark.slow
def test_a_model_that_hangs_or_dies_hurts_no_other(troubled_artifact: Path, iris_artifact: Path) -> None:
    with serving(
        {"iris": iris_artifact, "bad": troubled_artifact},
        trusted_types=["troubled.Troubled"],
        deadline_ms=1_000,
        queue=8,
        model_processes=1,
    ) as service:
        bad: list[int] = []

        def hurt() -> None:
            rows = [{"features": [float(what), 1.0]} for what in (HANG, DIE)]
            bad.extend(service.ask("/models/bad/predict", row, timeout=60).status for row in rows)

        threads = [threading.Thread(target=hurt) for _ in range(2)]
        for thread in threads:
            thread.start()
        waits = []
        while any(thread.is_alive() for thread in threads):
            began = time.monotonic()
            assert service.predict(IRIS).status == 200
            waits.append(time.monotonic() - began)
            time.sleep(0.01)
        assert set(bad) <= {503, 504}
        assert 504 in bad
        assert sorted(waits)[int(len(waits) * 0.99)] < 0.5
        assert service.ask("/health/ready").status == 200
        assert service.ask("/v2/models/iris/ready").status == 200


def test_one_that_cannot_be_loaded_is_named_in_one_line(
    iris_artifact: Path, price_artifact: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(price_artifact, broken)
    content = (broken / "model.onnx").read_bytes()
    (broken / "model.onnx").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    process = subprocess.run(
        [sys.executable, "-m", "sekisho", "serve", str(iris_artifact), f"{broken}", "--port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 3
    assert process.stdout == ""
    (line,) = process.stderr.splitlines()
    assert str(broken) in line


def test_names_are_given_to_all_or_to_none(tmp_path: Path) -> None:
    assert artifacts_of(["a", "b@champion"]) == ["a", "b@champion"]
    assert artifacts_of(["x=a", "y=b@champion"]) == {"x": "a", "y": "b@champion"}
    (tmp_path / "a=b").mkdir()
    assert artifacts_of([str(tmp_path / "a=b")]) == [str(tmp_path / "a=b")]  # a folder may be called so
    for words in (["x=a", "b"], ["x=a", "x=b"]):
        with pytest.raises(WrongUse):
            artifacts_of(words)


def test_what_cannot_be_served_together_is_refused(price_artifact: Path) -> None:
    def refused(given: Any, **settings: Any) -> str:
        with pytest.raises(SekishoError) as raised:
            sekisho.serve(given, port=0, **settings)
        assert "\n" not in str(raised.value)
        return str(raised.value)

    assert "twice" in refused([price_artifact, price_artifact])
    assert "cannot be" in refused({"a/b": price_artifact})
    assert "price" in refused(price_artifact, default_model="prize")
    refused([])


def test_a_lineup_keeps_the_version_that_was_live(tmp_path: Path) -> None:
    def served(version: str, role: Any = "live", name: str = "m") -> Served:
        return Served(name=name, version=version, digest=version * 8, folder=str(tmp_path), role=role)

    def shown(lineup: Lineup) -> list[tuple[str, str]]:
        return [(one.version, one.role) for one in lineup.of("m")]

    lineup = Lineup(default="m", models=(served("1"), served("9", "beside"), served("1", name="other")))
    second = lineup.with_live(served("2"), keep=True, number=1)
    assert shown(second) == [("2", "live"), ("1", "previous"), ("9", "beside")]
    third = second.with_live(served("3"), keep=True, number=2)
    assert shown(third) == [("3", "live"), ("2", "previous"), ("9", "beside")]
    assert shown(third.with_live(served("9"), keep=False, number=3)) == [("9", "live")]
    assert third.live("other") == lineup.live("other")
    assert json.loads(json.dumps(third.names)) == ["m", "other"]
