"""What a model answers as outputs of the Open Inference Protocol: predictions, probabilities, and flags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from sekisho.artifact.several import slices_of
from sekisho.errors import InvalidInput
from sekisho.predict.naming import class_name
from sekisho.serving.open_inference.asking import refuse_regions
from sekisho.serving.open_inference.datatypes import BYTES, DTYPES, of_predictions
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sekisho.artifact.signature import Output, Signature
    from sekisho.serving.open_inference.asking import Asked
    from sekisho.serving.routing import Reply

PREDICTION: Final = "prediction"
PROBABILITIES: Final = "probabilities"
FLAGS: Final = "flags"


class Wish(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """What the answer shall hold.

    Attributes:
        id: The caller's own name for the request; empty if it has none.
        outputs: The names of the outputs, in order.
        binary: Those of them that are wanted in the binary form.
        whole: Whether the caller named no outputs: flags are sent if there are any.

    """

    id: str
    outputs: tuple[str, ...]
    binary: frozenset[str]
    whole: bool


class Answered(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """One output.

    Attributes:
        name, datatype, shape: As in the protocol.
        values: Its elements in C order, as JSON values; an array where it is sent in the binary form.

    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Any

    def binary(self) -> bytes:
        """Return the elements in the binary form."""
        if self.datatype == BYTES:
            pieces = [value.encode() for value in self.values]
            return b"".join([len(piece).to_bytes(4, "little") + piece for piece in pieces])
        return np.array(self.values, dtype=DTYPES[self.datatype]).tobytes()


class Answerer:
    """Makes outputs by the rules of a signature."""

    def __init__(self, signature: Signature) -> None:
        self._several = bool(signature.output.outputs)
        self._predictions, self._probabilities = tensors_of(signature)
        self._usual = (*self._predictions, *self._probabilities)
        self._known = (*self._usual, FLAGS)

    def wish(self, asked: Asked) -> Wish:
        """Return what the answer to a request shall hold.

        Raises:
            InvalidInput: An output is asked for that the model does not have.

        """
        all_binary = asked.parameters.get("binary_data_output") is True
        if not asked.outputs:
            names = self._usual
            return Wish(id=asked.id, outputs=names, binary=frozenset(self._known if all_binary else ()), whole=True)
        listed: list[str] = []
        binary: set[str] = set()
        for output in asked.outputs:
            parameters = output.parameters or {}
            refuse_regions(parameters, output.name)
            if output.name not in self._known or output.name in listed:
                known = ", ".join(self._known)
                raise InvalidInput(
                    "unknown_field",
                    Text(en="the model has no such output, or it stands twice", ja="その出力はないか、重複しています"),
                    Text(en=f"ask for: {known}", ja=f"次の出力を指定してください: {known}"),
                    field="outputs",
                )
            listed.append(output.name)
            if parameters.get("binary_data", all_binary) is True:
                binary.add(output.name)
        return Wish(id=asked.id, outputs=tuple(listed), binary=frozenset(binary), whole=False)

    def outputs(self, reply: Reply, wish: Wish) -> list[Answered]:
        """Return what is answered."""
        names = (*wish.outputs, FLAGS) if wish.whole and reply.flags else wish.outputs
        return [self._output(name, reply, binary=name in wish.binary) for name in names]

    def _output(self, name: str, reply: Reply, *, binary: bool) -> Answered:
        rows = len(reply.predictions)
        if name in self._probabilities:
            part = self._probabilities[name][1]
            table: Sequence[Sequence[float]] = reply.probabilities or ()
            values: Any = reply.table[:, part] if binary and reply.table is not None else None
            if values is None:
                values = [value for row in table for value in row[part]]
            return Answered(name=name, datatype="FP64", shape=(rows, part.stop - part.start), values=values)
        if name == FLAGS:
            values = [",".join(map(str, reply.flags.get(row, ()))) for row in range(rows)]
            return Answered(name=name, datatype=BYTES, shape=(rows,), values=values)
        one = self._predictions[name]
        values = list(reply.predictions)
        if self._several:
            values = [row[one.name] for row in values]
        datatype = of_predictions(one)
        if datatype == BYTES:
            values = list(map(class_name, values))
        return Answered(name=name, datatype=datatype, shape=(rows,), values=values)


def tensors_of(signature: Signature) -> tuple[dict[str, Output], dict[str, tuple[Output, slice]]]:
    """Return the outputs that hold predictions, and those that hold probabilities with their places among all of a row.

    There is ``prediction`` and ``probabilities``; of a model that gives several answers a row, each followed by ``_`` and the answer's name.
    """
    output = signature.output
    parts = dict(zip(output.each, slices_of(output), strict=True))
    ends = {f"_{one.name}" if output.outputs else "": one for one in output.each}
    stated = ends.items() if output.probabilities else ()
    return (
        {PREDICTION + end: one for end, one in ends.items()},
        {PROBABILITIES + end: (one, parts[one]) for end, one in stated},
    )


def parameters_of(reply: Reply) -> Mapping[str, str]:
    """Return what is told of an answer besides its outputs: by the request id, an outcome can be told later."""
    return {"request_id": reply.request_id, "timestamp": reply.timestamp}
