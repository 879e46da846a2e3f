from __future__ import annotations

from pathlib import Path

import pytest

from sekisho.errors import NotMeasured
from sekisho.probes.resources.artifacts import files_at


def test_a_folder_is_known_by_names_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "model.bin").write_bytes(b"1")
    first = files_at(tmp_path / "a")
    assert [first.name(file) for file in first.files] == ["model.bin"]
    (tmp_path / "a" / "model.bin").write_bytes(b"2")
    second = files_at(tmp_path / "a")
    (tmp_path / "a" / "model.bin").rename(tmp_path / "a" / "other.bin")
    third = files_at(tmp_path / "a")
    (tmp_path / "a" / "link").symlink_to("other.bin")
    fourth = files_at(tmp_path / "a")
    assert len({first.digest, second.digest, third.digest, fourth.digest}) == 4
    assert [fourth.name(link) for link in fourth.links] == ["link"]


def test_one_file_is_known_without_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"1")
    before = files_at(tmp_path / "model.onnx").digest
    (tmp_path / "notes.txt").write_text("x")
    assert files_at(tmp_path / "model.onnx").digest == before


def test_nothing_is_not_measured(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(NotMeasured):
            files_at(path)
