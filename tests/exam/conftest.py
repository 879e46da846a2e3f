"""The two projects of the exam, copied, trained and with keys, each made once."""

from __future__ import annotations

import hashlib
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sekisho import Registry
from sekisho.contract.loader import load_project
from sekisho.contract.project import Project

HERE = Path(__file__).parent


def trained(name: str, folder: Path) -> Path:
    """Copy one project of the exam and run its training script."""
    project = folder / name
    shutil.copytree(HERE / name, project, ignore=shutil.ignore_patterns("__pycache__", ".sekisho"))
    subprocess.run([sys.executable, "train.py"], cwd=project, check=True, timeout=120)
    return project


@pytest.fixture(scope="session")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The service as many tutorials have it."""
    return load_project(trained("tutorial", tmp_path_factory.mktemp("exam")))


@pytest.fixture(scope="session")
def repaired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Its repaired twin, with keys for the checkpoint in the environment."""
    folder = tmp_path_factory.mktemp("exam")
    project = trained("repaired", folder)
    registry = Registry(project / "registry")
    registry.promote(f"loan-approval@{registry.push(project / 'model').version.version}")
    key_file = folder / "loan_keys"
    rights = {"": "predict,metrics", "_2": "predict", "_OTHER": "metrics"}
    lines = []
    with pytest.MonkeyPatch.context() as patch:
        for suffix, scopes in rights.items():
            key = secrets.token_urlsafe(32)
            lines.append(f"caller{suffix}:{scopes}:{hashlib.sha256(key.encode()).hexdigest()}")
            patch.setenv(f"SEKISHO_PROBE_KEY{suffix}", key)
        key_file.write_text("\n".join(lines))
        patch.setenv("LOAN_KEY_FILE", str(key_file))
        yield load_project(project)
