"""Limits as people write them in Compose files and Kubernetes manifests."""

from __future__ import annotations

from pathlib import Path

import pytest

from sekisho.contract.project import Project
from sekisho.errors import NotMeasured
from sekisho.gate.testing import example_contract
from sekisho.probes.infrastructure.limits import (
    DeclaredLimits,
    declared_limits,
    processors_of,
    size_in_compose,
    size_in_kubernetes,
)

MIB = 2**20


@pytest.mark.parametrize(
    ("text", "composed", "orchestrated"),
    [
        ("512m", 512 * MIB, 512_000_000),
        ("512M", 512 * MIB, 512_000_000),
        ("512MB", 512 * MIB, None),
        ("512Mi", None, 512 * MIB),
        ("1.5g", 1536 * MIB, 1_500_000_000),
        ("1Gi", None, 1024 * MIB),
        ("1073741824", 1024 * MIB, 1024 * MIB),
        (1073741824, 1024 * MIB, 1024 * MIB),
        ("plenty", None, None),
        (True, None, None),
        ("", None, None),
    ],
)
def test_sizes(text: object, composed: int | None, orchestrated: int | None) -> None:
    assert size_in_compose(text) == composed
    assert size_in_kubernetes(text) == orchestrated


@pytest.mark.parametrize(("text", "count"), [("500m", 0.5), ("1.5", 1.5), (2, 2.0), ("two", None), (True, None)])
def test_processors(text: object, count: float | None) -> None:
    assert processors_of(text) == count


def read(root: Path, **infrastructure: str) -> DeclaredLimits:
    contract = example_contract(infrastructure=infrastructure)
    found = declared_limits.measure(Project(root=root, contract=contract))
    assert isinstance(found, DeclaredLimits)
    return found


def test_compose_of_both_ages(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text(
        """services:
  api:
    build: .
    deploy: {resources: {limits: {memory: 512m, cpus: "1.5"}, reservations: {memory: 256m}}}
  old:
    build: ./old
    mem_limit: 1g
    cpus: 2
  prometheus:
    image: prom/prometheus
    mem_limit: 64m
"""
    )
    api, old = read(tmp_path).containers
    assert (api.container, api.memory_limit, api.memory_request, api.processor_limit) == (
        "api",
        512 * MIB,
        256 * MIB,
        1.5,
    )
    assert (old.memory_limit, old.processor_limit) == (1024 * MIB, 2.0)


def test_an_image_is_known_by_the_port_of_the_service(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        'services: {web: {image: "x", ports: ["80:8000"], mem_limit: 300m}, db: {image: "y", mem_limit: 9g}}'
    )
    (found,) = read(tmp_path).containers
    assert found.container == "web"


def test_kubernetes_takes_the_container_that_listens_on_the_port(tmp_path: Path) -> None:
    folder = tmp_path / "k8s"
    folder.mkdir()
    (folder / "all.yaml").write_text(
        """apiVersion: v1
kind: Service
spec: {ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      containers:
        - {name: proxy, resources: {limits: {memory: 64Mi}}}
        - name: model
          ports: [{containerPort: 8000}]
          resources: {requests: {memory: 200Mi, cpu: 250m}, limits: {memory: 1Gi}}
"""
    )
    (found,) = read(tmp_path, manifests="k8s").containers
    assert found.container == "model"
    assert (found.memory_limit, found.memory_request, found.processor_request) == (1024 * MIB, 200 * MIB, 0.25)


@pytest.mark.parametrize("text", ["services: [", "services: !!python/object:os.system {}", "\x00"])
def test_a_file_that_is_no_yaml_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "compose.yaml").write_text(text)
    with pytest.raises(NotMeasured, match=r"compose\.yaml"):
        read(tmp_path)


@pytest.mark.parametrize("text", ["services: {a: 1}", "[]", "null", "services: []"])
def test_a_file_without_containers_grants_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "compose.yaml").write_text(text)
    assert all(each.memory_limit is None for each in read(tmp_path).containers)


def test_nothing_to_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotMeasured, match="no Compose file"):
        read(tmp_path)
