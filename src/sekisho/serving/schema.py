"""A signature as JSON Schema (draft 2020-12, as OpenAPI 3.1 uses it): what rows are, what answers are, and a row that works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sekisho.predict.cells import LARGEST_INTEGER, LONGEST_STRING, SMALLEST_INTEGER, category_types
from sekisho.predict.naming import class_name

if TYPE_CHECKING:
    from sekisho.artifact.column import Scalar
    from sekisho.artifact.signature import Feature, Output, Signature

LARGEST_NUMBER: Final = 3.4028234663852886e38
_PROBABILITY: Final = {"type": "number", "minimum": 0, "maximum": 1}
_PREDICTED: Final = {**_PROBABILITY, "description": "Probability of the class that is predicted."}
_TYPES: Final = {str: "string", int: "integer", bool: "boolean", float: "number"}


def feature_schema(feature: Feature) -> dict[str, Any]:
    """Return what a value of ``feature`` may be. What is only unusual is described, what is refused is forbidden."""
    schema: dict[str, Any] = {}
    match feature.kind:
        case "float":
            schema |= {"type": "number", "minimum": -LARGEST_NUMBER, "maximum": LARGEST_NUMBER}
        case "integer":
            bound = 2**53 - 1 if feature.nullable else None
            schema |= {
                "type": "integer",
                "minimum": -bound if bound else SMALLEST_INTEGER,
                "maximum": bound or LARGEST_INTEGER,
            }
        case "boolean":
            schema |= {"type": "boolean"}
        case "datetime":
            schema |= {"type": "string", "format": "date-time"}
        case "text":
            schema |= {"type": "string", "maxLength": LONGEST_STRING}
        case "category":
            types = [_TYPES[kind] for kind in category_types(feature)]
            schema |= {"type": types[0] if len(types) == 1 else types}
            if "string" in types:
                schema |= {"maxLength": LONGEST_STRING}
    _add_policy(schema, feature)
    if feature.takes_null:
        _add_null(schema)
    known = (feature.description, feature.unit and f"Unit: {feature.unit}.", _seen(feature), _flagged(feature))
    words = [f"{word.rstrip('.')}." for word in known if word]
    if words:
        schema["description"] = " ".join(words)
    if not feature.personal and feature.example is not None:
        schema["examples"] = [feature.example]
    return schema


def row_schema(signature: Signature) -> dict[str, Any]:
    """Return what a row may be: an object by name, or a list in the order of the signature."""
    names = signature.names
    schemas = [feature_schema(feature) for feature in signature.features]
    return {
        "oneOf": [
            {
                "type": "object",
                "title": "By name",
                "properties": dict(zip(names, schemas, strict=True)),
                "required": list(names),
                "additionalProperties": False,
            },
            {
                "type": "array",
                "title": "In the order of the signature",
                "prefixItems": [{"title": name, **schema} for name, schema in zip(names, schemas, strict=True)],
                "items": False,
                "minItems": len(names),
                "maxItems": len(names),
            },
        ]
    }


def example_row(signature: Signature) -> dict[str, Scalar]:
    """Return a row that works: the example of every feature."""
    return {feature.name: example_cell(feature) for feature in signature.features}


def example_cell(feature: Feature) -> Scalar:
    """Return a value of ``feature`` that is accepted."""
    if feature.example is not None and not feature.personal:
        return feature.example
    if feature.takes_null:
        return None
    if feature.minimum is not None:
        return feature.minimum
    if feature.kind == "category" and feature.categories and not feature.personal:
        return feature.categories[0]
    plain: dict[str, Scalar] = {"float": 0.0, "integer": 0, "boolean": False, "datetime": "2026-01-01T00:00:00Z"}
    return plain.get(feature.kind, "")


def label_schema(signature: Signature) -> dict[str, Any]:
    """Return what a prediction is."""
    output = signature.output
    if not output.outputs:
        return _label(output)
    return _object({one.name: _label(one) for one in output.outputs}, "Every answer by its name.")


def _label(output: Output) -> dict[str, Any]:
    known = {"type": "number"} if output.classes is None else {"enum": list(output.classes)}
    return {**known, "description": f"Predicted {output.name}."}


def _object(properties: dict[str, Any], words: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        "description": words,
    }


def answer_schema(signature: Signature) -> dict[str, Any]:
    """Return what is told of one row."""
    output = signature.output
    properties: dict[str, Any] = {"prediction": label_schema(signature)}
    if output.probabilities:
        stated = [(_PREDICTED, _of_classes(one)) for one in output.each]
        properties["probability"], properties["probabilities"] = stated[0]
        if output.outputs:
            names = [one.name for one in output.outputs]
            properties["probability"] = _object(dict.fromkeys(names, _PREDICTED), "By the name of the answer.")
            properties["probabilities"] = _object(
                dict(zip(names, (classes for _, classes in stated), strict=True)), "By the name of the answer."
            )
    properties["flags"] = {
        "type": "array",
        "items": {"type": "string", "pattern": "^(out_of_range|unseen_category|null):"},
        "description": "Values that the model does not know, as code and feature.",
    }
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _of_classes(output: Output) -> dict[str, Any]:
    classes = map(class_name, output.classes or ())
    return _object(dict.fromkeys(classes, _PROBABILITY), "Probability of every class.")


def _add_policy(schema: dict[str, Any], feature: Feature) -> None:
    if feature.categories is not None and feature.unseen_category == "reject" and not feature.personal:
        schema["enum"] = list(feature.categories)
    if feature.out_of_range == "reject" and feature.kind in {"float", "integer"}:
        schema |= {"minimum": feature.minimum, "maximum": feature.maximum} if feature.minimum is not None else {}


def _add_null(schema: dict[str, Any]) -> None:
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    schema["type"] = [*types, "null"]
    if "enum" in schema:
        schema["enum"] = [*schema["enum"], None]


def _flagged(feature: Feature) -> str | None:
    """Return what is answered with a flag."""
    ranged, listed = feature.minimum is not None, feature.categories is not None and feature.kind == "category"
    kinds = (
        ("values outside", ranged and feature.out_of_range == "flag"),
        ("other categories", listed and feature.unseen_category == "flag"),
        ("null", feature.nullable and feature.null == "flag"),
    )
    named = [name for name, flagged in kinds if flagged]
    return f"Answered with a flag: {', '.join(named)}." if named else None


def _seen(feature: Feature) -> str | None:
    if feature.personal:
        return None
    if feature.minimum is not None:
        return f"Seen in training: {feature.minimum} to {feature.maximum}."
    if feature.kind == "category" and feature.categories:
        names = ", ".join(map(str, feature.categories[:20]))
        return f"Seen in training: {names}{', …' if len(feature.categories) > 20 else ''}."
    return None
