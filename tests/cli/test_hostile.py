"""Wrong input to every command: one clear line, the right exit code, and nothing left behind."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from sekisho.cli.main import VERBS, run
from sekisho.text import set_language

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMANDS = {
    "batch artifact": ["batch", "PATH", "table.csv", "answers.csv"],
    "batch input": ["batch", "artifact", "PATH", "answers.csv"],
    "check": ["check", "-C", "PATH"],
    "check service": ["check", "--service", "PATH"],
    "check box": ["check", "--", "PATH"],
    "deploy": ["deploy", "sagemaker", "-C", "PATH", "--bucket", "b", "--role", "r", "--image", "i", "--dry-run"],
    "demo": ["demo", "PATH"],
    "drill": ["drill", "corrupt", "-C", "PATH"],
    "drift reference": ["drift", "PATH", "table.csv"],
    "drift current": ["drift", "table.csv", "PATH"],
    "explain": ["explain", "--", "PATH"],
    "generate": ["generate", "docker", "-C", "PATH"],
    "init": ["init", "PATH"],
    "inspect": ["inspect", "PATH"],
    "load": ["load", "http://127.0.0.1:9/x", "--seconds", "0.1", "--body", "PATH"],
    "keys new": ["keys", "new", "--passphrase-file", "PATH", "--", "new.key"],
    "keys show": ["keys", "show", "--", "PATH"],
    "pack model": ["pack", "PATH", "--reference", "table.csv", "--target", "y", "--out", "out", "--no-lock"],
    "pack reference": ["pack", "model.onnx", "--reference", "PATH", "--target", "y", "--out", "out", "--no-lock"],
    "registry push": ["registry", "push", "--", "PATH"],
    "registry push project": ["registry", "push", "-C", "PATH"],
    "registry list": ["registry", "list", "--registry", "PATH"],
    "registry fetch": ["registry", "fetch", "--", "PATH"],
    "registry fetch to": ["registry", "fetch", "loan@1.0.0", "--to", "PATH"],
    "registry promote": ["registry", "promote", "--", "PATH"],
    "registry rollback": ["registry", "rollback", "--", "PATH"],
    "registry history": ["registry", "history", "--", "PATH"],
    "registry verify": ["registry", "verify", "--registry", "PATH"],
    "registry gc": ["registry", "gc", "--registry", "PATH"],
    "serve artifact": ["serve", "--port", "0", "--", "PATH"],
    "serve project": ["serve", "--port", "0", "-C", "PATH"],
    "serve keys": ["serve", "artifact", "--port", "0", "--key-file", "PATH"],
    "sign artifact": ["sign", "--key", "missing.key", "--", "PATH"],
    "sign key": ["sign", "artifact", "--key", "PATH"],
    "verify artifact": ["verify", "--", "PATH"],
    "verify key": ["verify", "artifact", "--key", "PATH"],
    "verify project": ["verify", "artifact", "-C", "PATH"],
    "ledger stats": ["ledger", "stats", "--ledger", "PATH"],
    "ledger stats project": ["ledger", "stats", "-C", "PATH"],
    "ledger export": ["ledger", "export", "--ledger", "PATH"],
    "ledger verify": ["ledger", "verify", "--ledger", "PATH"],
    "ledger retain": ["ledger", "retain", "--days", "1", "--ledger", "PATH"],
    "ledger erase": ["ledger", "erase", "--request", "x", "--ledger", "PATH"],
    "ledger erase keys": ["ledger", "erase", "--subject", "x", "--ledger", "book.sqlite", "--key-file", "PATH"],
    "watch artifact": ["watch", "--once", "--artifact", "PATH", "--ledger", "book.sqlite"],
    "watch ledger": ["watch", "--once", "--artifact", "artifact", "--ledger", "PATH"],
    "watch project": ["watch", "--once", "-C", "PATH"],
}
MAKES_FOLDERS = {"demo", "init"}
"""Verbs for which a path that does not exist is a place to write to."""
MISSING = ["missing", "~", "%s%n", "a\nb", "x" * 300, "-x", "契約", " ", "", "../missing", "\x1b[31m"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stand in an empty folder with a few things that are not what the commands want."""
    monkeypatch.setenv("SEKISHO_LANG", "en")
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "table.csv").write_text("x,y\n1,0\n2,1\n")
    (folder / "model.onnx").write_bytes(b"not a model")
    (folder / "garbage").write_bytes(bytes(range(256)) * 40)
    (folder / "empty").touch()
    (folder / "folder").mkdir()
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    monkeypatch.chdir(folder)
    yield folder
    set_language(None)


def things(folder: Path) -> dict[str, bytes | None]:
    """Return every file below ``folder`` with its content; ``None`` stands for what is no file."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() and not path.is_symlink() else None
        for path in folder.rglob("*")
    }


def test_every_verb_is_tried() -> None:
    assert {words[0] for words in COMMANDS.values()} == set(VERBS)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", sorted(set(COMMANDS) - MAKES_FOLDERS))
@pytest.mark.parametrize("path", [*MISSING, "garbage", "empty", "folder", "loop", "pipe", "/dev/null"], ids=repr)
def test_wrong_input_is_one_line(name: str, path: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = things(here.parent)
    code = run([path if word == "PATH" else word for word in COMMANDS[name]])
    captured = capsys.readouterr()
    said = [line for line in captured.err.splitlines() if not line.endswith(" …")]  # how far it is
    assert code in {2, 3}, captured
    assert captured.out == ""
    assert len(said) == 1, captured.err
    assert " → " in said[0]
    assert said[0].isprintable()
    assert "unexpected error" not in said[0]
    assert things(here.parent) == before


@pytest.mark.parametrize("name", sorted(MAKES_FOLDERS))
@pytest.mark.parametrize("path", ["garbage", "loop", "pipe", "/dev/null", "/proc/new", "x" * 300])
def test_a_place_that_is_no_folder_is_refused(
    name: str, path: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = things(here.parent)
    assert run([path if word == "PATH" else word for word in COMMANDS[name]]) in {2, 3}
    captured = capsys.readouterr()
    said = [line for line in captured.err.splitlines() if not line.endswith(" …")]
    assert len(said) == 1, captured.err
    assert "unexpected error" not in said[0]
    assert things(here.parent) == before
