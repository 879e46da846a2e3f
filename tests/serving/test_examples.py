"""The examples of the documents run: what the service's own page shows, and what the guide shows."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from tests.serving.conftest import Running, serving

import sekisho

GUIDES = [Path(__file__).parents[2] / "docs" / name for name in ("service.md", "service.ja.md")]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_command_on_the_page_of_the_service_works(service: Running, language: str) -> None:
    page = service.ask(f"/docs?lang={language}").body.decode()
    (command,) = re.findall(r"<pre[^>]*>(?:<code>)?(curl .*?)(?:</code>)?</pre>", page, re.DOTALL)
    command = html.unescape(command).replace(":8000", f":{service.port}").replace(":0/", f":{service.port}/")
    ended = subprocess.run(
        ["sh", "-c", command],
        capture_output=True,
        text=True,
        check=True,
        env={"KEY": service.key or "", "PATH": "/usr/bin:/bin"},
    )
    assert json.loads(ended.stdout)["prediction"] in {"stays", "leaves"}


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_the_python_of_the_guide_works(open_service: Running, guide: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    code = code.replace("localhost:8000", f"localhost:{open_service.port}")
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == "[0 2]"


@pytest.fixture(scope="module")
def kyoto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service of a model with the features of the guide, and a table of its rows beside it."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"age": random.uniform(18, 90, 200).round(), "city": random.choice(["Kyoto", "Osaka"], 200).astype(object)}
    )
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["city"]), remainder="passthrough"), LogisticRegression(max_iter=500)
    )
    folder = tmp_path_factory.mktemp("kyoto")
    target = frame["age"] > 50
    sekisho.pack(model.fit(frame, target), frame, target, folder=folder / "a", name="people", lock=False)
    frame.head(5).to_parquet(folder / "people.parquet")
    with serving(folder / "a") as running:
        running.ledger = folder
        yield running


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_every_curl_of_the_guide_works(kyoto: Running, guide: Path) -> None:
    lines = re.findall(r"(?m)^\$ (curl .*)$", guide.read_text(encoding="utf-8"))
    assert len(lines) >= 2
    for line in lines:
        command = line.replace("localhost:8000", f"localhost:{kyoto.port}") + " --fail-with-body --silent"
        ended = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, cwd=kyoto.ledger)
        assert ended.returncode == 0, (line, ended.stdout)
        assert "prediction" in ended.stdout


def test_what_the_runtime_of_sagemaker_sends(kyoto: Running) -> None:
    """Serializers of its SDK: CSV without names, JSON lists, JSON Lines; the answer in the form that is accepted."""
    lists = [[40.0, "Kyoto"], [60.0, "Osaka"]]
    bodies = {
        "text/csv": b"40.0,Kyoto\n60.0,Osaka\n",
        "application/json": json.dumps(lists).encode(),
        "application/jsonlines": b'{"features": [40.0, "Kyoto"]}\n{"features": [60.0, "Osaka"]}\n',
    }
    forwarded = {"x-amzn-sagemaker-custom-attributes": "trace=1", "x-amzn-sagemaker-target-variant": "all"}
    for media_type, body in bodies.items():
        headers = {"content-type": media_type, **forwarded}
        for accept in ("application/json", "*/*", "application/json, text/csv;q=0.5"):
            answer = kyoto.ask("/invocations", body, headers={**headers, "accept": accept})
            assert answer.json() == {"predictions": [False, True]}
        answer = kyoto.ask("/invocations", body, headers={**headers, "accept": "text/csv"})
        assert answer.body == b"false\ntrue\n"
        answer = kyoto.ask("/invocations", body, headers={**headers, "accept": "application/jsonlines"})
        assert [json.loads(line) for line in answer.body.splitlines()] == [{"prediction": False}, {"prediction": True}]
    assert kyoto.ask("/ping").status == 200
    refused = kyoto.ask("/invocations", b"\x93NUMPY", headers={"content-type": "application/x-npy"})
    assert refused.status == 415
