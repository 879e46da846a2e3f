"""Models of boosting libraries, alone or inside estimators of scikit-learn: told apart, taken out, and put back.

Inside a pipeline a trained model of such a library is replaced by its own file, as an array of bytes, before the rest is saved; when the rest
has been rebuilt, each file is read by the reader of its library. So no type of these libraries has to be trusted.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from sekisho.artifact import apart
from sekisho.artifact.boosters.interface import Booster, damaged
from sekisho.text import Text

MARK: Final = "__sekisho_booster__"
"""The key of a mapping that stands for a model: the id of its library."""
_CLASS: Final = "class"
_DATA: Final = "data"


@functools.cache
def units() -> dict[str, Booster]:
    """Return every boosting library, by id."""
    return apart.units()


def library_of(model: object) -> Booster | None:
    """Return the library that ``model`` is of; nothing is imported."""
    return next((unit for unit in units().values() if unit.owns(model)), None)


def settled(model: Any) -> Any:
    """Return a bare model of a boosting library as an estimator; anything else as it is.

    Raises:
        CannotPack: Its answers are of no kind that is known here.

    """
    unit = library_of(model)
    return model if unit is None or not unit.is_fitted(model) else unit.settled(model)


def write(unit: Booster, model: Any) -> bytes:
    """Return a trained model as its library's own file."""
    return apart.vouch(unit.write(unit.settled(model)))


def read(unit: Booster, data: bytes, *, where: str) -> Any:
    """Return the estimator in a file of ``unit``, once it has been looked at, and read where nothing is lost.

    Raises:
        IntegrityError: It is damaged, or kills what reads it.
        ArtifactError: The library here cannot read it.

    """
    unit.check(data, where=where)
    apart.prove(unit, data, where=where)
    return unit.read(data, where=where)


def taken_out(model: Any) -> Any:
    """Return ``model`` with every model of a boosting library replaced by its file; ``model`` itself where there is none.

    Raises:
        CannotPack: One cannot be kept so that it answers as before.

    """
    return _exchanged(model, lambda value: library_of(value) is not None, _out)


def put_back(model: Any, *, where: str) -> Any:
    """Return ``model`` with every file of a boosting library replaced by its model.

    Raises:
        IntegrityError: A file is damaged.
        ArtifactError: A library here cannot read one.

    """
    return _exchanged(model, lambda value: type(value) is dict and MARK in value, functools.partial(_back, where=where))


def parts(model: object) -> Iterator[Any]:
    """Yield everything that ``model`` is made of, however deep: itself, its attributes, the items of its containers."""
    seen: set[int] = set()
    waiting: list[Any] = [model]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield value
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
        elif isinstance(value, np.ndarray):
            waiting.extend(value.ravel().tolist() if value.dtype == object else ())
        elif hasattr(value, "__dict__") and not isinstance(value, type) and library_of(value) is None:
            waiting.extend(vars(value).values())


def _exchanged(model: Any, wanted: Callable[[Any], bool], change: Callable[[Any], Any]) -> Any:
    """Return ``model`` with some of its parts changed: a copy, if there are any."""
    found = [value for value in parts(model) if wanted(value)]
    # What a copy is asked to copy it looks up by its id first.
    return copy.deepcopy(model, {id(value): change(value) for value in found}) if found else model


def _out(model: Any) -> dict[str, Any]:
    unit = library_of(model)
    assert unit is not None
    name = unit.class_of(model)
    if not unit.is_fitted(model):
        return {MARK: unit.id, _CLASS: name}
    return {MARK: unit.id, _CLASS: name, _DATA: np.frombuffer(write(unit, model), dtype=np.uint8)}


def _back(place: dict[str, Any], where: str) -> Any:
    unit, name, data = units().get(str(place[MARK])), place.get(_CLASS), place.get(_DATA)
    if unit is None or name not in unit.classes[1:]:
        raise damaged("booster", Text(en="its library is unknown", ja="ライブラリが不明です"), where)
    if data is None:
        return unit.new(name)  # a template that was never trained, such as a search has
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 1:
        raise damaged(unit.id, Text(en="it is no array of bytes", ja="バイト列ではありません"), where)
    return read(unit, data.tobytes(), where=where)
