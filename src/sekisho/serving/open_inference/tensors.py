"""Tensors of the Open Inference Protocol as rows: one tensor a feature, or one of shape ``[n, k]`` for all of them.

Whatever the datatype, a cell is judged by the rules of its feature, the same as in Sekisho's own protocol. A floating-point NaN is a null,
because JSON has ``null`` and the binary form has nothing else; of a ``BYTES`` tensor, its parameter ``null`` names the string that stands for
one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from sekisho.errors import InvalidInput
from sekisho.predict.cells import wire_type
from sekisho.predict.columnar import LARGEST_EXACT, ColumnarRows, column_of, matrix_of
from sekisho.serving.open_inference.datatypes import BF16, BOOL, BYTES, DTYPES, FLOATS, KNOWN, accepted
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sekisho.artifact.signature import Feature
    from sekisho.predict.rows import Row
    from sekisho.serving.routing import Model

FEW: Final = 16
"""Rows; as many or more are read into arrays, fewer are cheaper as they are."""
_MOST_DIMENSIONS: Final = 2


class Tensor(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """One input.

    Attributes:
        name: Its name.
        datatype: One of :data:`~sekisho.serving.open_inference.datatypes.KNOWN`.
        shape: ``[n]``, ``[n, 1]`` or ``[n, k]``.
        values: Its elements in C order: an array, or a list of JSON values.
        null: The string that stands for null.

    """

    name: str
    datatype: str
    shape: Sequence[int]
    values: NDArray[Any] | list[Any]
    null: str | None = None


class TensorReader:
    """Reads tensors by the rules of a model."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._features = model.signature.features
        self._names = model.signature.names
        self._places = {name: place for place, name in enumerate(self._names)}
        self._accepted = tuple(map(accepted, self._features))
        self._all_floats = all(feature.kind == "float" for feature in self._features)
        kinds: Any = tuple[tuple(wire_type(feature) for feature in self._features)]  # type: ignore[misc]
        self._rows_type: Any = list[kinds]

    def rows(self, tensors: Sequence[Tensor]) -> Sequence[Row]:
        """Return the rows that tensors hold.

        Raises:
            InvalidInput: A tensor is missing, unknown, of another datatype or shape than it must be, or a cell does not fit.

        """
        if len(tensors) == 1 and self._is_matrix(tensors[0]):
            return self._of_matrix(tensors[0])
        return self._of_columns(tensors)

    def _is_matrix(self, tensor: Tensor) -> bool:
        wanted = len(self._names)
        if wanted == 1:
            return tensor.name not in self._places
        return len(tensor.shape) == _MOST_DIMENSIONS and tensor.name not in self._places

    def _of_matrix(self, tensor: Tensor) -> Sequence[Row]:
        wanted = len(self._names)
        rows = self._check_shape(tensor, wanted)
        for place, feature in enumerate(self._features):
            self._check_datatype(tensor, feature, place)
        values = tensor.values
        if isinstance(values, np.ndarray):
            return matrix_of(self._features, values.reshape(rows, wanted))
        if self._all_floats and rows >= FEW:
            array = np.array(values, dtype=np.float64)
            # A whole number that no float holds is not seen any more; those are read one by one.
            if not (np.abs(array) >= LARGEST_EXACT).any():
                return matrix_of(self._features, array.reshape(rows, wanted))
        return self._judged([tuple(values[at : at + wanted]) for at in range(0, len(values), wanted)])

    def _of_columns(self, tensors: Sequence[Tensor]) -> Sequence[Row]:
        by_place: dict[int, Tensor] = {}
        for tensor in tensors:
            place = self._places.get(tensor.name)
            if place is None:
                raise self._unknown(tensor.name)
            if place in by_place:
                raise InvalidInput(
                    "duplicate_key",
                    Text(en="a tensor stands twice", ja="テンソルが重複しています"),
                    Text(en="send every feature once", ja="特徴量は1回だけ送ってください"),
                    field=tensor.name,
                )
            by_place[place] = tensor
        missing = next((place for place in range(len(self._names)) if place not in by_place), None)
        if missing is not None:
            raise self._missing(self._features[missing])
        ordered = [by_place[place] for place in range(len(self._names))]
        counts = {self._check_shape(tensor, 1) for tensor in ordered}
        if len(counts) > 1:
            raise InvalidInput(
                "wrong_count",
                Text(en="the tensors differ in their number of rows", ja="テンソルの行数が揃っていません"),
                Text(en="give every tensor the same first dimension", ja="全テンソルの最初の次元を揃えてください"),
            )
        for place, tensor in enumerate(ordered):
            self._check_datatype(tensor, self._features[place], place)
        if all(isinstance(tensor.values, np.ndarray) for tensor in ordered):
            return ColumnarRows(
                self._features, [_column(feature, one) for feature, one in zip(self._features, ordered, strict=True)]
            )
        rows = list(zip(*map(_cells, ordered), strict=True))
        return self._judged_one_by_one(rows) if any(map(_has_infinite, ordered)) else self._judged(rows)

    def _judged(self, rows: list[tuple[Any, ...]]) -> Sequence[Row]:
        try:
            judged: list[Row] = msgspec.convert(rows, self._rows_type)
        except msgspec.ValidationError:
            return self._judged_one_by_one(rows)
        return judged

    def _judged_one_by_one(self, rows: list[tuple[Any, ...]]) -> Sequence[Row]:
        return [self._model.reader.read(row, row=place) for place, row in enumerate(rows)]

    def _check_shape(self, tensor: Tensor, width: int) -> int:
        """Return the number of rows."""
        shape = tensor.shape
        is_flat = len(shape) == 1 and width == 1
        fits = is_flat or (len(shape) == _MOST_DIMENSIONS and shape[1] == width)
        if not fits or any(size < 0 for size in shape):
            raise InvalidInput(
                "wrong_count",
                Text(en="the shape of the tensor is wrong", ja="テンソルの形が違います"),
                Text(en=f"send shape [n, {width}]", ja=f"形を [n, {width}] にしてください")
                if width > 1
                else Text(en="send shape [n] or [n, 1]", ja="形を [n] か [n, 1] にしてください"),
                field=shown(tensor.name),
            )
        self._model.check_count(shape[0])
        if math.prod(shape) != len(tensor.values):
            raise unsound(tensor.name, Text(en="its data does not fill its shape", ja="データの個数が形と合いません"))
        return shape[0]

    def _check_datatype(self, tensor: Tensor, feature: Feature, place: int) -> None:
        if tensor.datatype not in self._accepted[place]:
            names = ", ".join(name for name in KNOWN if name in self._accepted[place])
            raise InvalidInput(
                "wrong_type",
                Text(en="the datatype cannot carry this feature", ja="このデータ型では特徴量を表せません"),
                Text(en=f"send {names}", ja=f"{names} で送ってください"),
                field=feature.name,
            )

    def _unknown(self, name: str) -> InvalidInput:
        listed = ", ".join(self._names[:20]) + (", …" if len(self._names) > 20 else "")
        return InvalidInput(
            "unknown_feature",
            Text(en="the model has no such feature", ja="モデルにその特徴量はありません"),
            Text(
                en=f"send one tensor a feature ({listed}), or one of shape [n, {len(self._names)}] for all of them",
                ja=f"特徴量ごとのテンソル（{listed}）か、全体で1つの [n, {len(self._names)}] を送ってください",
            ),
            field=shown(name),
        )

    def _missing(self, feature: Feature) -> InvalidInput:
        return InvalidInput(
            "missing_feature",
            Text(en="a feature is missing", ja="特徴量が足りません"),
            Text(en="send one tensor for every feature", ja="すべての特徴量のテンソルを送ってください"),
            field=feature.name,
        )


def _has_infinite(tensor: Tensor) -> bool:
    """Return whether a tensor holds what JSON cannot, and msgspec lets pass."""
    values = tensor.values
    return isinstance(values, np.ndarray) and values.dtype.kind == "f" and bool(np.isinf(values).any())


def _column(feature: Feature, tensor: Tensor) -> NDArray[Any]:
    assert isinstance(tensor.values, np.ndarray)
    nulls = None
    if tensor.null is not None and tensor.datatype == BYTES:
        nulls = tensor.values == tensor.null
    return column_of(feature, tensor.values, nulls)


def _cells(tensor: Tensor) -> list[Any]:
    values: list[Any] = tensor.values.tolist() if isinstance(tensor.values, np.ndarray) else tensor.values
    if tensor.datatype in FLOATS and isinstance(tensor.values, np.ndarray):
        return [None if value != value else value for value in values]
    if tensor.null is not None and tensor.datatype == BYTES:
        return [None if value == tensor.null else value for value in values]
    return values


def from_bytes(name: str, datatype: str, shape: Sequence[int], data: bytes | memoryview) -> NDArray[Any]:
    """Return the elements of a tensor in the binary form.

    Raises:
        InvalidInput: They are others than it says (``malformed_tensor``).

    """
    if datatype == BYTES:
        return strings(name, _pieces(name, data, math.prod(shape)))
    dtype = DTYPES["UINT16" if datatype == BF16 else datatype]
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise unsound(name, Text(en="its data does not fill its shape", ja="データの長さが形と合いません"))
    if datatype == BOOL:
        array = np.frombuffer(data, dtype=np.uint8)
        if (array > 1).any():
            raise unsound(name, Text(en="a boolean is neither 0 nor 1", ja="0 でも 1 でもない真偽値があります"))
        return array.view(np.bool_)
    if datatype == BF16:
        return (np.frombuffer(data, dtype=dtype).astype("<u4") << 16).view("<f4")
    return np.frombuffer(data, dtype=dtype)


def _pieces(name: str, data: bytes | memoryview, most: int) -> list[bytes]:
    """Return the strings of a ``BYTES`` tensor: each after its length, four bytes, little-endian."""
    whole = bytes(data)
    found: list[bytes] = []
    at = 0
    while at < len(whole):
        after = at + 4 + int.from_bytes(whole[at : at + 4], "little")
        if after > len(whole) or at + 4 > len(whole) or len(found) >= most:
            raise unsound(name, Text(en="its data does not fill its shape", ja="データの長さが形と合いません"))
        found.append(whole[at + 4 : after])
        at = after
    return found


def strings(name: str, pieces: Sequence[bytes]) -> NDArray[Any]:
    """Return strings as an array of Python strings.

    Raises:
        InvalidInput: One is not UTF-8 (``malformed_tensor``).

    """
    array = np.empty(len(pieces), dtype=object)
    try:
        array[:] = [piece.decode() for piece in pieces]
    except UnicodeDecodeError:
        raise unsound(name, Text(en="a string is not UTF-8", ja="UTF-8 でない文字列があります")) from None
    return array


def unsound(name: str, what: Text) -> InvalidInput:
    """Return the error for a tensor that is not what it says."""
    return InvalidInput(
        "malformed_tensor",
        what,
        Text(
            en="send as many elements as the shape says, in the stated datatype",
            ja="形のとおりの個数を、宣言したデータ型で送ってください",
        ),
        field=shown(name),
    )


def shown(name: str) -> str | None:
    """Return a name as it may stand in an answer; ``None`` if it may not."""
    return name if name and name.isprintable() and len(name) <= 100 else None
