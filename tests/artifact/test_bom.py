"""The bill of materials: valid CycloneDX, whole, and the same for the same artifact."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from sekisho.artifact import bom
from sekisho.artifact import lock as locks
from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.metadata import Dataset, Metadata, Metric
from sekisho.artifact.signature import Note
from sekisho.errors import IntegrityError

if TYPE_CHECKING:
    from tests.artifact.conftest import Churn

OLD = Path(__file__).parent / "old_formats" / "1"
HOSTILE = '"</script><script>alert(1)</script>\n$(id) {{7*7}} \u202e %0a \x07'


def faults(data: bytes) -> Any:
    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(data.decode())


def made(**metadata: Any) -> bytes:
    artifact = ModelArtifact.load(OLD)
    import msgspec

    said = msgspec.structs.replace(artifact.metadata, **metadata)
    return bom.bill_of(artifact.manifest, artifact.signature, said, (OLD / locks.NAME).read_bytes())


def test_it_is_strictly_valid(packed: Path) -> None:
    data = (packed / bom.NAME).read_bytes()
    assert faults(data) is None
    bom.check_bill(data, ModelArtifact.load(packed).manifest, where="")


def test_every_file_is_in_it_with_its_hash(packed: Path) -> None:
    said = json.loads((packed / bom.NAME).read_bytes())
    listed = {each["name"]: each["hashes"][0]["content"] for each in said["metadata"]["component"]["components"]}
    here = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in packed.iterdir()
        if path.name not in {bom.NAME, "manifest.json"}
    }
    assert listed == here


def test_every_locked_library_is_in_it_with_its_hashes() -> None:
    said = json.loads(made())
    assert faults(made()) is None
    accepted = {
        (pin.name, pin.version): set(hashes) for pin, hashes in locks.read_hashes((OLD / locks.NAME).read_bytes())
    }
    found = {
        (each["name"], each["version"]): {
            one["content"] for reference in each["externalReferences"] for one in reference["hashes"]
        }
        for each in said["components"]
        if each["type"] == "library"
    }
    assert found == accepted
    assert {each["purl"] for each in said["components"] if each["type"] == "library"} == set(
        next(each for each in said["dependencies"] if each["ref"] == "model")["dependsOn"]
    )


def test_the_model_card() -> None:
    said = json.loads(
        made(
            description="Whether a customer stays",
            data=(Dataset(name="training", digest="ab" * 32, rows=60), Dataset(name="odd", digest="not a digest")),
            metrics=(Metric(name="accuracy", value=0.9),),
        )
    )
    component = said["metadata"]["component"]
    card = component["modelCard"]
    assert component["type"] == "machine-learning-model"
    assert card["modelParameters"]["task"] == "classification"
    assert card["modelParameters"]["architectureFamily"] == "LogisticRegression"
    assert [each["format"].partition(":")[0] for each in card["modelParameters"]["inputs"]] == ["age", "income", "job"]
    data = {each["bom-ref"]: each for each in said["components"] if each["type"] == "data"}
    assert [each["ref"] for each in card["modelParameters"]["datasets"]] == list(data)
    assert data["data:0:training"]["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
    assert "hashes" not in data["data:1:odd"]
    assert card["considerations"]["useCases"] == ["Whether a customer stays"]


def test_the_same_artifact_gives_the_same_bill(churn: Churn, model: Any, packed: Path) -> None:
    again = ModelArtifact(model, reference=churn.features, target=churn.answers, name="churn", lock=False)
    assert again.manifest.file(bom.NAME) == ModelArtifact.load(packed).manifest.file(bom.NAME)
    assert made() == made()
    assert b"timestamp" not in made()
    assert json.loads(made())["serialNumber"] != json.loads(made(owner="somebody else"))["serialNumber"]


def test_names_are_data_whatever_they_say(churn: Churn, model: Any) -> None:
    artifact = ModelArtifact(
        model,
        Metadata(description=HOSTILE, owner=HOSTILE, data=(Dataset(name=HOSTILE, digest=HOSTILE),)),
        reference=churn.features,
        target=churn.answers,
        name="churn",
        notes={"age": Note(sensitive=True, personal=True)},
        lock=False,
    )
    data = artifact._bytes(bom.NAME)
    assert faults(data) is None
    assert json.loads(data)["metadata"]["component"]["description"] == HOSTILE
    assert "16." not in json.dumps(
        json.loads(data)["metadata"]["component"]["modelCard"]["considerations"]["fairnessAssessments"]
    )
    limits = json.loads(data)["metadata"]["component"]["modelCard"]["considerations"]["technicalLimitations"]
    assert not any(line.startswith("age") for line in limits)  # a personal feature's range could be a person's


@pytest.mark.parametrize("change", ["name", "version", "hash", "file", "format", "list"])
def test_a_bill_of_another_artifact_is_refused(change: str) -> None:
    manifest = ModelArtifact.load(OLD).manifest
    said = json.loads(made())
    component = said["metadata"]["component"]
    if change in {"name", "version"}:
        component[change] = "other"
    elif change == "hash":
        component["components"][0]["hashes"][0]["content"] = "0" * 64
    elif change == "file":
        component["components"].pop()
    elif change == "format":
        said["bomFormat"] = "SPDX"
    else:
        said = [said]
    with pytest.raises(IntegrityError):
        bom.check_bill(json.dumps(said).encode(), manifest, where="bom.cdx.json")
