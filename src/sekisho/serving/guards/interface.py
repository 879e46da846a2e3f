"""What stands before the model: who asks, and the guards that may turn a request away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from sekisho.serving.problems import Problem

Scope = Literal["predict", "metrics", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""What a key may do: ask for predictions and tell outcomes; read the metrics; everything."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        id: The id of the key; the address of the peer where no keys are used.
        scopes: What they may do.

    """

    id: str
    scopes: frozenset[Scope]

    def may(self, scope: Scope | None) -> bool:
        """Whether the caller may do what needs ``scope``; ``None`` needs nothing but a key."""
        return scope is None or scope in self.scopes or "admin" in self.scopes


class Guard(Protocol):
    """Something that may turn away a request that has been admitted."""

    def check(self, caller: Caller, now: float) -> Problem | None:
        """Return why the request is turned away, or ``None``.

        Args:
            caller: Who asks.
            now: Seconds of the monotonic clock.

        """
        ...
