"""Registries in a folder and in a real object store, artifacts without a model, and processes that work on them."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.attacks.store.seaweed import BUCKET, KEY, READ_KEY, SECRET, running

from sekisho import Registry
from sekisho.artifact.folder import write_folder
from sekisho.artifact.manifest import manifest_of

CHILD = Path(__file__).with_name("child.py")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a registry lies, and what somebody can do to it who goes around the registry."""

    location: str
    endpoint: str | None
    scratch: Path
    children: list[Child] = field(default_factory=list)

    def registry(self, **more: Any) -> Registry:
        return Registry(self.location, endpoint=self.endpoint, cache=self.scratch / "cache", **more)

    def child(self) -> Child:
        child = Child(self)
        self.children.append(child)
        return child

    @property
    def is_folder(self) -> bool:
        return self.endpoint is None

    def held(self) -> list[str]:
        store = self.registry()._store
        return [entry.key for entry in store.entries("")]

    def spoil(self, key: str, data: bytes | None) -> None:
        """Write ``data`` under ``key`` as nobody should, or remove it."""
        store = self.registry()._store
        if data is None:
            store.remove([key])
        else:
            store.put(key, data)


class Child:
    """One process; it is killed at the end of the test."""

    def __init__(self, place: Place) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(CHILD)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        opened = {"location": place.location, "endpoint": place.endpoint, "cache": str(place.scratch / "cache")}
        self.write(opened)

    def write(self, line: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()

    def tell(self, deed: str, **arguments: Any) -> None:
        self.write({"deed": deed, **arguments})

    def hear(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def do(self, deed: str, **arguments: Any) -> Any:
        self.tell(deed, **arguments)
        return self.hear()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real S3 server; yields its URL."""
    with running(tmp_path_factory.mktemp("seaweed")) as url:
        yield url


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A temporary folder that every account can reach."""
    with tempfile.TemporaryDirectory(prefix="sekisho-store-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(params=["folder", pytest.param("object-store", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest, reachable: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """An empty place for a registry."""
    if request.param == "folder":
        found = Place(location=str(reachable / "registry"), endpoint=None, scratch=reachable)
    else:
        act_as(monkeypatch, KEY)
        url = request.getfixturevalue("object_store")
        found = Place(location=f"s3://{BUCKET}/{reachable.name}", endpoint=url, scratch=reachable)
    yield found
    for child in found.children:
        child.kill()


def act_as(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """Let the AWS library find this key and nothing of the person who runs the tests."""
    assert key in {KEY, READ_KEY}
    values = {
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_CONFIG_FILE": "/nowhere",
        "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)


Made = Callable[..., Path]


@pytest.fixture
def made(reachable: Path) -> Made:
    """Make an artifact that has files and a manifest, and no model that could be run."""
    count = 0

    def make(
        version: str = "1.0.0", *, content: str = "", name: str = "loan", files: int = 3, size: int = 2_000
    ) -> Path:
        nonlocal count
        count += 1
        contents = {
            f"part-{number}.json": hashlib.sha256(f"{content}{number}".encode()).hexdigest().encode() * (size // 64)
            for number in range(files)
        }
        contents["shared.json"] = b"the same in every version"
        manifest = manifest_of(contents, name=name, version=version, runtime="onnx", written_by="0.1.0")
        folder = reachable / f"artifact-{count}"
        write_folder(folder, manifest, contents)
        return folder

    return make
