"""Writing is all or nothing, and never over somebody's edits."""

from __future__ import annotations

import os
import resource
import stat
from pathlib import Path

import pytest

from sekisho.errors import WrongUse
from sekisho.targets.interface import GeneratedFile
from sekisho.targets.parts.files import RECORD_NAME, output_folder, write_files

A = GeneratedFile(path="a.txt", content=b"a")
B = GeneratedFile(path="below/b.sh", content=b"b", mode=0o755)


def listing(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_writes_files_with_their_permissions(tmp_path: Path) -> None:
    outcome = write_files(tmp_path / "out", "docker", "d1", [A, B], force=False)
    assert outcome.created == ("a.txt", "below/b.sh")
    assert listing(tmp_path / "out") == {"a.txt", "below/b.sh", RECORD_NAME}
    assert stat.S_IMODE((tmp_path / "out/below/b.sh").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "out/a.txt").stat().st_mode) == 0o644


def test_a_large_file_is_copied_from_its_source(tmp_path: Path) -> None:
    source = tmp_path / "model"
    source.write_bytes(os.urandom(3_000_000))
    write_files(tmp_path / "out", "docker", "d1", [GeneratedFile(path="m", content=source)], force=False)
    assert (tmp_path / "out/m").read_bytes() == source.read_bytes()


def test_writes_again_what_it_wrote_itself(tmp_path: Path) -> None:
    write_files(tmp_path, "docker", "d1", [A, B], force=False)
    newer = GeneratedFile(path="a.txt", content=b"newer")
    outcome = write_files(tmp_path, "docker", "d2", [newer, B], force=False)
    assert (outcome.updated, outcome.unchanged) == (("a.txt",), ("below/b.sh",))
    assert (tmp_path / "a.txt").read_bytes() == b"newer"


@pytest.mark.parametrize("recorded", [True, False])
def test_never_writes_over_edits_unless_told_to(tmp_path: Path, recorded: bool) -> None:
    if recorded:
        write_files(tmp_path, "docker", "d1", [A, B], force=False)
    (tmp_path / "a.txt").write_text("mine")
    with pytest.raises(WrongUse, match=r"a\.txt.*--force"):
        write_files(
            tmp_path,
            "docker",
            "d2",
            [GeneratedFile(path="new", content=b"n"), GeneratedFile(path="a.txt", content=b"x")],
            force=False,
        )
    assert (tmp_path / "a.txt").read_text() == "mine"
    assert not (tmp_path / "new").exists()
    write_files(tmp_path, "docker", "d2", [GeneratedFile(path="a.txt", content=b"x")], force=True)
    assert (tmp_path / "a.txt").read_bytes() == b"x"


def test_two_kinds_share_a_file(tmp_path: Path) -> None:
    write_files(tmp_path, "compose", "d1", [A, B], force=False)
    write_files(tmp_path, "docker", "d2", [GeneratedFile(path="a.txt", content=b"2")], force=False)
    write_files(tmp_path, "compose", "d3", [GeneratedFile(path="a.txt", content=b"3"), B], force=False)
    assert (tmp_path / "a.txt").read_bytes() == b"3"


def test_removes_what_is_no_longer_wanted_but_no_edits(tmp_path: Path) -> None:
    old, edited = GeneratedFile(path="old", content=b"o"), GeneratedFile(path="edited", content=b"e")
    write_files(tmp_path, "docker", "d1", [A, old, edited], force=False)
    write_files(tmp_path, "alerts", "d1", [A], force=False)
    (tmp_path / "edited").write_text("mine")
    outcome = write_files(tmp_path, "docker", "d2", [B], force=False)
    assert outcome.removed == ("old",)
    assert listing(tmp_path) == {"a.txt", "edited", "below/b.sh", RECORD_NAME}


def test_a_failure_leaves_everything_as_it_was(tmp_path: Path) -> None:
    write_files(tmp_path, "docker", "d1", [A], force=False)
    before = {path: (tmp_path / path).read_bytes() for path in listing(tmp_path)}
    missing = GeneratedFile(path="z", content=tmp_path / "below")
    (tmp_path / "below").mkdir()
    with pytest.raises(OSError):  # noqa: PT011 - whatever the system says
        write_files(tmp_path, "docker", "d2", [GeneratedFile(path="a.txt", content=b"newer"), missing], force=False)
    assert {path: (tmp_path / path).read_bytes() for path in listing(tmp_path)} == before


def test_no_room_leaves_everything_as_it_was(tmp_path: Path) -> None:
    write_files(tmp_path, "docker", "d1", [A], force=False)
    before = {path: (tmp_path / path).read_bytes() for path in listing(tmp_path)}
    large = GeneratedFile(path="large", content=b"x" * 10_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))
    try:
        with pytest.raises(OSError):  # noqa: PT011 - whatever the system says
            write_files(tmp_path, "docker", "d2", [GeneratedFile(path="a.txt", content=b"newer"), large], force=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path: (tmp_path / path).read_bytes() for path in listing(tmp_path)} == before


def test_links_do_not_lead_out(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out/below").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(WrongUse, match="link"):
        write_files(tmp_path / "out", "docker", "d1", [B], force=True)
    assert not listing(tmp_path / "elsewhere")


def test_a_linked_file_is_replaced_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.txt").symlink_to(victim)
    write_files(tmp_path / "out", "docker", "d1", [A], force=True)
    assert victim.read_text() == "precious"
    assert not (tmp_path / "out/a.txt").is_symlink()


def test_a_broken_record_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / RECORD_NAME).write_text("{")
    with pytest.raises(WrongUse, match="record"):
        write_files(tmp_path, "docker", "d1", [A], force=False)


@pytest.mark.parametrize("asked", ["..", "../..", "/", "inside/../../out", "linked/below"])
def test_the_output_stays_inside_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "linked").symlink_to(tmp_path)
    monkeypatch.chdir(project)
    with pytest.raises(WrongUse, match="outside"):
        output_folder(project, Path(asked), "deploy")


@pytest.mark.parametrize(
    "asked", [None, Path("a b"), Path("line\nbreak"), Path("~"), Path("%s"), Path(".hidden"), Path("-dash")]
)
def test_any_name_inside_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: Path | None) -> None:
    monkeypatch.chdir(tmp_path)
    folder = output_folder(tmp_path, asked, "deploy")
    write_files(folder, "docker", "d1", [A], force=False)
    assert (tmp_path / (asked or "deploy") / "a.txt").read_bytes() == b"a"


def test_a_file_in_the_way_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deploy").write_text("")
    with pytest.raises(WrongUse, match="in the way"):
        output_folder(tmp_path, None, "deploy")
