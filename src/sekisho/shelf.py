"""Finding the units of a shelf.

A shelf is a package whose modules each hold one unit: an object of a given kind at module level, with an ``id``.
Installed distributions may add units through the entry-point group named after the package. Adding a unit adds one
file and edits none.
"""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol, TypeVar

from sekisho.errors import SekishoError
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


class Unit(Protocol):
    """Anything that can stand on a shelf."""

    @property
    def id(self) -> str:
        """The name that the unit is asked for by."""
        ...


UnitT = TypeVar("UnitT", bound=Unit)


class ShelfError(SekishoError):
    """Two units of one shelf share an id."""


def units(package: str, kind: type[UnitT]) -> dict[str, UnitT]:
    """Return the units of ``kind`` in ``package`` and its sub-packages, by id, in the order of their ids.

    Args:
        package: Dotted name of the shelf, such as ``sekisho.checks``; also the name of its entry-point group.
        kind: The class that the units are instances of.

    Raises:
        ShelfError: Two different units have the same id.

    """
    found: dict[str, UnitT] = {}
    for module in (*_modules(package), *_plugins(package)):
        for value in vars(module).values():
            if isinstance(value, kind) and found.setdefault(value.id, value) is not value:
                raise ShelfError(
                    Text(en=f"two units are named {value.id}", ja=f"{value.id} という名前が重複しています"),
                    Text(en="rename one of them", ja="どちらかの名前を変えてください"),
                    where=module.__name__,
                )
    return dict(sorted(found.items()))


def _modules(package: str) -> Iterator[ModuleType]:
    root = importlib.import_module(package)
    for info in pkgutil.walk_packages(root.__path__, prefix=f"{package}."):
        if not info.ispkg:
            yield importlib.import_module(info.name)


def _plugins(group: str) -> Iterator[ModuleType]:
    for entry in entry_points(group=group):
        yield importlib.import_module(entry.module)
