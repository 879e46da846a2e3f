"""Mistakes of syntax: all at once, each on its line, and the rest still read."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.contract.syntax import MOST_FAULTS, read_toml

MISTAKES = [
    ("a = 1\na = 2\n", [(2, "a stands twice; first on line 1")], {"a": 1}),
    ("[m]\nx = 1\n\n[m]\ny = 2\n[n]\n", [(4, "m stands twice; first on line 1")], {"m": {"x": 1}, "n": {}}),
    ("[m]\nx = 1\n[m.x]\n", [(3, "m.x stands twice; first on line 2")], {"m": {"x": 1}}),
    ("a.b = 1\na.b.c = 2", [(2, "a.b stands twice; first on line 1")], {"a": {"b": 1}}),
    ("a = {x = 1, x = 2}\nb = 1", [(1, "a.x stands twice; first on line 1")], {"b": 1}),
    ("a = [\n{x = 1, x = 2},\n]\nb = 1", [(2, "a key stands twice")], {"b": 1}),
    ("a = yes\nb = True\nc = 1", [(1, "cannot be read"), (2, "cannot be read")], {"c": 1}),
    ("a =\nb = 1", [(1, "cannot be read")], {"b": 1}),
    ("a = [1,\nb = 2\nc = 3", [(1, "cannot be read (seen on line 2)")], {"b": 2, "c": 3}),
    ("s = [\n 0.1,\n abc,\n 1.0,\n]\nt = q\nu = 1", [(1, "(seen on line 3)"), (6, "cannot be read")], {"u": 1}),
    ('a = "x\nb = 1', [(1, "never closed")], {"b": 1}),
    ('a = 1\nb = """x\n\nc = 1', [(2, "never closed (seen on line 4)")], {"a": 1, "c": 1}),
    ("[m\nx = 1\ny = 2\n[n]\nz = 3", [(1, "never closed")], {"n": {"z": 3}}),
    ("[[w]\nx = 1\n", [(1, "never closed")], {}),
    ("a = {x = 1\n}\nb = 2", [(1, "never closed")], {"b": 2}),
    ("hello\nb = 1", [(1, "neither a section nor a key")], {"b": 1}),
    ("a b = 1", [(1, "neither a section nor a key")], {}),
    ("a: 1\nb = 1", [(1, "neither a section nor a key")], {"b": 1}),
    ("\x00 = 1", [(1, "neither a section nor a key")], {}),
    ("a = 1 b = 2\nc = 1", [(1, "behind the value")], {"c": 1}),
    ("d = 2026-13-01", [(1, "behind the value")], {}),
    ('p = "C:\\data"\nq = 1', [(1, "backslash")], {"q": 1}),
    ("a = " + "9" * 5_000 + "\nb = 1", [(1, "cannot be read")], {"b": 1}),
    ("a = " + "[" * 50_000, [(1, "nested too deeply")], None),
    ("b = 1\n" + "a." * 1_000 + "a = 1", [(2, "nested too deeply")], None),
]


@pytest.mark.parametrize(("text", "faults", "rest"), MISTAKES, ids=lambda value: repr(value)[:30])
def test_every_mistake_is_named_and_the_rest_is_read(
    text: str, faults: list[tuple[int, str]], rest: dict[str, object] | None
) -> None:
    reading = read_toml(text)
    assert [fault.line for fault in reading.faults] == [line for line, _ in faults]
    for fault, (_, words) in zip(reading.faults, faults, strict=True):
        assert words in fault.what.en
        assert fault.remedy.en
        assert fault.remedy.ja
    assert reading.data == rest


@given(st.text(st.sampled_from("[]{}=.,#\"'\\ab1\n\r \t"), max_size=40))
def test_any_text_is_read_or_has_a_fault(text: str) -> None:
    reading = read_toml(text)
    try:
        plain = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assert reading.faults
        assert all(1 <= fault.line <= text.count("\n") + 1 for fault in reading.faults)
        assert reading.data is None or tomllib.loads(reading.text) == reading.data
    else:
        assert (reading.data, reading.faults) == (plain, ())


def test_carriage_returns_are_line_ends() -> None:
    reading = read_toml("a = 1\r\nb = x\r\nc = 2\r\n")
    assert [fault.line for fault in reading.faults] == [2]
    assert reading.data == {"a": 1, "c": 2}


@pytest.mark.parametrize(
    "text",
    [
        'x = """\n' + "y = 1\n" * 20_000,
        "x = [\n" + "1,\n" * 30_000,
        "a = x\n" * 20_000,
        "\n".join("[" * 200 for _ in range(600)),
        "a = {" * 20_000,
    ],
    ids=["open string", "open list", "many mistakes", "brackets", "open tables"],
)
def test_hostile_text_is_given_up_after_a_bounded_effort(text: str) -> None:
    assert 1 <= len(read_toml(text).faults) <= MOST_FAULTS  # without the bound, this takes hours
