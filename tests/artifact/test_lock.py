"""The lock: exact versions with hashes, and nothing else."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from typing import TYPE_CHECKING

import lightgbm
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sekisho.artifact import lock
from sekisho.artifact.lock import needed, normalised, read_lock, write_lock, write_lock_of_extras
from sekisho.errors import ArtifactError, IntegrityError, MissingExtra

if TYPE_CHECKING:
    from pathlib import Path

HASH = "    --hash=sha256:" + "a" * 64


def test_a_lock_is_read() -> None:
    text = f"# by uv\nNumPy==2.4.6 \\\n{HASH} \\\n{HASH}\nuvloop==0.23.0 ; sys_platform != 'win32' \\\n{HASH}\n"
    pins = read_lock(text.encode())
    assert [(pin.name, pin.version, pin.hashes) for pin in pins] == [("numpy", "2.4.6", 2), ("uvloop", "0.23.0", 1)]


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://example.com/simple",
        "-i https://example.com/simple",
        "--extra-index-url=https://example.com",
        "-e .",
        "-r other.txt",
        "git+https://example.com/x.git",
        "x @ https://example.com/x.whl",
        "./x.whl",
        "numpy",
        "numpy>=1.20",
        "numpy==2.*",
        "numpy==2.4.6",
        "numpy==2.4.6 --hash=md5:abc",
        HASH,
        "$(touch x)",
    ],
)
def test_hostile_requirements(line: str) -> None:
    for text in (line, f"click==8.0 \\\n{HASH}\n{line}\nidna==3 \\\n{HASH}"):
        if text == HASH or line != HASH:
            with pytest.raises(IntegrityError, match="line"):
                read_lock(text.encode())


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(IntegrityError):
        read_lock(b"\xff\xfe")


def test_what_is_needed() -> None:
    model = make_pipeline(LogisticRegression())
    lean = needed(model, native=False)
    assert {"numpy", "onnxruntime", "msgspec", "click"} <= set(lean)
    assert not {"pandas", "scikit-learn", "onnx", "skl2onnx", "sekisho"} & set(lean)
    assert {"pandas", "scikit-learn", "skops"} <= set(needed(model, native=True))
    boosted = make_pipeline(lightgbm.LGBMClassifier())
    assert "lightgbm" in needed(boosted, native=True)
    assert normalised("Foo._Bar") == "foo-bar"


def test_no_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock.shutil, "which", lambda *_, **__: None)  # type: ignore[attr-defined]
    with pytest.raises(MissingExtra, match="uv"):
        write_lock(LogisticRegression(), native=False)


def test_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path))
    with pytest.raises(ArtifactError, match="could not lock") as caught:
        write_lock(LogisticRegression(), native=False)
    assert "\n" not in str(caught.value)


def test_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("uv", 1)

    monkeypatch.setattr(lock.subprocess, "run", never)  # type: ignore[attr-defined]
    with pytest.raises(ArtifactError, match="could not lock"):
        write_lock(LogisticRegression(), native=False)


@pytest.mark.slow
def test_a_lock_of_extras_fits_the_other(tmp_path: Path) -> None:
    base = write_lock(LogisticRegression(), native=False)
    more = write_lock_of_extras(("jwt", "redis", "grpc"), base)
    names = {pin.name for pin in read_lock(more)}
    assert {"pyjwt", "cryptography", "redis", "grpcio"} <= names
    assert not names & {pin.name for pin in read_lock(base)}
    assert write_lock_of_extras((), base) == b""
    (tmp_path / "base").write_bytes(base)
    (tmp_path / "more").write_bytes(more)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    pip = [str(tmp_path / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    locks = ["-r", str(tmp_path / "base"), "-r", str(tmp_path / "more")]
    subprocess.run([*pip, "--dry-run", "--require-hashes", "--only-binary", ":all:", *locks], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("native", [False, True])
def test_the_lock_holds_what_is_installed_and_pip_accepts_it(native: bool, tmp_path: Path) -> None:
    data = write_lock(LogisticRegression(), native=native)
    pins = {pin.name: pin.version for pin in read_lock(data)}
    assert all(importlib.metadata.version(name) == version for name, version in pins.items())
    assert ("scikit-learn" in pins) is native
    assert b"http" not in data.replace(b"httptools", b"")
    (tmp_path / "requirements.lock").write_bytes(data)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    pip = [str(tmp_path / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--dry-run", "--require-hashes", "-r", str(tmp_path / "requirements.lock")], check=True)
