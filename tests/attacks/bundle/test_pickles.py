"""Files that run code when they are read are told by their content, and never read."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from tests.attacks.bundle.hostile import MARKER, bombs, forge, one_line, refused, use, zipped

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.content import refuse_code
from sekisho.artifact.packing import read_model
from sekisho.errors import ArtifactError, SekishoError, UntrustedFormat

DRESSES = sorted(bombs(Path()))


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("name", ["noending", "model.onnx", "model.skops", "golden.json"])
def test_a02_a04_a_pickle_under_any_name(dress: str, name: str, artifact: Path, tmp_path: Path) -> None:
    data = bombs(tmp_path)[dress]
    (artifact / name).write_bytes(data)
    with pytest.raises(ArtifactError):
        use(artifact)
    forge(artifact)
    with pytest.raises(ArtifactError) as caught:
        use(artifact)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob(f"{MARKER}*"))


@pytest.mark.parametrize("dress", ["shell", "path", "numpy", "protocol 0", "protocol 1", "optimised"])
def test_a02_a_pickle_is_refused_because_it_is_one(dress: str, artifact: Path, tmp_path: Path) -> None:
    forge(artifact, model__skops=bombs(tmp_path)[dress])
    assert "this is a pickle" in refused(artifact, UntrustedFormat)


def test_a01_a_folder_with_only_a_pickle(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(bombs(tmp_path)["shell"])
    assert "this is a pickle" in refused(tmp_path, UntrustedFormat)
    assert not (tmp_path / MARKER).exists()


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("name", ["model.onnx", "model.safetensors", "model"])
def test_a04_a_pickle_is_no_model_to_pack(dress: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(bombs(tmp_path)[dress])
    with pytest.raises(SekishoError) as caught:
        read_model(tmp_path / name)
    one_line(caught.value)
    assert not list(tmp_path.glob(f"{MARKER}*"))


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "model", "MODEL.PKL", "a b.bin"])
def test_a01_a_file_in_place_of_an_artifact(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(bombs(tmp_path)["shell"])
    with pytest.raises(UntrustedFormat, match="pickle"):
        ModelArtifact.load(tmp_path / name)
    assert not (tmp_path / MARKER).exists()


def test_a01_trust_does_not_reach_into_an_artifact(artifact: Path, tmp_path: Path) -> None:
    """With ``trust``, a folder with a manifest is still read as an artifact, in which no pickle has a place."""
    forge(artifact, model__skops=bombs(tmp_path)["shell"])
    with pytest.raises(ArtifactError):
        ModelArtifact.load(artifact, trust=True).runtime("skops")
    assert not (tmp_path / MARKER).exists()


def test_a01_trust_is_no_signature(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(bombs(tmp_path)["shell"])
    with pytest.raises(SekishoError):
        ModelArtifact.load(tmp_path, trust=True, require_signature=True)
    assert not (tmp_path / MARKER).exists()


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("value", [[1], {"a": 1}, (1, 2), "text", 1.5, {1}, b"x", None], ids=repr)
def test_a02_harmless_pickles_are_pickles_too(value: object, protocol: int) -> None:
    data = pickle.dumps(value, protocol=protocol)
    with pytest.raises(UntrustedFormat):
        refuse_code(data, where="x")
    with pytest.raises(UntrustedFormat):
        refuse_code(zipped({"a/b": data}), where="x")
