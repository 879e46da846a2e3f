"""What a Compose file mounts: in the project, and there or not."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from sekisho.contract.project import Project
from sekisho.errors import NotMeasured
from sekisho.gate.testing import example_contract
from sekisho.probes.monitoring.compose import ComposeMounts, compose

FILE = """
services:
  prometheus:
    volumes:
      - ./monitoring/prometheus.yml:/etc/prometheus/prometheus.yml:ro
      - ./missing.yml:/etc/x
      - data:/prometheus
      - /var/run/docker.sock:/var/run/docker.sock
      - ${ELSEWHERE_OF_NOBODY}/x:/x
      - {type: bind, source: ./rules, target: /rules}
      - {type: volume, source: data, target: /y}
configs:
  grafana: {file: ./grafana.ini}
secrets:
  key: {file: ./secrets/key}
  other: {environment: OTHER}
volumes:
  data:
"""


def look(tmp_path: Path, **infrastructure: str) -> ComposeMounts:
    project = Project(root=tmp_path, contract=example_contract(infrastructure=infrastructure))
    return cast("ComposeMounts", compose.measure(project))


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "deploy/monitoring").mkdir(parents=True)
    (tmp_path / "deploy/monitoring/prometheus.yml").touch()
    (tmp_path / "deploy/compose.yaml").write_text(FILE)
    found = look(tmp_path, compose="deploy/compose.yaml")
    assert found.file == "deploy/compose.yaml"
    assert found.missing == ("./grafana.ini", "./missing.yml", "./rules", "./secrets/key")


def test_a_file_with_a_usual_name_is_found_and_none_is_no_fault(tmp_path: Path) -> None:
    assert look(tmp_path) == ComposeMounts(file=None, mounts=0, missing=())
    (tmp_path / "docker-compose.yml").write_text("services:\n  api:\n    build: .\n")
    assert look(tmp_path) == ComposeMounts(file="docker-compose.yml", mounts=0, missing=())


@pytest.mark.parametrize("text", ["services: [", "a: *b", "!!python/object:os.system {}", "\0"])
def test_what_cannot_be_read_is_not_measured(tmp_path: Path, text: str) -> None:
    (tmp_path / "compose.yml").write_text(text)
    with pytest.raises(NotMeasured):
        look(tmp_path, compose="compose.yml")


def test_a_named_file_that_is_not_there_is_not_measured(tmp_path: Path) -> None:
    with pytest.raises(NotMeasured):
        look(tmp_path, compose="compose.yml")


@pytest.mark.parametrize("text", ["", "[]", "services: 3", "services:\n  a: 1\n  b: {volumes: {}}"])
def test_odd_shapes_mount_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "compose.yml").write_text(text)
    assert look(tmp_path, compose="compose.yml").missing == ()
