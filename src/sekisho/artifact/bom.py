"""The bill of materials: what a model is made of, as a CycloneDX 1.6 ML-BOM.

The model is the subject, with its model card; the files, the data sets and the locked libraries are its parts, each with SHA-256. The same
artifact gives the same bytes: the serial number is made from the content, and no time stands in it. Specification:
https://cyclonedx.org/docs/1.6/json/.
"""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sekisho.artifact import lock as locks
from sekisho.artifact import strict_json
from sekisho.errors import IntegrityError
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sekisho.artifact.manifest import Manifest
    from sekisho.artifact.metadata import Metadata
    from sekisho.artifact.signature import Feature, Signature

NAME: Final = "bom.cdx.json"
MEDIA_TYPE: Final = "application/vnd.cyclonedx+json"
SPECIFICATION: Final = "1.6"
MODEL: Final = "model"
"""The reference of the model inside its bill."""

_TASKS: Final = {"binary": "classification", "multiclass": "classification", "regression": "regression"}


def bill_of(manifest: Manifest, signature: Signature, metadata: Metadata, lock: bytes | None) -> bytes:
    """Return the bill of an artifact.

    Args:
        manifest: Its files, this one apart.
        signature: What goes in and what comes out.
        metadata: What is known of the model.
        lock: Its ``requirements.lock``, if there is one.

    """
    libraries = list(_locked(lock)) if lock is not None else list(_seen(metadata))
    data = list(_data(metadata))
    bill: dict[str, Any] = {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPECIFICATION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "sekisho", "version": manifest.written_by}]},
            "component": _model(manifest, signature, metadata, data),
        },
        "components": [*libraries, *data],
        "dependencies": [
            {"ref": MODEL, "dependsOn": sorted(each["bom-ref"] for each in libraries)},
            *({"ref": each["bom-ref"]} for each in (*libraries, *data)),
        ],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(bill, sort_keys=True))
    return strict_json.encode(bill | {"serialNumber": f"urn:uuid:{serial}"})


class _File(msgspec.Struct, frozen=True):
    name: str
    hashes: tuple[dict[str, str], ...]


class _Subject(msgspec.Struct, frozen=True):
    name: str
    version: str
    components: tuple[_File, ...]


class _Head(msgspec.Struct, frozen=True):
    component: _Subject


class _Bill(msgspec.Struct, frozen=True, rename="camel"):
    bom_format: str
    spec_version: str
    metadata: _Head


def check_bill(data: bytes, manifest: Manifest, *, where: str) -> None:
    """Refuse a bill that speaks of another artifact: another name or version, or files that are not those of the manifest.

    Raises:
        IntegrityError: It does, or it is no CycloneDX bill.

    """
    bill = strict_json.decode(data, _Bill, where=where)
    subject = bill.metadata.component
    files = {file.name: ({"alg": "SHA-256", "content": file.sha256},) for file in manifest.files if file.name != NAME}
    if (
        bill.bom_format != "CycloneDX"
        or (subject.name, subject.version) != (manifest.name, manifest.version)
        or {file.name: file.hashes for file in subject.components} != files
    ):
        raise IntegrityError(
            Text(en="the bill of materials speaks of another artifact", ja="部品表が別の成果物のものです"),
            Text(en="pack the artifact again", ja="成果物をパックし直してください"),
            where=where,
        )


def _model(manifest: Manifest, signature: Signature, metadata: Metadata, data: list[dict[str, Any]]) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": MODEL,
        "name": manifest.name,
        "version": manifest.version,
        "components": [
            {"type": "file", "bom-ref": f"file:{file.name}", "name": file.name, "hashes": _hashes(file.sha256)}
            for file in manifest.files
        ],
        "modelCard": _card(manifest, signature, metadata, data),
    }
    if metadata.description:
        component["description"] = metadata.description
    if metadata.owner:
        component["authors"] = [{"name": metadata.owner}]
    return component


def _card(manifest: Manifest, signature: Signature, metadata: Metadata, data: list[dict[str, Any]]) -> dict[str, Any]:
    output = signature.output
    parameters: dict[str, Any] = {
        "task": _TASKS[output.each[0].task],
        "architectureFamily": metadata.model_type or manifest.runtime,
        "inputs": [{"format": _format(feature)} for feature in signature.features],
        "outputs": [{"format": f"{one.name}: {one.task}, {one.dtype}"} for one in output.each],
    }
    if data:
        parameters["datasets"] = [{"ref": each["bom-ref"]} for each in data]
    card: dict[str, Any] = {
        "modelParameters": parameters,
        "properties": [
            {"name": f"sekisho:parameter:{name}", "value": str(value)} for name, value in metadata.parameters.items()
        ],
    }
    if metadata.metrics:
        card["quantitativeAnalysis"] = {
            "performanceMetrics": [{"type": metric.name, "value": str(metric.value)} for metric in metadata.metrics]
        }
    considerations = _considerations(signature, metadata)
    if considerations:
        card["considerations"] = considerations
    return card


def _considerations(signature: Signature, metadata: Metadata) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if metadata.description:
        said["useCases"] = [metadata.description]
    ranges = [
        f"{feature.name}: trained on {feature.minimum} to {feature.maximum}"
        for feature in signature.features
        if feature.minimum is not None and not feature.personal
    ]
    if ranges:
        said["technicalLimitations"] = ranges
    sensitive = [feature.name for feature in signature.features if feature.sensitive]
    if sensitive:
        said["fairnessAssessments"] = [{"groupAtRisk": name} for name in sensitive]
    return said


def _format(feature: Feature) -> str:
    return f"{feature.name}: {feature.kind}, {feature.dtype}{', nullable' if feature.nullable else ''}"


def _data(metadata: Metadata) -> Iterator[dict[str, Any]]:
    """Yield the sets of rows that took part, by their digests."""
    for number, dataset in enumerate(metadata.data):
        component: dict[str, Any] = {
            "type": "data",
            "bom-ref": f"data:{number}:{dataset.name}",
            "name": dataset.name,
            "data": [{"type": "dataset", "name": dataset.name}],
        }
        if re.fullmatch(r"[0-9a-f]{64}", dataset.digest):
            component["hashes"] = _hashes(dataset.digest)
        if dataset.rows is not None:
            component["properties"] = [{"name": "sekisho:rows", "value": str(dataset.rows)}]
        yield component


def _locked(lock: bytes) -> Iterator[dict[str, Any]]:
    """Yield the libraries of the lock, each with the hashes of the files that it accepts."""
    accepted: dict[tuple[str, str], set[str]] = {}
    for pin, hashes in locks.read_hashes(lock):
        accepted.setdefault((pin.name, pin.version), set()).update(hashes)
    for (name, version), sums in accepted.items():
        component = _library(name, version)
        files = [each for sha256 in sorted(sums) for each in _hashes(sha256)]
        component["externalReferences"] = [{"type": "distribution", "url": component["purl"], "hashes": files}]
        yield component


def _seen(metadata: Metadata) -> Iterator[dict[str, Any]]:
    """Yield the libraries that were there when the model was packed: without a lock, there are no hashes."""
    for name, version in sorted(metadata.libraries.items()):
        yield _library(locks.normalised(name), version)


def _library(name: str, version: str) -> dict[str, Any]:
    purl = f"pkg:pypi/{name}@{version.replace('+', '%2B').replace('!', '%21')}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _hashes(sha256: str) -> list[Mapping[str, str]]:
    return [{"alg": "SHA-256", "content": sha256}]
