"""The project that the demo lays: normal, loadable, and never laid over somebody's files."""

from __future__ import annotations

import itertools
import stat
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from sekisho.contract.loader import load_project
from sekisho.errors import WrongUse
from sekisho.examples.employment import FEATURES, TARGET, layout
from sekisho.text import LANGUAGES, Language


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_contract_of_the_demo_has_no_fault(tmp_path: Path, language: Language) -> None:
    layout.lay(tmp_path / "demo", language)
    project = load_project(tmp_path / "demo")
    assert project.contract.model.name == "employment"
    for table in (project.contract.data.training, project.contract.data.test, project.contract.data.production):
        assert table is not None
        assert project.path(table).is_file()


def test_the_tables_share_no_person_and_follow_one_another_in_time(tmp_path: Path) -> None:
    layout.lay(tmp_path / "demo", "en")
    tables = [pd.read_csv(tmp_path / "demo" / "data" / f"{name}.csv") for name in layout.YEARS]
    assert sum(len(table) for table in tables) == 24_000
    assert pd.concat(tables)["id"].is_unique
    assert all(before["year"].max() < after["year"].min() for before, after in itertools.pairwise(tables))
    assert all(set(FEATURES) | {TARGET} <= set(table.columns) for table in tables)


def test_keys_are_for_their_owner_alone_and_the_service_keeps_only_a_hash(tmp_path: Path) -> None:
    layout.lay(tmp_path / "demo", "en")
    secret = (tmp_path / "demo" / layout.SECRET).read_text().strip()
    kept = tmp_path / "demo" / layout.KEYS
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert len(secret) >= 32
    assert secret not in kept.read_text()
    assert "secrets/" in (tmp_path / "demo" / ".gitignore").read_text().splitlines()


def test_a_second_demo_replaces_the_first(tmp_path: Path) -> None:
    layout.lay(tmp_path / "demo", "en")
    (tmp_path / "demo" / "train.py").write_text("broken")
    layout.lay(tmp_path / "demo", "ja")
    assert "sekisho.pack" in (tmp_path / "demo" / "train.py").read_text(encoding="utf-8")


def test_a_second_demo_begins_with_an_empty_registry(tmp_path: Path) -> None:
    layout.lay(tmp_path / "demo", "en")
    published = tmp_path / "demo" / layout.REGISTRY / "history" / "employment" / "0000000001.json"
    published.parent.mkdir(parents=True)
    published.write_text("{}")
    layout.lay(tmp_path / "demo", "en")
    assert not published.exists()


def test_somebody_elses_folder_or_file_is_left_alone(tmp_path: Path) -> None:
    folder, file = tmp_path / "folder", tmp_path / "file"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    file.write_text("mine")
    for taken in (folder, file):
        with pytest.raises(WrongUse):
            layout.lay(taken, "en")
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]
    assert file.read_text() == "mine"


def test_the_project_is_committed_without_its_secrets(tmp_path: Path) -> None:
    for _ in range(2):
        layout.lay(tmp_path / "demo", "en")
        status = subprocess.run(
            ["git", "status", "--porcelain"], cwd=tmp_path / "demo", capture_output=True, text=True, check=True
        )
        assert status.stdout == ""
    tracked = subprocess.run(["git", "ls-files"], cwd=tmp_path / "demo", capture_output=True, text=True, check=True)
    assert "train.py" in tracked.stdout
    assert "secrets" not in tracked.stdout
