from __future__ import annotations

import json
from pathlib import Path

import pytest

from sekisho.probes.files.locks import read_requirements

SUM = "ab" * 32
HASH = f"--hash=sha256:{SUM}"


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
        ("numpy==2.0.0 --hash=md5:" + "ab" * 16, "bad hash"),
        ("numpy==2.0.0 --hash=sha1:" + "ab" * 20, "bad hash"),
        (f"{HASH[:-1]}", "option"),
        (f"numpy==2.0.0 {HASH[:-1]}", "bad hash"),
        (f"numpy==2.0.0 {HASH}0", "bad hash"),
        (f"numpy==2.0.0 {HASH} --hash=sha256:{'0' * 64}", "bad hash"),
        ("numpy==2.0.0 --hash=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "bad hash"),
        ("-c constraints.txt", "option"),
        ("--no-index", "option"),
        ("--trusted-host example.org", "option"),
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
        '[[package]]\nname = "numpy"\nversion = "2.0.0"\nfiles = [{file = "n.whl", hash = "sha256:SUM"}]\n'
        '[[package]]\nname = "own"\nversion = "1"\nfiles = []\n[package.source]\ntype = "git"\nurl = "x"\n'
    ),
    "pylock.toml": (
        'lock-version = "1.0"\n[[packages]]\nname = "numpy"\nversion = "2.0.0"\n'
        'wheels = [{url = "u", hashes = {sha256 = "SUM"}}]\n[[packages]]\nname = "own"\n[packages.vcs]\nurl = "x"\n'
    ),
    "Pipfile.lock": json.dumps(
        {"default": {"numpy": {"version": "==2.0.0", "hashes": ["sha256:SUM"]}, "own": {"git": "https://x"}}}
    ),
    "pdm.lock": (
        '[metadata]\ngroups = ["default"]\n[[package]]\nname = "numpy"\nversion = "2.0.0"\n'
        'files = [{file = "n.whl", hash = "sha256:SUM"}]\n[[package]]\nname = "own"\nversion = "1"\ngit = "https://x"\n'
    ),
    "uv.lock": (
        '[[package]]\nname = "numpy"\nversion = "2.0.0"\nsource = {registry = "https://pypi.org/simple"}\n'
        'wheels = [{url = "u", hash = "sha256:SUM"}]\n'
        '[[package]]\nname = "own"\nversion = "1"\nsource = {git = "https://x"}\n'
        '[[package]]\nname = "self"\nversion = "1"\nsource = {editable = "."}\n'
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_locks_of_other_tools(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(OTHERS[name].replace("SUM", SUM))
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
    (tmp_path / name).write_bytes(b"\xfe\x00 not a lock")
    (found,) = read_requirements(tmp_path / name)
    assert found.fault == "unreadable"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_marks_and_line_ends_of_other_systems(encoding: str, newline: str, tmp_path: Path) -> None:
    content = f"numpy==2.0.0 \\\n    {HASH}\nscipy==1.14.0 {HASH}\npandas\n".replace("\n", newline)
    (tmp_path / "requirements.txt").write_bytes(content.encode(encoding))
    found = read_requirements(tmp_path / "requirements.txt")
    assert [(each.name, each.fault, each.line) for each in found] == [
        ("numpy", None, 1),
        ("scipy", None, 3),
        ("pandas", "open", 4),
    ]


def test_two_versions_of_one_distribution(tmp_path: Path) -> None:
    lines = (
        f"NumPy==2.0.0 {HASH}\nnumpy==2.0.1 {HASH}\nnumpy==2.0.1 ; python_version < '3' {HASH}\nscipy==1.1 {HASH}\n" * 2
    )
    (tmp_path / "requirements.txt").write_text(lines)
    assert [each.line for each in read_requirements(tmp_path / "requirements.txt") if each.fault == "twice"] == [2, 6]


def test_what_is_for_another_platform_is_not_locked_here(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(
        f"numpy==2.0.0 ; sys_platform == 'win32' {HASH}\nscipy==1.1 ; python_version >= '3.8' {HASH}\n"
    )
    assert [each.applies for each in read_requirements(tmp_path / "requirements.txt")] == [False, True]


@pytest.mark.parametrize("name", ["uv.lock", "poetry.lock", "pylock.toml", "pylock.prod.toml", "Pipfile.lock"])
def test_a_lock_for_another_python(name: str, tmp_path: Path) -> None:
    content = {
        "uv.lock": 'requires-python = ">=3.99"\npackage = []\n',
        "poetry.lock": 'package = []\n[metadata]\npython-versions = ">=3.6,<3.8"\n',
        "pylock.toml": 'requires-python = "<3.9"\npackages = []\n',
        "pylock.prod.toml": 'requires-python = "<3.9"\npackages = []\n',
        "Pipfile.lock": '{"_meta": {"requires": {"python_version": "3.7"}}, "default": {}}',
    }
    (tmp_path / name).write_text(content[name])
    assert [each.fault for each in read_requirements(tmp_path / name)] == ["python"]


def test_what_conda_lock_fixes(tmp_path: Path) -> None:
    (tmp_path / "conda-lock.yml").write_text(
        f"package:\n- {{name: numpy, version: 2.0.0, platform: linux-64, hash: {{sha256: {SUM}}}}}\n"
        f"- {{name: scipy, version: 1.14.0, platform: linux-64, hash: {{md5: {'ab' * 16}}}}}\n"
        f"- {{name: numpy, version: 2.1.0, platform: win-64, hash: {{sha256: {SUM}}}}}\n"
    )
    found = read_requirements(tmp_path / "conda-lock.yml")
    assert [(each.name, each.fault) for each in found if each.name in {"numpy", "scipy"}] in (
        [("numpy", None), ("scipy", "bad hash")],
        [],  # on a machine of another kind
    )
