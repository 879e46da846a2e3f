"""The trial by which the box of versions judges a kind of store: it must pass on those that hold, and fail on those that do not."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.attacks.store.conftest import Made, Place

from sekisho.artifact.stores.folder import FolderStore
from sekisho.probes.files import scratch_registry
from sekisho.probes.files.scratch_registry import try_registry


def test_a_store_that_holds(place: Place, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    if place.endpoint is not None:
        monkeypatch.setenv("SEKISHO_S3_ENDPOINT", place.endpoint)
    place.registry().push(made())
    before = place.held()
    trial = try_registry(place.location)
    assert trial.refused
    assert trial.torn == 0
    assert trial.moves >= scratch_registry.FEWEST_MOVES
    assert trial.reads > 0
    assert place.held() == before


def test_a_store_that_lets_a_record_be_written_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def create(self: FolderStore, key: str, data: bytes) -> bool:
        self.put(key, data)
        return True

    monkeypatch.setattr(FolderStore, "create", create)
    assert not try_registry(str(tmp_path)).refused


def test_a_store_whose_records_appear_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def create(self: FolderStore, key: str, data: bytes) -> bool:
        path = Path(self.location, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            return False
        with path.open("wb") as stream:
            stream.write(data[:50])
            stream.flush()
            time.sleep(0.01)
            stream.write(data[50:])
        return True

    monkeypatch.setattr(FolderStore, "create", create)
    assert try_registry(str(tmp_path)).torn > 0
