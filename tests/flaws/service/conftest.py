"""The repaired service of the exam, to be broken in one place at a time."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from tests.flaws.record import judged

from sekisho.contract.loader import load_project
from sekisho.gate.report import Item
from sekisho.gate.runner import run_gate

SOURCE = Path(__file__).parents[2] / "exam" / "repaired"
Edits = Mapping[str, tuple[tuple[str, str], ...]]
"""By file: what is replaced by what; each must stand there exactly once."""
Judge = Callable[[str, Edits], Item]


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The project as it is, trained, with keys in the environment and a limit that slows no probe."""
    folder = tmp_path_factory.mktemp("flaws")
    project = folder / "sound"
    shutil.copytree(SOURCE, project, ignore=shutil.ignore_patterns("__pycache__", ".sekisho"))
    app = project / "app.py"
    app.write_text(app.read_text().replace("PER_SECOND = 300.0", "PER_SECOND = 30_000.0"))
    subprocess.run([sys.executable, "train.py"], cwd=project, check=True, timeout=120)
    lines = []
    with pytest.MonkeyPatch.context() as patch:
        for suffix, scopes in {"": "predict,metrics", "_2": "predict", "_OTHER": "metrics"}.items():
            key = secrets.token_urlsafe(32)
            lines.append(f"caller{suffix}:{scopes}:{hashlib.sha256(key.encode()).hexdigest()}")
            patch.setenv(f"SEKISHO_PROBE_KEY{suffix}", key)
        (folder / "keys").write_text("\n".join(lines))
        patch.setenv("LOAN_KEY_FILE", str(folder / "keys"))
        yield project


@pytest.fixture
def judge(sound: Path, tmp_path: Path) -> Judge:
    """Break a copy of the project and judge one box of it."""

    def broken(box: str, edits: Edits) -> Item:
        project = tmp_path / "project"
        shutil.copytree(sound, project)
        for name, changes in edits.items():
            file = project / name
            text = file.read_text()
            for old, new in changes:
                assert text.count(old) == 1, f"{name} holds {old!r} {text.count(old)} times"
                text = text.replace(old, new)
            file.write_text(text)
        (item,) = run_gate(load_project(project), ids=[box]).items
        return judged(item)

    return broken


SMALL = Path(__file__).parents[2] / "exam" / "services"
JudgeSmall = Callable[..., Item]


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of the small service, trained."""
    project = tmp_path_factory.mktemp("services") / "small"
    shutil.copytree(SMALL, project, ignore=shutil.ignore_patterns("__pycache__", ".sekisho"))
    subprocess.run([sys.executable, "train.py"], cwd=project, check=True, timeout=120)
    return project


@pytest.fixture
def judge_small(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> JudgeSmall:
    """Judge one box of the small service, with flaws, behind one kind of server."""
    known, plain = {}, {}
    for suffix, scopes in {"": "predict,metrics", "_2": "predict", "_OTHER": "metrics"}.items():
        key = f"Ab{secrets.token_urlsafe(24)}"
        known[hashlib.sha256(key.encode()).hexdigest()] = plain[key] = scopes
        monkeypatch.setenv(f"SEKISHO_PROBE_KEY{suffix}", key)
    monkeypatch.setenv("SERVICE_KEYS", json.dumps(known))
    monkeypatch.setenv("SERVICE_PLAIN_KEYS", json.dumps(plain))

    def broken(
        box: str, flaws: str = "", kind: str = "asgi", *, edits: Edits | None = None, limit: int = 0, **more: str
    ) -> Item:
        project = tmp_path / f"project-{len(list(tmp_path.iterdir()))}"
        shutil.copytree(small, project)
        changes = dict(edits or {})
        changes["sekisho.toml"] = (('"plain"', f'"{kind}"'), *changes.get("sekisho.toml", ()))
        for name, pairs in changes.items():
            file = project / name
            text = file.read_text() if file.exists() else ""
            for old, new in pairs:
                assert text.count(old) == 1 or not text, f"{name} holds {old!r} {text.count(old)} times"
                text = text.replace(old, new) if text else new
            file.write_text(text)
        for name, value in {"FLAWS": flaws, "SERVICE_LIMIT": str(limit), **more}.items():
            monkeypatch.setenv(name, value)
        (item,) = run_gate(load_project(project), ids=[box]).items
        return judged(item)

    return broken
