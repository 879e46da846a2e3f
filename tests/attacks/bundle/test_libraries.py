"""Hostile requirements, and libraries that are not those that saved the model."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.attacks.bundle.hostile import edited, forge, one_line

from sekisho.artifact import lock as locks
from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.inspection import inspect
from sekisho.artifact.manifest import read_manifest
from sekisho.artifact.signing import sign_folder
from sekisho.cli.main import run
from sekisho.errors import ArtifactError, IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterator

GOOD = "numpy==2.4.6 \\\n    --hash=sha256:" + "0" * 64 + "\n"
REQUIREMENTS = {
    "an index": "--index-url https://example.com/simple\n" + GOOD,
    "another index": "--extra-index-url=https://example.com/simple\n" + GOOD,
    "an index after a version": "numpy==2.4.6 --index-url https://example.com --hash=sha256:" + "0" * 64 + "\n",
    "links": "-f https://example.com\n" + GOOD,
    "a trusted host": "--trusted-host example.com\n" + GOOD,
    "git": "git+https://example.com/x.git#egg=numpy\n",
    "an address": "https://example.com/numpy.whl --hash=sha256:" + "0" * 64 + "\n",
    "a name at an address": "numpy @ https://example.com/numpy.whl\n",
    "a path": "./numpy.whl\n",
    "editable": "-e .\n",
    "another file": "-r other.txt\n",
    "a constraint file": "-c other.txt\n",
    "unpinned": "numpy\n",
    "an open range": "numpy>=2 \\\n    --hash=sha256:" + "0" * 64 + "\n",
    "a wildcard": "numpy==2.* \\\n    --hash=sha256:" + "0" * 64 + "\n",
    "arbitrary equality": "numpy===2.4.6 \\\n    --hash=sha256:" + "0" * 64 + "\n",
    "hash-less": "numpy==2.4.6\n",
    "a weak hash": "numpy==2.4.6 \\\n    --hash=md5:" + "0" * 32 + "\n",
    "a short hash": "numpy==2.4.6 \\\n    --hash=sha256:" + "0" * 63 + "\n",
    "a hash of letters": "numpy==2.4.6 \\\n    --hash=sha256:" + "g" * 64 + "\n",
    "the last without a hash": GOOD + "scipy==1.0\n",
    "a hash before any name": "    --hash=sha256:" + "0" * 64 + "\n" + GOOD,
    "an environment variable": "numpy==${VERSION} \\\n    --hash=sha256:" + "0" * 64 + "\n",
    "a command": "numpy==2.4.6; os_name == '$(id)' # \\\n--pre\n" + GOOD,
    "options": "--pre\n" + GOOD,
    "no binary": "--no-binary :all:\n" + GOOD,
    "a setting": "numpy==2.4.6 --config-settings=x=y --hash=sha256:" + "0" * 64 + "\n",
    "a carriage return": GOOD + "# x\r--index-url https://example.com\n",
    "a form feed": GOOD + "# x\f--index-url https://example.com\n",
    "a line separator": GOOD + "# x\u2028--index-url https://example.com\n",
    "not text": "\xff\xfe".encode("latin-1").decode("latin-1"),
}


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_a26_a_hostile_lock_is_refused(name: str, artifact: Path) -> None:
    forge(artifact, requirements__lock=REQUIREMENTS[name].encode("utf-8" if name != "not text" else "latin-1"))
    with pytest.raises(IntegrityError) as caught:
        ModelArtifact.load(artifact)
    assert "requirements.lock" in one_line(caught.value)


def test_a26_a_good_lock_is_none(artifact: Path) -> None:
    forge(artifact, requirements__lock=GOOD.encode())
    ModelArtifact.load(artifact)
    assert locks.read_hashes(GOOD.encode())[0][1] == ("0" * 64,)


def test_a26_a_lock_of_many_lines_is_bounded(artifact: Path) -> None:
    forge(artifact, requirements__lock=b"# comment\n" * 2_000_000)
    with pytest.raises(IntegrityError, match="bytes"):
        ModelArtifact.load(artifact)


@pytest.fixture
def native(artifact: Path) -> Path:
    """An artifact that its own library answers, not ONNX Runtime."""
    (artifact / "model.onnx").unlink()
    manifest = json.loads((artifact / "manifest.json").read_bytes())
    parity = edited(
        artifact, "parity.json", lambda plain: plain.update(runtime="skops", proven=False, attempts=[], reason=None)
    )
    changed = read_manifest((artifact / "manifest.json").read_bytes(), where="")
    (artifact / "manifest.json").write_bytes(msgspec.structs.replace(changed, runtime="skops").sealed().encoded())
    assert manifest["runtime"] == "onnx"
    forge(artifact, parity__json=parity)
    ModelArtifact.load(artifact).verify()
    return artifact


def saved_with(folder: Path, version: str | None) -> None:
    def change(plain: dict[str, Any]) -> None:
        del plain["libraries"]["scikit-learn"]
        if version is not None:
            plain["libraries"]["scikit-learn"] = version

    forge(folder, metadata__json=edited(folder, "metadata.json", change))


@pytest.mark.parametrize("version", ["0.1.0", "1.5.2", "9.9", "", "1", None, "<b>"])
def test_a27_other_libraries_are_refused(version: str | None, native: Path) -> None:
    saved_with(native, version)
    with pytest.raises(ArtifactError) as caught:
        ModelArtifact.load(native).runtime()
    assert "scikit-learn" in one_line(caught.value)


def test_a27_a_warning_is_never_silent(native: Path, caplog: pytest.LogCaptureFixture) -> None:
    saved_with(native, "1.5.2")
    loaded = ModelArtifact.load(native, library_mismatch="warn")
    with caplog.at_level(logging.WARNING, logger="sekisho.artifact"):
        loaded.verify()
    assert "scikit-learn 1.5.2" in caplog.text
    assert inspect(native).library_mismatches[0].saved == "1.5.2"


def test_a27_inspect_says_so(native: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved_with(native, "1.5.2")
    assert run(["inspect", str(native)]) == 0
    assert "scikit-learn 1.5.2" in capsys.readouterr().out


def test_a27_a_graph_asks_for_no_library(artifact: Path) -> None:
    saved_with(artifact, "0.1.0")
    ModelArtifact.load(artifact).verify()
    assert ModelArtifact.load(artifact).library_mismatches() == ()


@contextlib.contextmanager
def serving(*words: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "sekisho", "serve", *words, "--port", "0", "--no-watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        ends = threading.Timer(60, service.kill)
        ends.start()
        try:
            yield service
        finally:
            service.terminate()
            service.communicate(timeout=30)
            ends.cancel()


def refused_service(*words: str) -> str:
    command = [sys.executable, "-m", "sekisho", "serve", *words, "--port", "0", "--no-watch"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    return done.stderr


@pytest.mark.slow
def test_a27_the_service_refuses_or_says_so(native: Path) -> None:
    saved_with(native, "1.5.2")
    assert "scikit-learn 1.5.2" in refused_service(str(native))
    with serving(str(native), "--library-mismatch", "warn") as service:
        said = wait_for(service, "library mismatch")
        assert said["saved"] == "1.5.2"
        wait_for(service, "ready")


def test_a21_the_service_wants_the_signature(artifact: Path, key: Path) -> None:
    words = (str(artifact), "--require-signature", "--trusted-key", f"{key}.pub")
    assert "not signed" in refused_service(*words)
    signer = sign_folder(artifact, key)
    with serving(*words) as service:
        ready = wait_for(service, "ready")
        assert ready["signed_by"] == [signer]
        with urllib.request.urlopen(f"{ready['url']}/health/ready", timeout=10) as answer:
            assert answer.status == 200
        swap_and_kill(artifact, service)
        assert "another artifact" in wait_for(service, "worker cannot serve")["why"]


def swap_and_kill(artifact: Path, service: subprocess.Popen[str]) -> None:
    """Put another artifact in the place of the one that was verified, and kill the worker: the next one must not take it."""
    other = shutil.copytree(artifact, artifact.with_name("other"))
    forge(other, golden__json=(other / "golden.json").read_bytes() + b" ")
    (other / "manifest.dsse.json").unlink()
    shutil.rmtree(artifact)
    other.rename(artifact)
    workers = []
    for path in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            words = path.with_name("cmdline").read_text()
            if f"PPid:\t{service.pid}\n" in path.read_text() and "sekisho.serving.worker" in words:
                workers.append(int(path.parent.name))
    assert workers
    os.kill(workers[0], signal.SIGKILL)


def wait_for(service: subprocess.Popen[str], event: str) -> dict[str, Any]:
    """Return the next line of the log about ``event``."""
    assert service.stdout is not None
    for line in service.stdout:
        said: dict[str, Any] = json.loads(line)
        if said["event"] == event:
            return said
    raise AssertionError(f"the service ended before it said: {event}")
