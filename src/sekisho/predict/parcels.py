"""What goes between a serving process and the child that runs a model: arrays as bytes, nothing that could be code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from sekisho.artifact.column import Scalar
from sekisho.artifact.formats.interface import Outputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sekisho.artifact.formats.interface import Columns


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """One array.

    Attributes:
        dtype: NumPy's name of its dtype; ``object`` for strings and mixed values.
        shape: Its shape.
        content: Its bytes in C order; a list of JSON values if the dtype is ``object``.

    """

    dtype: str
    shape: tuple[int, ...]
    content: bytes | list[Scalar]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Rows for the model."""

    columns: dict[str, Parcel]


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What the child says.

    Attributes:
        ready: The model is loaded; comes once, first.
        process_id: The number of the process that is ready.
        values, probabilities: The answer.
        failure: What went wrong instead: the name of the exception; while loading, with its message.
        code: The code of a failure that is known.
        memory: The bytes that the child holds.

    """

    ready: bool = False
    process_id: int = 0
    values: Parcel | None = None
    probabilities: Parcel | None = None
    failure: str | None = None
    code: str | None = None
    memory: int = 0


def wrap(array: NDArray[np.generic]) -> Parcel:
    """Return an array as a parcel."""
    if array.dtype == object:
        return Parcel(dtype="object", shape=array.shape, content=array.ravel().tolist())
    return Parcel(dtype=array.dtype.str, shape=array.shape, content=np.ascontiguousarray(array).tobytes())


def unwrap(parcel: Parcel) -> NDArray[np.generic]:
    """Return the array of a parcel.

    Raises:
        ValueError: Content and shape do not agree.

    """
    if isinstance(parcel.content, list):
        array = np.empty(len(parcel.content), dtype=object)
        array[:] = parcel.content
        return array.reshape(parcel.shape)
    return np.frombuffer(bytearray(parcel.content), dtype=np.dtype(parcel.dtype)).reshape(parcel.shape)


_encoder = msgspec.msgpack.Encoder()
_questions = msgspec.msgpack.Decoder(Question)
_replies = msgspec.msgpack.Decoder(Reply)


def ask(columns: Columns) -> bytes:
    """Return the message that asks a model."""
    return _encoder.encode(Question(columns={name: wrap(array) for name, array in columns.items()}))


def asked(message: bytes) -> dict[str, NDArray[np.generic]]:
    """Return the columns of a message that asks a model."""
    return {name: unwrap(parcel) for name, parcel in _questions.decode(message).columns.items()}


def reply(content: Reply) -> bytes:
    """Return the message of a reply."""
    return _encoder.encode(content)


def answer(outputs: Outputs, *, memory: int) -> bytes:
    """Return the message that answers."""
    table = outputs.probabilities
    return reply(
        Reply(values=wrap(outputs.values), probabilities=None if table is None else wrap(table), memory=memory)
    )


def replied(message: bytes) -> Reply:
    """Return the reply in a message.

    Raises:
        msgspec.DecodeError: It is none.

    """
    return _replies.decode(message)


def outputs_of(reply: Reply) -> Outputs:
    """Return the outputs in a reply.

    Raises:
        ValueError: It holds none.

    """
    if reply.values is None:
        raise ValueError("a reply without values")
    table = None if reply.probabilities is None else unwrap(reply.probabilities).astype(np.float64)
    return Outputs(values=unwrap(reply.values), probabilities=table)
