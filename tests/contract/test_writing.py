"""Writing a contract into a folder: whole or not at all, and never over another by accident."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sekisho.contract.loader import load_project
from sekisho.contract.writing import write_contract
from sekisho.errors import ContractError, WrongUse

if TYPE_CHECKING:
    from pathlib import Path

LEAST = {"model": {"name": "m"}}


def test_a_project_is_written_that_loads(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "project"
    path = write_contract(folder, LEAST, "ja")
    assert load_project(path).contract.model.name == "m"
    assert json.loads((folder / "sekisho.schema.json").read_text())["properties"]
    assert path.read_text().startswith("#:schema ./sekisho.schema.json\n")
    assert (folder / ".gitignore").read_text() == ".sekisho/\n"
    assert sorted(each.name for each in folder.iterdir()) == [".gitignore", "sekisho.schema.json", "sekisho.toml"]


@pytest.mark.parametrize("before", ["*.log\n", "*.log", "*.log\n.sekisho/\n"])
def test_an_ignore_file_that_is_there_is_kept(before: str, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text(before)
    write_contract(tmp_path, LEAST, "en")
    assert (tmp_path / ".gitignore").read_text() == "*.log\n.sekisho/\n"


def test_a_contract_that_is_there_is_kept_unless_told(tmp_path: Path) -> None:
    (tmp_path / "sekisho.toml").write_text("mine")
    with pytest.raises(WrongUse, match="--force"):
        write_contract(tmp_path, LEAST, "en")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("sekisho.toml", "mine")]
    write_contract(tmp_path, LEAST, "en", replace=True)
    assert load_project(tmp_path).contract.model.name == "m"


def test_nothing_is_written_for_values_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"model\.name"):
        write_contract(tmp_path / "p", {"model": {"name": "a b"}}, "en")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    with pytest.raises(WrongUse, match="not a folder"):
        write_contract(tmp_path / "f", LEAST, "en")
