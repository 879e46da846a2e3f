from __future__ import annotations

import json
from pathlib import Path

import pytest

from sekisho.probes.files.locks import read_requirements

HASH = "--hash=sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (f"numpy==2.0.0 {HASH}", None),
        (f"numpy[extra]==2.0.0 ; python_version >= '3.11' {HASH}", None),
        (f"numpy==2.0.0 \\\n    {HASH} \\\n    {HASH}", None),
        (f"numpy==2.0.0  {HASH}  # why", None),
        ("numpy==2.0.0", "no hash"),
        ("numpy", "open"),
        ("numpy>=1.20", "open"),
        ("numpy~=1.20", "open"),
        ("numpy==2.*", "open"),
        (f"numpy>=1.20 {HASH}", "open"),
        ("numpy>=1,<2", "open"),
        ("--index-url https://example.org/simple", "option"),
        ("--extra-index-url=https://example.org/simple", "option"),
        ("-f ./wheels", "option"),
        ("-e .", "editable"),
        ("--editable=./package", "editable"),
        ("git+https://example.org/package.git", "address"),
        ("package @ git+https://example.org/package.git@v1", "address"),
        ("package @ https://example.org/package.whl", "address"),
        ("./package.whl", "address"),
    ],
)
def test_one_line(line: str, fault: str | None, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(f"# a comment\n\n{line}\n")
    (found,) = read_requirements(tmp_path / "requirements.txt")
    assert found.fault == fault
    assert found.line == 3
    if fault is None:
        assert (found.name, found.version) == ("numpy", "2.0.0")


def test_harmless_options_and_comments_are_no_requirements(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("--require-hashes\n--only-binary :all:\n  # nothing\n")
    assert read_requirements(tmp_path / "requirements.txt") == []


def test_included_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "base.txt").write_text("scipy\n")
    (tmp_path / "requirements.txt").write_text(f"-r base.txt\nNumPy==2.0.0 {HASH}\n")
    assert [(each.name, each.fault) for each in read_requirements(tmp_path / "requirements.txt")] == [
        ("scipy", "open"),
        ("numpy", None),
    ]
    (tmp_path / "loop.txt").write_text("-r loop.txt\n")
    assert [each.fault for each in read_requirements(tmp_path / "loop.txt")] == ["option"]


def test_our_own_lock_is_fixed() -> None:
    found = read_requirements(Path(__file__).parents[3] / "uv.lock")
    assert len(found) > 50
    assert {each.fault for each in found} == {None}
    assert "sekisho" not in {each.name for each in found}


OTHERS = {
    "poetry.lock": (
        '[[package]]\nname = "numpy"\nversion = "2.0.0"\nfiles = [{file = "n.whl", hash = "sha256:ab"}]\n'
        '[[package]]\nname = "own"\nversion = "1"\nfiles = []\n[package.source]\ntype = "git"\nurl = "x"\n'
    ),
    "pylock.toml": (
        'lock-version = "1.0"\n[[packages]]\nname = "numpy"\nversion = "2.0.0"\n'
        'wheels = [{url = "u", hashes = {sha256 = "ab"}}]\n[[packages]]\nname = "own"\n[packages.vcs]\nurl = "x"\n'
    ),
    "Pipfile.lock": json.dumps(
        {"default": {"numpy": {"version": "==2.0.0", "hashes": ["sha256:ab"]}, "own": {"git": "https://x"}}}
    ),
    "uv.lock": (
        '[[package]]\nname = "numpy"\nversion = "2.0.0"\nsource = {registry = "https://pypi.org/simple"}\n'
        'wheels = [{url = "u", hash = "sha256:ab"}]\n'
        '[[package]]\nname = "own"\nversion = "1"\nsource = {git = "https://x"}\n'
        '[[package]]\nname = "self"\nversion = "1"\nsource = {editable = "."}\n'
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_locks_of_other_tools(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(OTHERS[name])
    numpy, own = read_requirements(tmp_path / name)
    assert (numpy.name, numpy.version, numpy.fault) == ("numpy", "2.0.0", None)
    assert (own.name, own.fault) == ("own", "address")


def test_conda_fixes_no_bytes(tmp_path: Path) -> None:
    (tmp_path / "environment.yml").write_text("dependencies:\n- python=3.11\n- numpy\n- pip:\n  - scipy==1.14\n")
    assert [(each.name, each.fault) for each in read_requirements(tmp_path / "environment.yml")] == [
        ("python", "no hash"),
        ("numpy", "open"),
        ("scipy", "no hash"),
    ]


@pytest.mark.parametrize("name", ["uv.lock", "Pipfile.lock", "environment.yml", "requirements.txt"])
def test_what_cannot_be_read_is_a_fault(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\xff\xfe\x00 not a lock")
    (found,) = read_requirements(tmp_path / name)
    assert found.fault == "unreadable"
