"""``sekisho init``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from sekisho.cli.main import run
from sekisho.contract.loader import load_project
from sekisho.text import set_language

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def language_is_restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SEKISHO_LANG", "en")
    yield
    set_language(None)


@pytest.mark.parametrize(("language", "words"), [("en", "What production requires"), ("ja", "本番環境が求めること")])
def test_a_project_in_the_language_asked_for(
    language: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "credit risk"
    assert run(["init", str(folder), "--lang", language]) == 0
    assert words in (folder / "sekisho.toml").read_text()
    assert load_project(folder).contract.model.name == "credit-risk"
    shown = capsys.readouterr().out
    assert shown.splitlines()[0] == str(folder / "sekisho.toml")
    assert f"sekisho check -C '{folder}'" in shown


def test_here_is_where_it_goes_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init", "--name", "m"]) == 0
    assert load_project(tmp_path).contract.model.name == "m"


@pytest.mark.parametrize("name", ["-x", "~", "%41", "a\nb", " ", "契約", "..."])
def test_strange_folder_names(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init", "--", name]) == 0
    assert [each.name for each in tmp_path.iterdir()] == [name]
    assert load_project(tmp_path / name).contract.model.name
    assert capsys.readouterr().err == ""


def test_a_contract_that_is_there_is_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", str(tmp_path)]) == 0
    before = (tmp_path / "sekisho.toml").read_text()
    assert run(["init", str(tmp_path), "--name", "other"]) == 2
    assert (tmp_path / "sekisho.toml").read_text() == before
    assert capsys.readouterr().err.count("\n") == 1
    assert run(["init", str(tmp_path), "--name", "other", "--force"]) == 0
    assert load_project(tmp_path).contract.model.name == "other"


def test_a_name_that_cannot_be_is_wrong_use_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", str(tmp_path / "p"), "--name", "a b"]) == 2
    assert list(tmp_path.iterdir()) == []
    assert "model.name: expected at most 100 letters" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_may_not_be_written_could_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tmp_path.chmod(0o500)
    assert run(["init", str(tmp_path)]) == 3
    assert "permission denied" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_could_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "/proc/sekisho"]) == 3
    assert capsys.readouterr().err.count("\n") == 1
