"""The hostile battery: every kind of feature gets what it must not take."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from sekisho.artifact.signature import Feature, Output, Signature
from sekisho.artifact.table import Table
from sekisho.checks.security.input_validation import _SIZES, _TYPES, _VALUES, _type_of
from sekisho.gate.testing import example_contract
from sekisho.probes.adapters.native import Native
from sekisho.probes.resources.questions import Questions
from sekisho.probes.resources.service import Service
from sekisho.probes.security.hostile_input import _some, _too_large, _unheard_of, _wrong_types

FEATURES = (
    Feature(name="age", kind="integer", dtype="int64", nullable=False, minimum=18, maximum=90, example=30),
    Feature(name="score", kind="float", dtype="float64", nullable=True, minimum=-1.5, maximum=2.5, example=0.5),
    Feature(name="plan", kind="category", dtype="object", nullable=True, categories=("a", "b"), example="a"),
    Feature(name="region", kind="category", dtype="int64", nullable=False, categories=(1, 2, 7), example=2),
    Feature(name="member", kind="boolean", dtype="bool", nullable=False, categories=(False, True), example=True),
    Feature(
        name="since",
        kind="datetime",
        dtype="datetime64[us]",
        nullable=True,
        minimum="2020-01-01T00:00:00Z",
        maximum="2025-01-01T00:00:00Z",
        example="2021-01-01T00:00:00Z",
    ),
)
ROW = {feature.name: feature.example for feature in FEATURES}


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_no_value_of_the_type_battery_is_of_the_right_type(feature: Feature) -> None:
    right = {
        "integer": (int,),
        "float": (int, float),
        "category": (str,),
        "boolean": (bool,),
        "datetime": (),
    }[feature.kind]
    tried = list(_wrong_types(feature))
    assert len(tried) >= 3
    for words, value, _ in tried:
        assert _type_of(words) in _TYPES
        assert value is not None or not feature.nullable
        if words != "a word" or feature.name != "region":
            assert isinstance(value, bool) or not isinstance(value, right), words


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_unheard_of_values_lie_outside_what_the_model_knows(feature: Feature) -> None:
    for kind, words, row, edge in _unheard_of(feature, ROW):
        value = row[feature.name]
        assert words in _VALUES
        if kind == "out of range":
            assert isinstance(value, int | float)
            assert not float(str(feature.minimum)) <= value <= float(str(feature.maximum))
            assert edge is not None
            assert edge[feature.name] in {feature.minimum, feature.maximum}
        elif kind == "unseen category":
            assert value not in (feature.categories or ())
            assert isinstance(value, type((feature.categories or ())[0]))
        else:
            assert isinstance(value, msgspec.Raw)


def test_every_kind_is_tried_before_any_kind_twice() -> None:
    many = tuple(msgspec.structs.replace(FEATURES[0], name=f"n{at}") for at in range(20)) + FEATURES[2:]
    chosen = _some(many)
    assert len(chosen) == 8
    assert {feature.kind for feature in chosen} == {"integer", "category", "boolean", "datetime"}


def test_what_is_too_large_is_too_large_in_one_way() -> None:
    contract = example_contract(serving={"maximum_body_bytes": 4_096, "maximum_rows": 10})
    signature = Signature(features=FEATURES, output=Output(task="regression"))
    asked = Questions(signature=signature, table=Table.of([ROW]), rows=(dict(ROW),))
    service = Service(contract, asked, adapter=Native(signature.names), launcher=None, root=Path(), state=Path())
    sent = dict(_too_large(service, contract.serving))
    assert set(sent) == set(_SIZES)
    assert len(sent["body"].body) > len(sent["rows"].body)
    assert msgspec.json.decode(sent["body"].body) == {"features": ROW}
    assert sent["body in chunks"].chunked
    assert sent["nesting"].body.count(b"[") == 100_000
    assert len(msgspec.json.decode(sent["keys"].body)) == 100_001
    assert len(msgspec.json.decode(sent["rows"].body)) == 11
