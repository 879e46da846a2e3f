"""A file is written whole or not at all."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sekisho.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path


def test_text_is_utf8_and_keeps_its_line_endings(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "関所.toml"
    write_atomically(path, "関所\r\n")
    assert path.read_bytes() == "関所\r\n".encode()
    write_atomically(path, b"\x00")
    assert path.read_bytes() == b"\x00"
    assert list(path.parent.iterdir()) == [path]


def test_permissions_follow_the_mode_and_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "open", "x")
        write_atomically(tmp_path / "secret", "x", mode=0o600)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "open").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_atomically(path, "x" * 2_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        write_atomically(tmp_path / "f", "x")
    assert [each.name for each in tmp_path.iterdir()] == ["f"]


def test_an_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    script = (
        "import os, sys, pathlib\n"
        "from sekisho import files\n"
        "def interrupted(number): raise KeyboardInterrupt\n"
        "os.fsync = interrupted\n"
        "files.write_atomically(pathlib.Path(sys.argv[1]) / 'f', 'x')\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, check=False)
    assert ended.returncode != 0
    assert b"KeyboardInterrupt" in ended.stderr
    assert list(tmp_path.iterdir()) == []
