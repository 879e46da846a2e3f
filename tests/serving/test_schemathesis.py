"""Schemathesis reads our OpenAPI document and looks for requests whose answers it does not describe: it finds none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.serving.conftest import Running

SETTINGS = """
[checks]
# Too many rows are 413.
negative_data_rejection.expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "429", "5xx"]

[[operations]]
# A tensor holds as many elements as its shape says: no JSON Schema can state that.
include-path-regex = "/v2/models/.*/infer"
checks.positive_data_acceptance.enabled = false
"""


@pytest.mark.slow
def test_schemathesis_finds_nothing(service: Running, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(SETTINGS)
    arguments = [
        *("run", f"{service.url}/openapi.json", "--header", f"X-API-Key: {service.key}"),
        # After twenty wrong keys from one address the answer is 429, as the document says, and not 401.
        *("--exclude-checks", "ignored_auth", "--phases", "coverage,fuzzing", "--max-examples", "25", "--seed", "1"),
        *("--continue-on-failure", "--no-color", "--request-timeout", "20", "--generation-database", "none"),
    ]
    ended = subprocess.run(
        [str(Path(sys.executable).with_name("schemathesis")), *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": "schemathesis_hooks",
            "PYTHONPATH": str(Path(__file__).parent),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path),
        },
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    # Every other route answers some of what was made up for it; to roll back, there is nothing.
    assert "POST" not in ended.stdout.replace("POST /models/churn/rollback", "")
