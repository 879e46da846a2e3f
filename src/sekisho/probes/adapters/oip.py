"""The Open Inference Protocol (version 2) over REST, as KServe, MLServer and Triton speak it.

The model is the one that ``serving.mapping.predict`` names (``/v2/models/NAME/infer``), else the only one that the server lists. Whether it
takes one tensor a feature or one for all of them is read from its metadata, or tried.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, Final

import msgspec

from sekisho.contract.sections import Serving
from sekisho.probes.adapters.interface import (
    Adapter,
    Answer,
    Ask,
    Routes,
    Row,
    Scalar,
    Speech,
    Unreadable,
    fraction,
    is_number,
    plain,
)
from sekisho.probes.wire.message import Reply, Request, post
from sekisho.text import Text

_MODELS: Final = "/v2/models/"
_LABELS: Final = ("prediction", "predict", "predictions", "label", "output_label", "labels", "class")
_FLAGS: Final = "flags"
_EACH: Final = "prediction_"
"""How the tensors of several answers begin."""


@dataclass(frozen=True, slots=True)
class OpenInference:
    """The protocol for the features ``names``.

    Attributes:
        names: The features, in order.
        model: The path of the model.
        metrics: Where metrics are.
        tensor: The name of the tensor that holds all features; empty if each has its own.
        datatypes: The datatype of each tensor, where it is known.
        classes: The class labels, in the order of the probabilities, where they are known.

    """

    names: tuple[str, ...]
    model: str
    metrics: str | None = None
    tensor: str = ""
    datatypes: Mapping[str, str] = field(default_factory=dict)
    classes: tuple[Scalar, ...] = ()
    both: bool = False

    @property
    def named(self) -> bool:
        """Whether features go by name."""
        return not self.tensor

    @property
    def routes(self) -> Routes:
        """Where the service answers what."""
        return Routes(
            predict=f"{self.model}/infer",
            batch=f"{self.model}/infer",
            health="/v2/health/live",
            ready="/v2/health/ready",
            info=self.model,
            metrics=self.metrics,
        )

    def one(self, row: Row, *, positional: bool = False) -> Request:  # noqa: ARG002
        """Return the request for one row."""
        return self.many([row])

    def many(self, rows: Sequence[Row]) -> Request:
        """Return the request for several rows."""
        inputs = [self._together(rows)] if self.tensor else self._each(rows)
        return post(self.routes.predict, msgspec.json.encode({"inputs": inputs}))

    def invocation(self, rows: Sequence[Row]) -> None:  # noqa: ARG002
        """Return ``None``: the protocol has one way of asking."""
        return

    def read_one(self, reply: Reply) -> Answer:
        """Return the answer to one row."""
        answers = self.read_many(reply)
        if len(answers) != 1:
            raise Unreadable(f"{len(answers)} answers to one row")
        return answers[0]

    def read_many(self, reply: Reply) -> list[Answer]:
        """Return the answers in the order of the rows."""
        body = reply.json()
        outputs = body.get("outputs") if isinstance(body, Mapping) else None
        if not isinstance(outputs, list) or not all(isinstance(one, Mapping) for one in outputs):
            raise Unreadable("outputs")
        tensors = {str(one.get("name")): _rows_of(one) for one in outputs}
        each = _several(tensors)
        if each:
            return each
        table = next((rows for name, rows in tensors.items() if name != _FLAGS and _is_table(name, rows)), None)
        labels = next(
            (tensors[name] for name in (*_LABELS, *tensors) if _is_labels(tensors.get(name), table, name)), None
        )
        if labels is None and table is None:
            raise Unreadable("a prediction among the outputs")
        version = body.get("model_version") if isinstance(body, Mapping) else None
        flags = tensors.get(_FLAGS)
        return [
            self._answer(
                None if labels is None else labels[row],
                None if table is None else table[row],
                str(flags[row][0]) if flags is not None and row < len(flags) and flags[row] else "",
                version if isinstance(version, str) and version else None,
            )
            for row in range(len(labels if labels is not None else table or ()))
        ]

    def _answer(self, label: list[Any] | None, table: list[Any] | None, flags: str, version: str | None) -> Answer:
        probabilities = [fraction(value) for value in table or ()]
        if any(value is None for value in probabilities):
            raise Unreadable("probabilities")
        known = [value for value in probabilities if value is not None]
        best = max(range(len(known)), key=known.__getitem__) if known else None
        names = self.classes if len(self.classes) == len(known) else tuple(range(len(known)))
        said = plain(label[0]) if label else None if best is None else names[best]
        place = names.index(said) if said in names else best
        return Answer(
            label=said,
            probability=None if place is None or not known else known[place],
            probabilities={str(name): value for name, value in zip(names, known, strict=True)} if self.classes else {},
            version=version,
            flags=tuple(flag for flag in flags.split(",") if flag),
        )

    def _each(self, rows: Sequence[Row]) -> list[dict[str, object]]:
        names = list(rows[0]) if rows else list(self.names)
        columns = {name: [row.get(name) for row in rows] for name in names}
        return [
            {
                "name": name,
                "shape": [len(rows), 1],
                "datatype": self.datatypes.get(name) or _datatype(values),
                "data": values,
            }
            for name, values in columns.items()
        ]

    def _together(self, rows: Sequence[Row]) -> dict[str, object]:
        listed = [self._values(row) for row in rows]
        width = len(listed[0]) if listed else len(self.names)
        if any(len(row) != width for row in listed):  # a tensor has one width
            listed, width = [[row.get(name) for name in self.names] for row in rows], len(self.names)
        return {
            "name": self.tensor,
            "shape": [len(rows), width],
            "datatype": self.datatypes.get(self.tensor, "FP64"),
            "data": [cell for row in listed for cell in row],
        }

    def _values(self, row: Row) -> list[object]:
        """Return what is in a row, in the order of the features; what is too much comes last."""
        extra = [value for name, value in row.items() if name not in self.names]
        return [row[name] for name in self.names if name in row] + extra


def _datatype(values: Sequence[object]) -> str:
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, bool) for value in known):
        return "BOOL"
    if known and all(isinstance(value, int) for value in known) and len(known) == len(values):
        return "INT64"
    return "FP64" if all(is_number(value) for value in known) else "BYTES"


def _rows_of(output: Mapping[str, Any]) -> list[list[Any]]:
    """Return the elements of an output, row by row."""
    shape, data = output.get("shape"), output.get("data")
    if not isinstance(shape, list) or not shape or not isinstance(data, list):
        raise Unreadable("shape and data of an output")
    if not all(isinstance(size, int) and size >= 0 for size in shape):
        raise Unreadable("the shape of an output")
    width = prod(shape[1:])
    flat = [cell for row in data for cell in row] if data and all(isinstance(row, list) for row in data) else data
    if len(flat) != shape[0] * width:
        raise Unreadable("an output that does not fill its shape")
    return [flat[row * width : (row + 1) * width] for row in range(shape[0])]


def _several(tensors: Mapping[str, list[list[Any]]]) -> list[Answer]:
    """Return the answers of a model that gives several a row, one tensor each; empty where the tensors are of another kind."""
    apart = {name.removeprefix(_EACH): rows for name, rows in tensors.items() if name.startswith(_EACH)}
    if len(apart) < 2 or len({len(rows) for rows in apart.values()}) > 1:
        return []
    if any(len(row) != 1 for rows in apart.values() for row in rows):
        raise Unreadable("a prediction among the outputs")
    flags = tensors.get(_FLAGS)
    return [
        Answer(
            label=None,
            outputs={name: plain(rows[place][0]) for name, rows in apart.items()},
            flags=tuple(flag for flag in str(flags[place][0]).split(",") if flag) if flags else (),
        )
        for place in range(len(next(iter(apart.values()))))
    ]


def _is_table(name: str, rows: list[list[Any]]) -> bool:
    """Return whether an output holds the probabilities of every class."""
    if not rows or not all(is_number(value) for value in rows[0]):
        return False
    return len(rows[0]) > 1 or "prob" in name.lower()


def _is_labels(rows: list[list[Any]] | None, table: list[list[Any]] | None, name: str) -> bool:
    return rows is not None and rows is not table and name != _FLAGS and all(len(row) == 1 for row in rows)


def adapt(serving: Serving, names: tuple[str, ...]) -> OpenInference:
    """Return the adapter for the model that ``serving.mapping.predict`` names, or for one that is yet to be found."""
    path = serving.mapping.predict
    model = path.removesuffix("/infer") if path.startswith(_MODELS) else f"{_MODELS}model"
    return OpenInference(names, model, serving.mapping.metrics)


def settle(adapter: Adapter, ask: Ask, row: Row) -> Adapter:
    """Return the adapter for the model that the server has, in the form that it takes."""
    assert isinstance(adapter, OpenInference)
    adapter = _find_model(adapter, ask)
    (reply,) = ask([Request(target=adapter.model)])
    described = reply.json() if reply.ok else None
    described = described if isinstance(described, Mapping) else {}
    inputs = _named(described.get("inputs"))
    outputs = _named(described.get("outputs"))
    for output in outputs.values():
        classes = (output.get("parameters") or {}).get("classes")
        if isinstance(classes, list) and all(isinstance(one, str | int | bool | float) for one in classes):
            adapter = replace(adapter, classes=tuple(classes))
    datatypes = {name: str(one["datatype"]) for name, one in inputs.items() if one.get("datatype")}
    if set(inputs) >= set(adapter.names):
        return replace(adapter, datatypes=datatypes)
    if len(inputs) == 1:
        return replace(adapter, tensor=next(iter(inputs)), datatypes=datatypes)
    # It says nothing of what it takes.
    forms = [adapter, *(replace(adapter, tensor="input-0", datatypes={"input-0": kind}) for kind in ("FP64", "FP32"))]
    replies = ask([form.one(row) for form in forms])
    return next((form for form, said in zip(forms, replies, strict=True) if said.ok), adapter)


def _find_model(adapter: OpenInference, ask: Ask) -> OpenInference:
    """Return the adapter for a model that is there: the one that was named, or the first that the server lists."""
    named, index, listed = ask(
        [Request(target=adapter.model), post("/v2/repository/index", b"{}"), Request(target="/v2/models")]
    )
    if named.ok:
        return adapter
    for reply in (index, listed):
        found = reply.json() if reply.ok else None
        found = found.get("models") if isinstance(found, Mapping) else found
        for one in found if isinstance(found, list) else ():
            name = one.get("name") if isinstance(one, Mapping) else one
            if isinstance(name, str) and name:
                return replace(adapter, model=f"{_MODELS}{name}")
    return adapter


def _named(tensors: object) -> dict[str, Mapping[str, Any]]:
    if not isinstance(tensors, list):
        return {}
    return {str(one["name"]): one for one in tensors if isinstance(one, Mapping) and "name" in one}


oip = Speech(
    id="oip",
    title=Text(
        en="The Open Inference Protocol: KServe, MLServer, Triton",
        ja="Open Inference Protocol（KServe・MLServer・Triton）",
    ),
    adapt=adapt,
    settle=settle,
)
