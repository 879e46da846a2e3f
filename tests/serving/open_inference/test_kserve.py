"""KServe's own client, in an environment of its own: its pins fit no other library's."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.serving.conftest import Running, people

from sekisho.artifact.artifact import ModelArtifact

HERE = Path(__file__).parent
KSERVE = "0.21.0"


@pytest.fixture(scope="session")
def interpreter() -> Path:
    """An interpreter that has KServe; made once, and kept between runs."""
    folder = (
        Path(tempfile.gettempdir()) / f"sekisho-test-kserve-{KSERVE}-{sys.version_info.major}{sys.version_info.minor}"
    )
    python = folder / "bin" / "python"
    if not (folder / "done").exists():
        uv = Path(sys.executable).with_name("uv")
        for command in (
            [uv, "venv", "-q", "--clear", "--python", sys.executable, folder],
            [uv, "pip", "install", "-q", "--python", python, f"kserve=={KSERVE}", "httpx"],
        ):
            made = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=280)
            if made.returncode:
                pytest.skip(f"KServe cannot be installed here: {made.stderr.strip()[-200:]}")
        (folder / "done").touch()
    return python


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_client_of_kserve(interpreter: Path, spoken: Running, grpc_port: int, people_artifact: Path) -> None:
    frame = people(60, seed=3).dropna(subset=["city"]).reset_index(drop=True)
    rows = {name: [None if value != value else value for value in column.tolist()] for name, column in frame.items()}
    assert spoken.key is not None
    script = [
        str(interpreter),
        str(HERE / "kserve_client.py"),
        spoken.url,
        f"127.0.0.1:{grpc_port}",
        "churn",
        spoken.key,
    ]
    ended = subprocess.run([*script, json.dumps(rows)], capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    expected = ModelArtifact.load(people_artifact).predict(frame)
    assert expected.probabilities is not None
    for way in ("json", "binary", "grpc", "grpc-binary"):
        assert told[way]["labels"] == expected.values.tolist(), way
        np.testing.assert_allclose(told[way]["probabilities"], expected.probabilities, atol=1e-12)
        assert told[way]["id"] == "mine"
        assert told[way]["model"] == "churn"
    assert told["ready"]
    assert told["live"]
    assert told["model_ready"]
    assert told["grpc-ready"]
