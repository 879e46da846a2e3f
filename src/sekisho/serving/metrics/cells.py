"""Numbers that every worker of a service counts in its own file, and that any worker can add up.

A cell is eight bytes of a memory-mapped file. Adding to one costs less than a tenth of a microsecond, what is written outlives the worker,
and a worker that takes the place of a dead one goes on counting where it stopped: sums are exact at any moment.

What is counted together lies in one *set*: that of the service, and one for each version of a model. All workers lay out the cells of a set
alike, and a file beside them says how, so that any worker can add up what others have counted for a version that it never served.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from sekisho.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

SUFFIX: Final = ".cells"
DESCRIPTION: Final = ".layout"
MOST_SETS: Final = 16
"""Sets of versions that are served no more: what the oldest have counted is forgotten."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """One metric, with all its label values known beforehand.

    Attributes:
        name: As Prometheus shows it; a counter without ``_total``.
        kind: What it is.
        help: One sentence, in English.
        labels: The names of its labels.
        values: The label values of its series.
        buckets: The upper bounds of a histogram's buckets, ascending, without infinity.
        merge: How a gauge is made of the workers' cells.
        sparse: Whether a counter's series are shown only once they have counted: where there are many, and nobody watches a rate of them.

    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    values: tuple[tuple[str, ...], ...] = ((),)
    buckets: tuple[float, ...] = ()
    merge: Literal["sum", "max"] = "sum"
    sparse: bool = False

    @property
    def width(self) -> int:
        """How many cells one series takes: a histogram one a bucket, one for what is above them, and one for the sum."""
        return len(self.buckets) + 2 if self.kind == "histogram" else 1


class Layout:
    """Where each series of ``families`` has its cells."""

    def __init__(self, families: Sequence[Family]) -> None:
        self.families = tuple(families)
        self._first: dict[str, int] = {}
        place = 0
        for family in families:
            self._first[family.name] = place
            place += family.width * len(family.values)
        self.size = place

    def places(self, name: str) -> Mapping[tuple[str, ...], int]:
        """Return the first cell of every series of one family, by label values."""
        family = next(family for family in self.families if family.name == name)
        first = self._first[name]
        return {values: first + family.width * number for number, values in enumerate(family.values)}


class Cells:
    """The cells of one set in one worker.

    Args:
        folder: Where the files of all workers lie.
        name: The name of the set: letters, digits and dashes.
        worker: The number of this worker; the file of its predecessor is taken over.
        layout: Where each series is.

    """

    def __init__(self, folder: Path, name: str, worker: int, layout: Layout) -> None:
        description = folder / f"{name}{DESCRIPTION}"
        if not description.exists():
            write_atomically(description, msgspec.json.encode(layout.families))
        path = folder / f"{name}.{worker}{SUFFIX}"
        with path.open("a+b") as file:
            file.truncate(layout.size * 8)
            self._map = mmap.mmap(file.fileno(), layout.size * 8)
        self.values: memoryview[float] = memoryview(self._map).cast("d")
        self._layout = layout

    def counter(self, name: str) -> Mapping[tuple[str, ...], int]:
        """Return the cell of every series of a counter or gauge, by label values."""
        return self._layout.places(name)

    def histogram(self, name: str, values: tuple[str, ...] = ()) -> Histogram:
        """Return one series of a histogram."""
        family = next(family for family in self._layout.families if family.name == name)
        return Histogram(self.values, self._layout.places(name)[values], family.buckets)

    def clear(self, names: Sequence[str]) -> None:
        """Set all series of gauges to zero: what a predecessor left there is not true any more."""
        for name in names:
            for place in self._layout.places(name).values():
                self.values[place] = 0.0


class Histogram:
    """One series of a histogram in the cells of one worker."""

    __slots__ = ("_bounds", "_cells", "_first", "_sum")

    def __init__(self, cells: memoryview[float], first: int, bounds: tuple[float, ...]) -> None:
        self._cells = cells
        self._first = first
        self._bounds = bounds
        self._sum = first + len(bounds) + 1

    def observe(self, value: float) -> None:
        """Count one value."""
        self._cells[self._first + bisect_left(self._bounds, value)] += 1.0
        self._cells[self._sum] += value

    def observe_all(self, values: Sequence[float] | NDArray[np.float64]) -> None:
        """Count many values."""
        array = np.asarray(values, dtype=np.float64)
        counts = np.bincount(np.searchsorted(self._bounds, array, side="left"))
        for place in counts.nonzero()[0].tolist():
            self._cells[self._first + place] += float(counts[place])
        self._cells[self._sum] += float(array.sum())


def layouts(folder: Path, known: dict[str, Layout]) -> dict[str, Layout]:
    """Return the layout of every set in ``folder``, by name.

    Args:
        folder: Where the files lie.
        known: Those that were read before; a layout never changes.

    """
    found = {}
    for path in sorted(folder.glob(f"*{DESCRIPTION}")):
        name = path.name.removesuffix(DESCRIPTION)
        if name in known:
            found[name] = known[name]
            continue
        with suppress(FileNotFoundError):  # it was the oldest, and has just been forgotten
            found[name] = Layout(msgspec.json.decode(path.read_bytes(), type=tuple[Family, ...]))
    return found


def add_up(folder: Path, name: str, layout: Layout) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sum and the maximum of every cell of a set over all workers, shape ``(layout.size,)`` each."""
    size = layout.size * 8
    found = [np.zeros(layout.size)]
    for path in sorted(folder.glob(f"{name}.*{SUFFIX}")):
        with suppress(FileNotFoundError):
            content = path.read_bytes()
            if len(content) == size:
                found.append(np.frombuffer(content, dtype=np.float64))
    table = np.vstack(found)
    return table.sum(axis=0), table.max(axis=0)


def clear_gauges(folder: Path, worker: int) -> None:
    """Set every gauge of one worker to zero, in all sets: what its predecessor left there is not true any more."""
    for name, layout in layouts(folder, {}).items():
        if (folder / f"{name}.{worker}{SUFFIX}").exists():
            cells = Cells(folder, name, worker, layout)
            cells.clear([family.name for family in layout.families if family.kind == "gauge"])


def forget(folder: Path, served: Collection[str]) -> None:
    """Remove the oldest sets beyond :data:`MOST_SETS` that are not ``served``."""
    left = [path for path in folder.glob(f"*{DESCRIPTION}") if path.name.removesuffix(DESCRIPTION) not in served]
    for path in sorted(left, key=lambda one: one.stat().st_mtime_ns)[:-MOST_SETS]:
        path.unlink(missing_ok=True)
        for cells in folder.glob(f"{path.name.removesuffix(DESCRIPTION)}.*{SUFFIX}"):
            cells.unlink(missing_ok=True)
