"""Artifacts that earlier versions wrote stay readable: one of each is kept, and none is ever written anew."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sekisho.artifact import bom
from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.inspection import inspect
from sekisho.artifact.keys import TrustedKeys
from sekisho.artifact.manifest import FORMAT
from sekisho.artifact.private_keys import new_key
from sekisho.artifact.signing import check_signature, sign_folder

KEPT = {
    # folder: the digest that it had when it was written
    "1": "d5fb5b1340f2c05adf119a82e0a03bbde69bf29ee45b035d07c6431e74279e04",
}
FOLDERS = Path(__file__).parent / "old_formats"


def test_every_format_is_kept() -> None:
    assert {path.name for path in FOLDERS.iterdir()} == set(KEPT)
    assert max(int(name.partition("-")[0]) for name in KEPT) == FORMAT


@pytest.mark.parametrize("name", KEPT)
def test_it_is_read_and_answers_as_it_did(name: str) -> None:
    artifact = ModelArtifact.load(FOLDERS / name)
    assert artifact.digest == KEPT[name]
    assert artifact.name == "churn"
    artifact.verify()
    assert artifact.predict(list(artifact.golden.rows)).values.tolist() == list(artifact.golden.values)
    assert artifact.metadata.owner == "risk-team@example.com"
    assert artifact.reference is not None
    assert inspect(FOLDERS / name).lock


@pytest.mark.parametrize("name", KEPT)
def test_it_can_be_signed(name: str, tmp_path: Path) -> None:
    folder = shutil.copytree(FOLDERS / name, tmp_path / "copy")
    public = new_key(tmp_path / "a.key")
    signer = sign_folder(folder, tmp_path / "a.key")
    assert check_signature(folder, TrustedKeys.read([public]), required=True) == (signer,)
    assert ModelArtifact.load(folder).digest == KEPT[name]


def test_the_first_has_no_bill_of_materials() -> None:
    assert ModelArtifact.load(FOLDERS / "1").manifest.file(bom.NAME) is None
