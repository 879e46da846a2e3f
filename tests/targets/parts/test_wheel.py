"""The wheel of the running package is one that installers take, and always the same."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from io import BytesIO
from pathlib import Path

import sekisho
from sekisho.targets.parts.wheel import running_wheel


def test_is_the_same_every_time() -> None:
    first = running_wheel()
    running_wheel.cache_clear()
    assert running_wheel() == first


def test_holds_the_package_that_is_running_and_nothing_else() -> None:
    with zipfile.ZipFile(BytesIO(running_wheel().content)) as wheel:
        names = wheel.namelist()
        assert wheel.read("sekisho/errors.py") == (Path(sekisho.__file__).parent / "errors.py").read_bytes()
    assert "sekisho/py.typed" in names
    assert any(name.startswith("sekisho/targets/templates/") for name in names)
    assert {name.partition("/")[0] for name in names} == {"sekisho", f"sekisho-{sekisho.__version__}.dist-info"}
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc") or "/." in name]
    assert len(names) == len(set(names))


def test_is_installed_with_its_hash(tmp_path: Path) -> None:
    wheel = running_wheel()
    (tmp_path / wheel.name).write_bytes(wheel.content)
    lock = tmp_path / "sekisho.lock"
    lock.write_text(f"./{wheel.name} --hash=sha256:{wheel.digest}\n")
    venv.create(tmp_path / "venv", with_pip=False)
    python = str(tmp_path / "venv" / "bin" / "python")
    install = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        "--quiet",
        "--offline",
        "--no-deps",
        "--require-hashes",
        "--python",
        python,
    ]
    subprocess.run([*install, "--requirement", lock.name], cwd=tmp_path, check=True)
    told = subprocess.run(
        [python, "-c", "import sekisho, sys; print(sekisho.__version__, sekisho.__file__)"],
        capture_output=True,
        check=True,
        text=True,
    )
    assert told.stdout.startswith(f"{sekisho.__version__} {tmp_path}")
    assert (tmp_path / "venv" / "bin" / "sekisho").exists()
