"""A pickle read as data: no class is fetched, nothing that it names is called. What it would build stands there as plain records.

So two pickles can be compared number by number although nobody trusts them. Plain pickles are read and uncompressed joblib files, whose arrays
stand between the opcodes (joblib's ``NumpyArrayWrapper``).
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, prod
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

MOST_BYTES: Final = 256 * 1024 * 1024
MOST_PAIRS: Final = 5_000_000
_WRAPPER: Final = "joblib.numpy_pickle.NumpyArrayWrapper"
_READER: Final[Any] = pickle._Unpickler
"""Python's reader that is written in Python: the other one cannot be given opcodes of its own."""
_FLOATS: Final = ("f4", "f8")


class Different(Exception):
    """Two pickles build different things."""


@dataclass(eq=False, slots=True)
class Record:
    """What a pickle would fetch by name, call, or fill.

    Attributes:
        name: Of a class or function; empty for what calling one gives.
        parts: What it is called with, and what it is filled with, in order.

    """

    name: str
    parts: list[Any]

    def __hash__(self) -> int:
        return id(self)


class _Reader(_READER):  # type: ignore[misc]
    """Python's own reader of opcodes, with every opcode that would run something replaced by one that writes it down."""

    dispatch: ClassVar[dict[int, Any]] = dict(_READER.dispatch)

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self._source = file

    def find_class(self, module: str, name: str) -> Any:
        return Record(f"{module}.{name}", [])

    def persistent_load(self, pid: Any) -> Any:
        return Record("persistent", [pid])

    def get_extension(self, code: int) -> None:
        self.append(Record(f"extension {code}", []))

    def load_reduce(self) -> None:
        arguments, called = self.stack.pop(), self.stack.pop()
        self.append(Record("", [called, arguments]))

    def load_newobj_ex(self) -> None:
        named, arguments, kind = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self.append(Record("", [kind, arguments, named]))

    def load_inst(self) -> None:
        module, name = self.readline()[:-1].decode("ascii"), self.readline()[:-1].decode("ascii")
        self.append(Record("", [self.find_class(module, name), *self.pop_mark()]))

    def load_obj(self) -> None:
        self.append(Record("", self.pop_mark()))

    def load_build(self) -> None:
        state, built = self.stack.pop(), self.stack[-1]
        if not isinstance(built, Record):
            raise pickle.UnpicklingError
        built.parts.append(state)
        if _named(built) == _WRAPPER and isinstance(state, dict):
            self.stack[-1] = self._array(state)

    def load_append(self) -> None:
        value = self.stack.pop()
        _filled(self.stack[-1], [value])

    def load_appends(self) -> None:
        values = self.pop_mark()
        _filled(self.stack[-1], values)

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        _set(self.stack[-1], [key, value])

    def load_setitems(self) -> None:
        items = self.pop_mark()
        _set(self.stack[-1], items)

    def load_additems(self) -> None:
        items = self.pop_mark()
        _filled(self.stack[-1], sorted(items, key=repr))

    for opcode, method in (
        (pickle.REDUCE, load_reduce),
        (pickle.NEWOBJ, load_reduce),
        (pickle.NEWOBJ_EX, load_newobj_ex),
        (pickle.INST, load_inst),
        (pickle.OBJ, load_obj),
        (pickle.BUILD, load_build),
        (pickle.APPEND, load_append),
        (pickle.APPENDS, load_appends),
        (pickle.SETITEM, load_setitem),
        (pickle.SETITEMS, load_setitems),
        (pickle.ADDITEMS, load_additems),
    ):
        dispatch[opcode[0]] = method
    del opcode, method

    def _array(self, state: Mapping[str, Any]) -> Any:
        """Return the array that joblib wrote behind its wrapper."""
        kind, shape = _kind(state["dtype"]), tuple(int(size) for size in state["shape"])
        if kind is None or kind[0] == "O":
            return Record("objects", [_Reader(self._source).load()])
        if state.get("numpy_array_alignment_bytes"):
            self.read(self.read(1)[0])
        size = prod(shape) * int(kind[1:]) * (4 if kind[0] == "U" else 1)
        return Record("array", [shape, state.get("order"), _numbers(self.read(size), kind)])


def difference(first: bytes, second: bytes) -> float | None:
    """Return the largest difference between the numbers of two pickles, each as a share of the largest of its array.

    Returns:
        ``None`` when they build different things, or one of them cannot be read so.

    """
    if max(len(first), len(second)) > MOST_BYTES:
        return None
    try:
        return _apart(_Reader(io.BytesIO(first)).load(), _Reader(io.BytesIO(second)).load())
    except Exception:  # whatever bytes of somebody else make of a reader
        return None


def _apart(one: Any, other: Any) -> float:
    """Walk both at once; what is one thing in many places is walked once."""
    largest, waiting = 0.0, [(one, other)]
    seen: set[tuple[int, int]] = set()
    while waiting:
        one, other = waiting.pop()
        if type(one) is not type(other) or len(seen) > MOST_PAIRS:
            raise Different
        if isinstance(one, Record | list | tuple | dict | set | frozenset):
            if (id(one), id(other)) not in seen:
                seen.add((id(one), id(other)))
                waiting += _pairs(one, other)
        elif isinstance(one, np.ndarray):
            largest = max(largest, _between(one, other))
        elif isinstance(one, float):
            largest = max(largest, _between(np.array([one]), np.array([other])))
        elif one != other:
            raise Different
    return largest


def _pairs(one: Any, other: Any) -> list[tuple[Any, Any]]:
    if isinstance(one, Record):
        if one.name != other.name:
            raise Different
        one, other = _opened(one), _opened(other)
    elif isinstance(one, dict):
        one, other = [*one, *one.values()], [*other, *other.values()]
    elif isinstance(one, set | frozenset):
        one, other = sorted(one, key=repr), sorted(other, key=repr)
    if len(one) != len(other):
        raise Different
    return list(zip(one, other, strict=True))


def _opened(record: Record) -> list[Any]:
    """Return the parts of a record, with the bytes of an array of NumPy as numbers."""
    state = record.parts[-1] if record.parts else None
    if isinstance(state, tuple) and len(state) == 5 and isinstance(state[4], bytes) and _named(record):
        kind = _kind(state[2])
        if kind is not None and _named(record).endswith("multiarray._reconstruct"):
            return [*record.parts[:-1], state[:4], _numbers(state[4], kind)]
    return _scalar(record) or record.parts


def _scalar(record: Record) -> list[Any] | None:
    """Return a single number of NumPy, which is pickled as its kind and its bytes."""
    if not _named(record).endswith("multiarray.scalar"):
        return None
    arguments = record.parts[1]
    kind = _kind(arguments[0])
    return None if kind is None or not isinstance(arguments[1], bytes) else [kind, _numbers(arguments[1], kind)]


def _named(record: Record) -> str:
    called = record.parts[0] if record.parts else None
    return called.name if not record.name and isinstance(called, Record) else ""


def _kind(dtype: Any) -> str | None:
    """Return the kind of an array's cells and how large they are, such as ``f8``; ``None`` when that is not told."""
    if not isinstance(dtype, Record) or _named(dtype) != "numpy.dtype":
        return None
    code = dtype.parts[1][0]
    return code if isinstance(code, str) and code[:1] in "fiubcOSUVMm" and code[1:].isdecimal() else None


def _numbers(data: bytes, kind: str) -> NDArray[Any] | bytes:
    return np.frombuffer(data, dtype=kind).astype(np.float64) if kind in _FLOATS else data


def _between(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    if one.shape != other.shape or not np.array_equal(np.isfinite(one), np.isfinite(other)):
        raise Different
    finite = np.isfinite(one)
    if not np.array_equal(one[~finite], other[~finite], equal_nan=True):
        raise Different
    scale = float(np.abs(one[finite]).max(initial=0.0)) or 1.0
    found = float(np.abs(one[finite] - other[finite]).max(initial=0.0)) / scale
    return found if isfinite(found) else 1e300


def _filled(container: Any, values: list[Any]) -> None:
    if isinstance(container, Record):
        container.parts.append(values)
    elif isinstance(container, set):
        container.update(values)
    else:
        container.extend(values)


def _set(container: Any, items: list[Any]) -> None:
    if isinstance(container, Record):
        container.parts.append(items)
        return
    for place in range(0, len(items), 2):
        container[items[place]] = items[place + 1]
