"""pickle: never without an explicit word."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

from sekisho.artifact.formats.pickle import load
from sekisho.errors import ArtifactError, NotFound, UntrustedFormat

if TYPE_CHECKING:
    from pathlib import Path


def test_only_with_trust_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(UntrustedFormat):
        load(path, trust=False)
    assert load(path, trust=True) == {"a": 1}
    assert str(path) in caplog.text


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        load(tmp_path / "none.pkl", trust=True)
    (tmp_path / "broken.pkl").write_bytes(b"\x80\x04cno.such\nmodule\n.")
    with pytest.raises(ArtifactError) as caught:
        load(tmp_path / "broken.pkl", trust=True)
    assert "\n" not in str(caught.value)
