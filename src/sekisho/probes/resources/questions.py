"""What a service is asked: its signature, and rows of the test set that are within it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.signature import Feature, Output, Signature, Task, learn_signature
from sekisho.artifact.table import Column, Scalar, Table
from sekisho.contract.sections import FeatureTerms
from sekisho.errors import NotMeasured
from sekisho.probes.resources.tables import TestSet, TrainingSet
from sekisho.text import Text

MOST_CLASSES: Final = 20
"""Integer targets with more values than this are numbers, not labels."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Questions:
    """Rows that any service for this model must answer.

    Attributes:
        signature: By the artifact, else learned from the data.
        table: The rows, features alone, in the order of the signature.
        rows: The same rows as JSON values.

    """

    signature: Signature
    table: Table
    rows: tuple[dict[str, Scalar], ...]


def questions(
    artifact: ModelArtifact | None,
    test: TestSet | None,
    training: TrainingSet | None,
    terms: Sequence[FeatureTerms] = (),
) -> Questions:
    """Return what to ask the service.

    Args:
        artifact: What is served.
        test: Where the rows come from.
        training: Where they come from without a test set.
        terms: What the contract says of single features: where it refuses nulls, no row with one is usual.

    Raises:
        NotMeasured: Neither artifact nor data say what the service takes, or no row fits the signature.

    """
    signature = _by_terms(_signature(artifact, test, training), terms)
    data = test or training
    if data is not None:
        table = data.table.select(signature.names)
    else:
        assert artifact is not None
        table = artifact.golden.table(signature)
    rows = table.records()
    usual = [index for index, row in enumerate(rows) if is_usual(signature, row)]
    if not usual:
        raise NotMeasured(
            Text(en="no row of the test set fits the signature", ja="テストデータに入力仕様と合う行がありません"),
            Text(en="check data.test against the artifact", ja="data.test が成果物と合っているか確認してください"),
        )
    return Questions(signature=signature, table=table.take(usual), rows=tuple(rows[index] for index in usual))


def _by_terms(signature: Signature, terms: Sequence[FeatureTerms]) -> Signature:
    """Return a signature in which a feature whose nulls the contract refuses takes none."""
    refused = {each.name for each in terms if each.null == "reject"}
    if not refused:
        return signature
    features = tuple(
        msgspec.structs.replace(feature, nullable=feature.nullable and feature.name not in refused)
        for feature in signature.features
    )
    return msgspec.structs.replace(signature, features=features)


def _signature(artifact: ModelArtifact | None, test: TestSet | None, training: TrainingSet | None) -> Signature:
    if artifact is not None:
        return artifact.signature
    data = training or test
    if data is None:
        raise NotMeasured(
            Text(
                en="neither an artifact nor a data set says what the service takes",
                ja="サービスの入力を示す成果物もデータもありません",
            ),
            Text(en="name data.test and data.target", ja="data.test と data.target を指定してください"),
        )
    return learn_signature(data.table, output_of(data.target))


def output_of(target: Column | None) -> Output:
    """Return what a model answers whose targets look like ``target``."""
    if target is None:
        return Output(task="regression")
    classes = target.distinct()
    labels = target.kind in {"category", "boolean", "text"} or (
        target.kind == "integer" and len(classes) <= MOST_CLASSES
    )
    if not labels:
        return Output(task="regression", name=target.name)
    task: Task = "binary" if len(classes) <= 2 else "multiclass"
    return Output(task=task, name=target.name, classes=classes, dtype=target.dtype)


def is_usual(signature: Signature, row: Mapping[str, Scalar]) -> bool:
    """Return whether every value of ``row`` is of a kind that the model was trained on."""
    return all(_fits(feature, row[feature.name]) for feature in signature.features)


def _fits(feature: Feature, value: Scalar) -> bool:
    if value is None:
        return feature.nullable
    if feature.categories is not None:
        return value in feature.categories
    low, high = feature.minimum, feature.maximum
    if low is None or high is None:
        return True
    if isinstance(value, str):
        return str(low) <= value <= str(high)
    return float(low) <= value <= float(high)
