"""A JSON Schema (draft 2020-12) of ``sekisho.toml``, so that an editor completes keys and explains them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sekisho.contract.boxes import BOXES
from sekisho.contract.keys import tables
from sekisho.contract.sections import Contract
from sekisho.contract.words import KEY_WORDS, SECTION_WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.text import Language

SCHEMA_NAME: Final = "sekisho.schema.json"


def contract_schema(language: Language) -> dict[str, Any]:
    """Return the JSON Schema of the contract, with descriptions in ``language``.

    TOML has no null: a key that is not set is left out, so the schema offers no null either.
    """
    schema: dict[str, Any] = json.loads(msgspec.json.encode(msgspec.json.schema(Contract)))
    definitions = schema.pop("$defs")
    root = _resolve(_without_null(schema), definitions)
    for table in tables():
        described = _at(root, table.name)
        described.pop("title", None)
        described.pop("description", None)
        if table.name:
            described["description"] = SECTION_WORDS[table.name].of(language)
        for key in table.keys:
            stated = described["properties"][key.short_name]
            stated["description"] = KEY_WORDS[key.name].of(language)
            if key.short_name == "box":
                stated["examples"] = list(BOXES)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "sekisho.toml", **root}


def schema_text(language: Language) -> str:
    """Return the schema as the text of a file."""
    return json.dumps(contract_schema(language), ensure_ascii=False, indent=2) + "\n"


def _at(root: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the object schema of a section by its dotted name."""
    here: dict[str, Any] = root
    for part in filter(None, name.split(".")):
        below: dict[str, Any] = here["properties"][part]
        here = below.get("items", below)
    return here


def _resolve(node: Any, definitions: Mapping[str, Any]) -> Any:
    """Return ``node`` with every reference replaced by a copy of what it names."""
    if isinstance(node, list):
        return [_resolve(each, definitions) for each in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if reference is not None:
        return _resolve(_without_null(definitions[reference.rpartition("/")[2]]), definitions)
    return {key: _resolve(value, definitions) for key, value in _without_null(node).items()}


def _without_null(node: dict[str, Any]) -> dict[str, Any]:
    """Return ``node`` without the null that stands for a key that is not set."""
    kept = {key: value for key, value in node.items() if not (key == "default" and value is None)}
    choices = [each for each in kept.get("anyOf", ()) if each != {"type": "null"}]
    if len(choices) == 1:
        del kept["anyOf"]
        (only,) = choices
        return {**kept, **only}
    if choices:
        kept["anyOf"] = choices
    if "enum" in kept:
        kept["enum"] = [value for value in kept["enum"] if value is not None]
    return kept
