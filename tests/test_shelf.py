"""Finding the units of a shelf: adding one adds a file."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from sekisho.shelf import ShelfError, units

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Cup:
    id: str


HEAD = f"from {__name__} import Cup\n"


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[dict[str, str]], str]]:
    """Write a package and return its name."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, __name__, sys.modules[Cup.__module__])
    before = set(sys.modules)

    def write(files: dict[str, str]) -> str:
        for name, text in files.items():
            path = tmp_path / "cupboard" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            (path.parent / "__init__.py").touch()
        root = tmp_path / "cupboard"
        root.mkdir(exist_ok=True)
        (root / "__init__.py").touch()
        return "cupboard"

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_units_are_found_in_folders_too_and_ordered_by_id(shelf: Callable[[dict[str, str]], str]) -> None:
    name = shelf(
        {
            "second.py": HEAD + "blue = Cup('b')\nnot_a_cup = 'x'\n",
            "inner/first.py": HEAD + "red = Cup('a')\n",
        }
    )
    assert list(units(name, Cup)) == ["a", "b"]


def test_the_same_unit_seen_twice_is_one(shelf: Callable[[dict[str, str]], str]) -> None:
    name = shelf({"one.py": HEAD + "cup = Cup('a')\nalias = cup\n", "two.py": "from cupboard.one import cup\n"})
    assert list(units(name, Cup)) == ["a"]


def test_two_units_of_one_id_are_an_error(shelf: Callable[[dict[str, str]], str]) -> None:
    name = shelf({"one.py": HEAD + "cup = Cup('a')\n", "two.py": HEAD + "cup = Cup('a')\n"})
    with pytest.raises(ShelfError, match=r"two units are named a") as raised:
        units(name, Cup)
    assert raised.value.where == "cupboard.two"


def test_installed_distributions_add_units(
    shelf: Callable[[dict[str, str]], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = shelf({"one.py": HEAD + "cup = Cup('a')\n"})
    (tmp_path / "guest.py").write_text(HEAD + "cup = Cup('z')\n")
    info = tmp_path / "guest-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: guest\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[cupboard]\nguest = guest\n")
    assert list(units(name, Cup)) == ["a", "z"]


def test_an_empty_shelf_has_no_units(shelf: Callable[[dict[str, str]], str]) -> None:
    assert units(shelf({}), Cup) == {}
