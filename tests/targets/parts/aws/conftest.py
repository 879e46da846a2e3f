"""A real S3 server, and a server that knows the shapes of SageMaker's and CloudWatch's requests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

KEY, SECRET = "test-key-id", "test-secret-key"
BUCKET = "my-models"
START_SECONDS = 90


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@contextmanager
def child(command: Sequence[str], folder: Path, answers: Callable[[], bool], end: signal.Signals) -> Iterator[None]:
    """Run a server until the block is left; it is there once ``answers`` says so."""
    log = folder / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(command, cwd=folder, stdout=stream, stderr=stream, start_new_session=True)
    try:
        ends = time.monotonic() + START_SECONDS
        while not _quietly(answers):
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < ends, log.read_text()[-2000:]
            time.sleep(0.1)
        yield
    finally:
        process.send_signal(end)
        process.wait(timeout=30)


def _quietly(answers: Callable[[], bool]) -> bool:
    try:
        return answers()
    except OSError:
        return False


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """SeaweedFS with one bucket and one identity; yields its URL."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    folder = tmp_path_factory.mktemp("s3")
    identity = {
        "name": "test",
        "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    (folder / "identities.json").write_text(json.dumps({"identities": [identity]}))
    names = (
        "master.port",
        "master.port.grpc",
        "volume.port",
        "volume.port.grpc",
        "filer.port",
        "filer.port.grpc",
        "s3.port",
        "s3.port.grpc",
    )
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    program = shutil.which("weed", path=sysconfig.get_path("scripts"))
    assert program is not None
    command = [
        *(program, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"),
        *("-s3", f"-s3.config={folder}/identities.json", "-volume.max=4"),
        *(f"-{name}={port}" for name, port in ports.items()),
    ]
    url = f"http://127.0.0.1:{ports['s3.port']}"
    client = boto3.client(
        "s3", endpoint_url=url, aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name="eu-west-1"
    )

    def has_bucket() -> bool:
        try:
            client.create_bucket(Bucket=BUCKET)
            client.put_object(Bucket=BUCKET, Key="first", Body=b"")
        except client.exceptions.BucketAlreadyOwnedByYou:
            client.put_object(Bucket=BUCKET, Key="first", Body=b"")
        except (BotoCoreError, ClientError):
            return False
        return True

    with child(command, folder, has_bucket, signal.SIGKILL):  # it ends on nothing else
        yield url


@pytest.fixture(scope="session")
def amazon_shapes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that takes SageMaker's and CloudWatch's requests only in their own shapes; yields its URL."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    program = str(Path(sysconfig.get_path("scripts"), "moto_server"))
    command = [sys.executable, program, "--host", "127.0.0.1", "--port", str(port)]

    def answers() -> bool:
        with urllib.request.urlopen(f"{url}/moto-api/", timeout=5) as response:
            return bool(response.status == 200)

    with child(command, tmp_path_factory.mktemp("moto"), answers, signal.SIGTERM):
        yield url


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the AWS library find the key that the servers know, and nothing of the person who runs the tests."""
    for name in list(os.environ):
        if name.startswith("AWS_") and name != "AWS_CA_BUNDLE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
