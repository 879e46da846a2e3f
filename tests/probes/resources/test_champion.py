"""The champion by its folder, and by its alias in the registry."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from sekisho import ModelArtifact, Registry
from sekisho.contract.project import Project
from sekisho.contract.sections import Contract
from sekisho.errors import NotFound
from sekisho.probes.resources.champion import Champion, champion


def opened(root: Path, place: str) -> Champion:
    contract = msgspec.convert({"model": {"name": "flat"}, "quality": {"champion": place}}, Contract)
    found = next(champion.open(project=Project(root=root, contract=contract)))
    assert isinstance(found, Champion)
    return found


def test_the_champion_is_a_folder_or_an_alias(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEKISHO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SEKISHO_REGISTRY", raising=False)
    features = pd.DataFrame({"size": [float(number) for number in range(30)]})
    registry = Registry(tmp_path / "registry")
    for version, factor in (("1.0.0", 2.0), ("1.1.0", 3.0)):
        target = features["size"] * factor
        ModelArtifact(
            LinearRegression().fit(features, target), reference=features, target=target, name="flat", version=version,
            lock=False,
        ).save(tmp_path / version)  # fmt: skip
        registry.push(tmp_path / version)
    registry.promote("flat@1.0.0")
    assert opened(tmp_path, "1.1.0").artifact.version == "1.1.0"
    assert opened(tmp_path, "flat@champion").artifact.version == "1.0.0"
    registry.promote("flat@1.1.0")
    assert opened(tmp_path, "flat@champion").artifact.version == "1.1.0"
    with pytest.raises(NotFound):
        opened(tmp_path, "flat@9.9.9")
