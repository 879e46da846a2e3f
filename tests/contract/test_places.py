"""The place-finder against the standard library's reading of random documents."""

from __future__ import annotations

import tomllib
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.contract.places import Place, dotted, find_places

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE_END = st.sampled_from(["\n", "\r\n", "\n\n", " # a = [1, 'x']\n", "\n# [z]\n\n", "\n \t\n"])
INSIDE = st.text(st.sampled_from("ab=[]{}#.,'é道 \\t\"\n"), max_size=8)


class Writer:
    """Draws a document whose every number and key is unlike all others."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.numbers = count(100)
        self.arrays: list[str] = []

    def pick(self, *choices: str) -> str:
        chosen: str = self.draw(st.sampled_from(choices))
        return chosen

    def key(self) -> str:
        name = f"k{next(self.numbers)}"
        return self.pick(name, f'"{name}"', f"'{name}.x'", f'"{name} = \\"\\u0041 #"', f'"{name}道"')

    def dotted_key(self) -> str:
        parts = [self.key() for _ in range(self.draw(st.integers(1, 3)))]
        return self.pick(".", " . ").join(parts)

    def value(self, depth: int) -> str:
        kinds = ["number", "number", "string", "other"] + (["array", "table"] if depth else [])
        kind = self.pick(*kinds)
        if kind == "number":
            return str(next(self.numbers))
        if kind == "string":
            return self.string()
        if kind == "array":
            gap = self.pick("", " ", "\n", "\n  # ]\n")
            values = f",{gap}".join(gap + self.value(depth - 1) + gap for _ in range(self.draw(st.integers(0, 3))))
            comma = "," if values and self.draw(st.booleans()) else ""
            return f"[{values}{comma}{gap}]"
        if kind == "table":
            pairs = (f" {self.dotted_key()} = {self.value(depth - 1)} " for _ in range(self.draw(st.integers(0, 3))))
            return f"{{{','.join(pairs)}}}"
        return self.pick("true", "-1.5e3", "1979-05-27 07:32:00Z", "07:32:00", "inf", "0xFF")

    def string(self) -> str:
        inside: str = self.draw(INSIDE)
        kind = self.pick("basic", "literal", "multi-line basic", "multi-line literal")
        if kind == "basic":
            return '"' + inside.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
        if kind == "literal":
            return "'" + inside.replace("'", "").replace("\n", "") + "'"
        if kind == "multi-line basic":
            return '"""' + inside.replace("\\", "\\\\").replace('"', '\\"') + 'x""\\\n  y"""'
        return "'''" + inside.replace("'", "") + "x''y'''"

    def statement(self) -> str:
        kind = self.pick("pair", "pair", "pair", "table", "array", "again")
        space = self.pick("", " ", "\t", "  ")
        if kind == "table":
            return f"[{space}{self.dotted_key()}{space}]"
        if kind == "again" and self.arrays:
            name = self.pick(*self.arrays)
            return self.pick(f"[[{name}]]", f"[{name}.{self.key()}]", f"[[{name}.{self.key()}]]")
        if kind == "array":
            self.arrays.append(self.dotted_key())
            return f"[[{self.arrays[-1]}]]"
        return f"{space}{self.dotted_key()}{space}={space}{self.value(3)}"


@st.composite
def documents(draw: Any) -> str:
    writer = Writer(draw)
    return "".join(writer.statement() + draw(LINE_END) for _ in range(draw(st.integers(0, 8))))


def paths(value: object, place: Place = ()) -> Iterator[tuple[Place, object]]:
    if place:
        yield place, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*place, key))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths(inner, (*place, index))


@given(documents())
def test_every_place_that_the_standard_library_reads_is_found_on_its_line(text: str) -> None:
    read = dict(paths(tomllib.loads(text)))
    found = find_places(text)
    assert found.keys() == read.keys()
    lines = text.split("\n")
    for place, line in found.items():
        here = lines[line - 1]
        name = place[-1]
        if isinstance(name, str):
            assert name[:4] in here  # the number of the key, however it is quoted
        elif isinstance(read[place], int) and read[place] not in (True, 255):
            assert str(read[place]) in here


@given(st.text(st.sampled_from("[]{}=.,#\"'\\ab1\n \t"), max_size=30))
def test_what_the_standard_library_refuses_does_no_harm(text: str) -> None:
    try:
        found = find_places(text)
    except ValueError:
        with pytest.raises(tomllib.TOMLDecodeError):
            tomllib.loads(text)
        return
    assert all(1 <= line <= text.count("\n") + 1 for line in found.values())


def test_a_table_stands_where_it_is_first_named() -> None:
    found = find_places("[a.b]\nx = 1\n[a]\ny = 2\n")
    assert found == {("a",): 1, ("a", "b"): 1, ("a", "b", "x"): 2, ("a", "y"): 4}


def test_places_are_written_as_people_write_them() -> None:
    assert dotted(("waivers", 0, "box")) == "waivers[0].box"
    assert dotted(("rollout", "steps", 2)) == "rollout.steps[2]"
    assert dotted(()) == ""
