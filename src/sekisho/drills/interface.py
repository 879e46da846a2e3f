"""What every drill gives: a rule, a fault that is really done, and whether the service kept the rule.

::

    kill = Drill(id="kill", title=Text(...), rule=Text(...), run=_run)

A drill starts a service of its own, puts a load on it that does not wait for answers, does the fault, and counts. A request is *lost* when it
was sent while the service had to take it and was not answered with success; one that is turned away in order (429, or 503 with Retry-After, or
a connection that a service on its way out does not accept) is *refused*. What a rule excuses is counted as *excused* and said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.drills.parts.ground import Ground


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What became of a service in a drill.

    Attributes:
        passed: Whether it kept the rule.
        why: What decided that.
        sent: Requests.
        succeeded: Those that were answered with success.
        refused: Those that were turned away in order.
        excused: Those that failed, and that the rule excuses.
        lost: Those that failed, and that it does not.
        seconds_to_recover: From the fault until the service was as before; ``None`` where it never was, or never was otherwise.
        said: What the log said after the fault, each event once.
        figures: What else was measured, by name with its unit.

    """

    passed: bool
    why: Text
    sent: int
    succeeded: int
    refused: int = 0
    excused: int = 0
    lost: int = 0
    seconds_to_recover: float | None = None
    said: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Drill:
    """One fault and its rule.

    Attributes:
        id: Its name.
        title: What is done.
        rule: What must come of it.
        run: Does it.

    """

    id: str
    title: Text
    rule: Text
    run: Callable[[Ground], Result]
