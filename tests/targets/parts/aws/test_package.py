"""The model package is the same for the same artifact, and is the artifact."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from sekisho.artifact.artifact import ModelArtifact
from sekisho.targets.parts.aws.package import model_package


def test_is_the_artifact_once_unpacked(hostile_artifact: ModelArtifact, tmp_path: Path) -> None:
    with model_package(hostile_artifact) as package, tarfile.open(package.path) as archive:
        archive.extractall(tmp_path, filter="data")
    assert ModelArtifact.load(tmp_path).digest == hostile_artifact.digest


def test_holds_nothing_of_this_machine(hostile_artifact: ModelArtifact) -> None:
    with model_package(hostile_artifact) as package, tarfile.open(package.path) as archive:
        members = archive.getmembers()
    assert members[0].name == "manifest.json"
    assert {(each.uid, each.gid, each.uname, each.gname, each.mtime, each.mode) for each in members} == {
        (0, 0, "", "", 0, 0o644)
    }
    assert all(each.isfile() and "/" not in each.name for each in members)


def test_is_the_same_every_time_and_leaves_nothing(hostile_artifact: ModelArtifact) -> None:
    with model_package(hostile_artifact) as one, model_package(hostile_artifact) as other:
        assert one.path.read_bytes() == other.path.read_bytes()
        assert (one.digest, one.size) == (other.digest, other.size)
        assert one.size == one.path.stat().st_size
    assert not one.path.exists()


def test_files_that_lie_beside_stay_behind(hostile_artifact: ModelArtifact, tmp_path: Path) -> None:
    with model_package(hostile_artifact) as package, tarfile.open(package.path) as archive:
        archive.extractall(tmp_path, filter="data")
    artifact = ModelArtifact.load(tmp_path)
    (tmp_path / ".env").write_text("SECRET=1")
    with model_package(artifact) as package, tarfile.open(package.path) as archive:
        assert ".env" not in archive.getnames()


def test_an_artifact_that_is_not_saved_cannot_travel() -> None:
    from sklearn.linear_model import LinearRegression

    from sekisho.errors import TargetError

    artifact = ModelArtifact(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]), lock=False)
    with pytest.raises(TargetError, match="save it"), model_package(artifact):
        pass
