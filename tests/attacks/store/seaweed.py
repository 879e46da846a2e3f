"""SeaweedFS, a real S3 server, with one bucket and two identities: one that may do all, one that may read."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KEY, READ_KEY, SECRET = "test-key-id", "test-reader-id", "test-secret-key"
BUCKET = "registries"
START_SECONDS = 90
NAMES = ("master.port", "volume.port", "filer.port", "s3.port")


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run the server until the block is left, and yield its URL."""
    program = shutil.which("weed", path=sysconfig.get_path("scripts"))
    assert program is not None
    identities = [
        _identity("all", KEY, ["Admin", "Read", "Write", "List"]),
        _identity("reader", READ_KEY, ["Read", "List"]),
    ]
    (folder / "identities.json").write_text(json.dumps({"identities": identities}))
    names = [name for base in NAMES for name in (base, f"{base}.grpc")]
    ports = dict(zip(names, _free_ports(len(names)), strict=True))
    command = [
        *(program, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"),
        *("-s3", f"-s3.config={folder}/identities.json", "-volume.max=4"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0"),  # else two servers meet there
        *(f"-{name}={port}" for name, port in ports.items()),
    ]
    url = f"http://127.0.0.1:{ports['s3.port']}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        ends = time.monotonic() + START_SECONDS
        while not _has_bucket(url):
            assert process.poll() is None, (folder / "log").read_text()[-2000:]
            assert time.monotonic() < ends, (folder / "log").read_text()[-2000:]
            time.sleep(0.2)
        yield url
    finally:
        process.send_signal(signal.SIGKILL)  # it ends on nothing else
        process.wait(timeout=30)


def _identity(name: str, key: str, actions: list[str]) -> dict[str, object]:
    return {"name": name, "credentials": [{"accessKey": key, "secretKey": SECRET}], "actions": actions}


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _has_bucket(url: str) -> bool:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    client = boto3.client(
        "s3", endpoint_url=url, aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name="eu-west-1"
    )
    try:
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="first", Body=b"")
    except client.exceptions.BucketAlreadyOwnedByYou:
        client.put_object(Bucket=BUCKET, Key="first", Body=b"")
    except (BotoCoreError, ClientError):
        return False
    return True
