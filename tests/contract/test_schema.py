"""The schema for editors accepts what the loader accepts and refuses what a type refuses."""

from __future__ import annotations

import datetime as dt
import json
import tomllib
from typing import Any

import pytest

from sekisho.contract.boxes import BOXES
from sekisho.contract.keys import tables
from sekisho.contract.schema import contract_schema, schema_text
from sekisho.contract.template import render_contract
from sekisho.contract.words import KEY_WORDS, SECTION_WORDS
from sekisho.text import LANGUAGES, Language

BOTH = pytest.mark.parametrize("language", LANGUAGES)


def table_schema(schema: dict[str, Any], name: str) -> dict[str, Any]:
    here = schema
    for part in filter(None, name.split(".")):
        here = here["properties"][part]
        here = here.get("items", here)
    return here


@BOTH
def test_every_section_and_key_is_described(language: Language) -> None:
    schema = contract_schema(language)
    for table in tables():
        here = table_schema(schema, table.name)
        assert here["additionalProperties"] is False
        assert here["required"] == [key.short_name for key in table.keys if key.required] + ["model"] * (not table.name)
        if table.name:
            assert here["description"] == SECTION_WORDS[table.name].of(language)
        for key in table.keys:
            assert here["properties"][key.short_name]["description"] == KEY_WORDS[key.name].of(language)


def test_it_is_a_file_of_json_without_references_or_nulls() -> None:
    text = schema_text("ja")
    assert json.loads(text) == contract_schema("ja")
    assert text.endswith("}\n")
    assert "\\u" not in text
    assert "$ref" not in text
    assert ": null" not in text
    assert '"type": "null"' not in text


def test_boxes_are_offered_where_one_is_named() -> None:
    schema = contract_schema("en")
    for name in ("sign_offs", "waivers", "not_applicable"):
        assert table_schema(schema, name)["properties"]["box"]["examples"] == list(BOXES)


@BOTH
def test_it_is_a_valid_schema_that_accepts_the_template_and_refuses_mistakes(language: Language) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = contract_schema(language)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    sound = tomllib.loads(render_contract({"model": {"name": "m"}}, language))
    assert list(validator.iter_errors(sound)) == []
    waiver = {"box": "testing/unit", "reason": "r", "owner": "o", "expires": dt.date(2027, 1, 1).isoformat()}
    assert list(validator.iter_errors(sound | {"waivers": [waiver]})) == []
    mistakes: list[dict[str, Any]] = [
        {"modle": {}},
        {"model": {}},
        {"model": {"name": "a b"}},
        {"serving": {"workers": 0}},
        {"serving": {"workers": "1"}},
        {"quality": {"confidence": 1.0}},
        {"security": {"out_of_range": "ignore"}},
        {"waivers": [{"box": "testing/unit"}]},
        {"format": 2},
        {"quality": {"metric": None}},
    ]
    for mistake in mistakes:
        assert list(validator.iter_errors(sound | mistake)), mistake
