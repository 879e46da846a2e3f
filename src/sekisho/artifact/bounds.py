"""Whether the work of an ONNX graph depends on the values of the rows that it is asked.

What constants and the shapes of inputs cost shows when a graph is warmed up. A ``Loop`` that counts as far as a feature says, or a tensor
as large as one, does not: such a graph never runs in a process that others depend on. The graph is read as it lies, without the onnx library.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sekisho.artifact import protobuf
from sekisho.artifact.protobuf import NotProtobuf, fields

_LOOPS: Final = frozenset({"Loop"})
_BRANCHING: Final = frozenset({"If", "Loop", "Scan", "SequenceMap"})
"""Operators that run graphs of their own. The attributes of others, which may hold millions of numbers, are passed over."""
_SIZES: Final[dict[str, tuple[int, ...]]] = {
    "ConstantOfShape": (0,),
    "Expand": (1,),
    "Tile": (1,),
    "Range": (0, 1, 2),
    "Resize": (1, 2, 3),
    "Upsample": (1,),
    "Pad": (1, 3),
    "OneHot": (1,),
    "CenterCropPad": (1,),
    "BlackmanWindow": (0,),
    "HammingWindow": (0,),
    "HannWindow": (0,),
    "MelWeightMatrix": (0, 1),
    "RepeatInterleave": (1,),
}
"""Operators that make a tensor of a size that an input says, and which inputs those are."""
_SHAPES: Final = frozenset({"Shape", "Size"})
"""What these give depends on the shape of their input, not on its values."""
MOST_NODES: Final = 200_000
MOST_DEPTH: Final = 16


@dataclass(kw_only=True, slots=True)
class _Node:
    kind: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    graphs: list[tuple[int, int]] = field(default_factory=list)


def sized_by_rows(data: bytes) -> tuple[str, ...]:
    """Return the operators of a graph whose work depends on the values of rows, sorted; empty if there are none.

    A graph of functions of its own, or too large or too deep to be followed, counts as one: ``graph``.
    """
    view = memoryview(data)
    found: set[str] = set()
    try:
        for number, wire, first, last in fields(view, 0, len(data)):
            if wire == protobuf.BYTES and number == 7:
                _follow(view, first, last, frozenset(), found, 0)
            elif number == 25:  # functions of the model itself
                found.add("graph")
    except (NotProtobuf, UnicodeDecodeError, _TooMuch):
        found.add("graph")
    return tuple(sorted(found))


class _TooMuch(Exception):
    pass


def _follow(view: memoryview, first: int, last: int, outer: frozenset[str], found: set[str], depth: int) -> None:
    """Look at one graph; ``outer`` are the names outside it that do not depend on values of rows."""
    if depth > MOST_DEPTH:
        raise _TooMuch
    fixed, nodes = set(outer), []
    for number, wire, begin, end in fields(view, first, last):
        if wire != protobuf.BYTES:
            continue
        if number == 1:
            nodes.append(_node(view, begin, end))
            if len(nodes) > MOST_NODES:
                raise _TooMuch
        elif number == 5:
            fixed.add(_name(view, begin, end, 8))
    for number, wire, begin, end in fields(view, first, last):
        if wire == protobuf.BYTES and number == 11:  # an input, which may stand for an initializer of the same name
            fixed.discard(_name(view, begin, end, 1))
    fixed.add("")
    for node in nodes:
        if node.kind in _LOOPS:
            found.add(node.kind)
        sizes = (node.inputs[at] for at in _SIZES.get(node.kind, ()) if at < len(node.inputs))
        if any(name not in fixed for name in sizes):
            found.add(node.kind)
        for begin, end in node.graphs:
            _follow(view, begin, end, frozenset(fixed), found, depth + 1)
        if node.kind in _SHAPES or (all(name in fixed for name in node.inputs) and not node.graphs):
            fixed.update(node.outputs)


def _node(view: memoryview, first: int, last: int) -> _Node:
    node, attributes = _Node(), []
    for number, wire, begin, end in fields(view, first, last):
        if wire != protobuf.BYTES:
            continue
        if number == 1:
            node.inputs.append(bytes(view[begin:end]).decode())
        elif number == 2:
            node.outputs.append(bytes(view[begin:end]).decode())
        elif number == 4:
            node.kind = bytes(view[begin:end]).decode()
        elif number == 5:
            attributes.append((begin, end))
    if node.kind in _BRANCHING:
        node.graphs = [
            (at, until)
            for begin, end in attributes
            for inner, kind, at, until in fields(view, begin, end)
            if kind == protobuf.BYTES and inner in {6, 11}
        ]
    return node


def _name(view: memoryview, first: int, last: int, wanted: int) -> str:
    for number, wire, begin, end in fields(view, first, last):
        if wire == protobuf.BYTES and number == wanted:
            return bytes(view[begin:end]).decode()
    return ""
