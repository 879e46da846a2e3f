"""What kills a reader kills a process that was started for it, and nothing here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xgboost

from sekisho.artifact import apart
from sekisho.artifact.boosters.xgboost import BOOSTER
from sekisho.errors import IntegrityError

if TYPE_CHECKING:
    from pathlib import Path

MODEL = xgboost.XGBClassifier(n_estimators=2).fit(np.arange(20.0).reshape(10, 2), [0, 1] * 5)


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a program that stands in for the interpreter that reads."""
    program = tmp_path / "reader"
    program.touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    return program


@pytest.mark.parametrize(
    ("ending", "words"), [("kill -SEGV $$", "kills"), ("kill -ABRT $$", "kills"), ("exit 4", "kills")]
)
def test_a_reader_that_dies(ending: str, words: str, reader: Path) -> None:
    reader.write_text(f"#!/bin/sh\ncat > /dev/null\n{ending}\n")
    with pytest.raises(IntegrityError, match=words):
        apart.prove(BOOSTER, ending.encode(), where="x")


def test_a_reader_that_hangs(reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "SECONDS", 0.2)
    reader.write_text("#!/bin/sh\nexec sleep 30\n")
    with pytest.raises(IntegrityError, match="does not end"):
        apart.prove(BOOSTER, b"", where="x")


def test_what_was_written_or_proven_here_is_not_read_again(reader: Path) -> None:
    reader.write_text("#!/bin/sh\nexit 9\n")
    data = apart.vouch(BOOSTER.write(MODEL))
    apart.prove(BOOSTER, data, where="x")
    with pytest.raises(IntegrityError):
        apart.prove(BOOSTER, data + b" ", where="x")


def test_a_sound_file_is_read_apart_once(monkeypatch: pytest.MonkeyPatch) -> None:
    data = BOOSTER.write(xgboost.XGBClassifier(n_estimators=3).fit(np.arange(20.0).reshape(10, 2), [0, 1] * 5))
    apart.prove(BOOSTER, data, where="x")
    monkeypatch.setattr(sys, "executable", "/does/not/exist")
    apart.prove(BOOSTER, data, where="x")
