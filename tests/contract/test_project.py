"""A project, its folder, and the digest of what is required of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.contract.loader import load_project, read_contract
from sekisho.contract.project import contract_digest
from sekisho.contract.template import render_contract

if TYPE_CHECKING:
    from pathlib import Path


def test_layout_comments_and_defaults_do_not_change_the_digest() -> None:
    one = read_contract(b"[model]\nname='m'\n[serving]\nport=8000\nworkers=2", "f")
    other = read_contract(b'# c\nserving = {workers = 2}\n[model]\nname = "m" # d\n', "g")
    assert contract_digest(one) == contract_digest(other)
    for language in ("en", "ja"):
        written = render_contract({"model": {"name": "m"}, "serving": {"workers": 2}}, language)
        assert contract_digest(read_contract(written.encode(), "h")) == contract_digest(one)


def test_a_changed_threshold_changes_the_digest() -> None:
    digests = {
        contract_digest(read_contract(f"[model]\nname='m'\n[quality]\nthreshold={value}".encode(), "f"))
        for value in ("0.8", "0.80", "0.81")
    }
    assert len(digests) == 2
    assert all(len(digest) == 64 for digest in digests)


def test_paths_are_taken_from_the_folder_of_the_contract(tmp_path: Path) -> None:
    (tmp_path / "sekisho.toml").write_text("[model]\nname = 'm'\n")
    project = load_project(tmp_path)
    assert project.path(project.contract.model.artifact) == tmp_path / "artifact"
    assert project.state == tmp_path / ".sekisho"
    assert project.digest == contract_digest(project.contract)
