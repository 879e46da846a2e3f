"""Who hears how far the judging is."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sekisho.gate.graph import Maker
    from sekisho.gate.report import Item


class End(StrEnum):
    """How a probe or resource ended."""

    MEASURED = "measured"
    REUSED = "reused"
    ABSENT = "absent"


class Listener:
    """Hears what the runner does. This one does nothing; override what is to be shown.

    All methods are called on the thread of the runner, but for :meth:`advanced`, which is called on that of the probe.
    """

    def planned(self, makers: Sequence[Maker]) -> None:
        """Hear what will be opened and measured, before any of it is."""

    def started(self, maker: Maker) -> None:
        """Hear that ``maker`` begins."""

    def advanced(self, maker: Maker, fraction: float) -> None:
        """Hear that ``fraction`` (0 to 1) of ``maker`` is done."""

    def ended(self, maker: Maker, end: End) -> None:
        """Hear how ``maker`` ended."""

    def closed(self) -> None:
        """Hear that no more will be measured: all is done, or the run was interrupted."""

    def judged(self, item: Item) -> None:
        """Hear the verdict on one box."""
