from __future__ import annotations

from pathlib import Path

import pytest

from sekisho.artifact.manifest import NAME, manifest_of
from sekisho.contract.project import Project
from sekisho.gate.subject import artifact_digest


def pack(folder: Path) -> str:
    """An artifact folder as far as its manifest goes."""
    files = {"model.onnx": b"model", "signature.json": b"{}"}
    manifest = manifest_of(files, name="churn", version="1.0.0", runtime="onnx", written_by="0")
    folder.mkdir()
    for name, data in {**files, NAME: manifest.encoded()}.items():
        (folder / name).write_bytes(data)
    return manifest.digest


def test_an_artifact_is_known_by_its_manifest(project: Project) -> None:
    assert artifact_digest(project) is None
    assert pack(project.root / "artifact") == artifact_digest(project)


@pytest.mark.parametrize("change", ["edit", "add", "remove", "link"])
def test_an_artifact_that_was_changed_is_not_known_by_its_manifest(project: Project, change: str) -> None:
    digest = pack(project.root / "artifact")
    model = project.root / "artifact" / "model.onnx"
    match change:
        case "edit":
            model.write_bytes(b"Model")
        case "add":
            (model.parent / "more.bin").write_bytes(b"")
        case "remove":
            model.unlink()
        case _:
            (model.parent / "link").symlink_to("/etc/hostname")
    assert artifact_digest(project) not in {digest, None}


def test_a_foreign_file_is_known_by_its_bytes(project: Project) -> None:
    file = project.root / "artifact"
    file.write_bytes(b"one")
    one = artifact_digest(project)
    file.write_bytes(b"two")
    assert one is not None
    assert artifact_digest(project) != one


def test_an_empty_folder_is_no_artifact(project: Project) -> None:
    (project.root / "artifact").mkdir()
    assert artifact_digest(project) is None


@pytest.mark.parametrize("manifest", [b"", b"{}", b'{"format":99}', b"\xff" * 10, b" " * (2 * 1024 * 1024)])
def test_a_manifest_that_is_none_does_no_harm(project: Project, manifest: bytes) -> None:
    (project.root / "artifact").mkdir()
    (project.root / "artifact" / NAME).write_bytes(manifest)
    assert artifact_digest(project) is not None
