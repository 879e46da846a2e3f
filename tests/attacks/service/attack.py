"""One attack: what is done to a service, what must happen, and what was seen.

The table is made of :class:`Kind`, one for each id of the list that the project keeps (ids that begin with ``X-`` are our own), and of
their variants, the :class:`Attack`. An attack is a function of a :class:`Target`. It raises :class:`Fell` when the service does not do
what it must, and otherwise returns an :class:`Outcome`: what was seen, in a few words, and the figures that were measured.

A target that we started ourselves comes with its process, its log, its metrics and its book of predictions; one that is known only by
its URL has none of these. An attack says what it cannot do without (``needs``), and looks at the rest where it is there.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from sekisho.text import Text

if TYPE_CHECKING:
    from tests.attacks.service.target import Target

AREAS: Final = (
    *("http", "connections", "bodies", "input", "auth"),
    *("model", "observability", "overload", "process", "disk_time"),
)
Verdict = Literal["held", "fell", "not-applicable"]
TRIES_OF_TIME: Final = 4
"""A figure of time that is missed this many times in a row is the service's; one that is missed once may be the machine's."""


class Fell(AssertionError):
    """The service did not do what it must."""


class TooSlow(Fell):
    """It did, but took longer than it may. Tried again, since the machine may have been busy elsewhere."""


class NotApplicable(Exception):
    """What is attacked is not there."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was seen.

    Attributes:
        seen: A few words: statuses, what became of the connection.
        figures: What was measured, by name with its unit: ``bystander_ms``, ``rss_mib``.

    """

    seen: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Kind:
    """What several attacks have in common.

    Attributes:
        id: As in the project's list.
        area: Its chapter there.
        title: What is done.
        must: What must happen.
        attacks: Its variants.

    """

    id: str
    area: str
    title: Text
    must: Text
    attacks: list[Attack] = field(default_factory=list)

    def add(
        self,
        variant: str,
        run: Callable[[Target], Outcome],
        *,
        needs: tuple[str, ...] = (),
        on: str = "usual",
        slow: bool = False,
        seconds: float = 30.0,
        spares: tuple[str, ...] = (),
    ) -> None:
        """Add a variant; the parameters are those of :class:`Attack`."""
        self.attacks.append(
            Attack(
                kind=self,
                variant=variant,
                run=run,
                needs=frozenset(needs),
                on=on,
                slow=slow,
                seconds=seconds,
                spares=frozenset(spares),
            )
        )

    def attack(
        self, variant: str, **more: object
    ) -> Callable[[Callable[[Target], Outcome]], Callable[[Target], Outcome]]:
        """Add the function below as a variant."""

        def keep(run: Callable[[Target], Outcome]) -> Callable[[Target], Outcome]:
            self.add(variant, run, **more)  # type: ignore[arg-type]
            return run

        return keep


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One attack.

    Attributes:
        kind: What it is a variant of.
        variant: Which, in the words of the protocol; empty if there is one only.
        run: Does it.
        needs: What it cannot do without: ``process``, ``log``, ``metrics``, ``ledger``, ``key``, ``tls``, ``body``, a role of a feature such
            as ``role:number``, or a limit such as ``limit:rows``.
        on: The configuration of our own service that it is done to.
        slow: Whether it takes long, and is left out of the tests that every change must pass.
        seconds: How long it may take.
        spares: What is not looked at afterwards: ``workers`` when it is meant to kill one, ``log`` when lines may be what they are,
            ``service`` when it ends.

    """

    kind: Kind
    variant: str
    run: Callable[[Target], Outcome]
    needs: frozenset[str] = frozenset()
    on: str = "usual"
    slow: bool = False
    seconds: float = 30.0
    spares: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        """The id of its kind, and the variant."""
        return f"{self.kind.id}-{self.variant}" if self.variant else self.kind.id


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of one attack.

    Attributes:
        attack: Which.
        verdict: Whether the service held.
        why: Why it fell, or why the attack could not be done.
        outcome: What was seen.
        seconds: How long it took.

    """

    attack: Attack
    verdict: Verdict
    why: str = ""
    outcome: Outcome = field(default_factory=Outcome)
    seconds: float = 0.0


class Chapter(list[Kind]):
    """The kinds of one area, in order; called, it adds one."""

    def __init__(self, area: str) -> None:
        super().__init__()
        self.area = area

    def __call__(self, name: str, title: tuple[str, str], must: tuple[str, str]) -> Kind:
        """Add a kind: its id, what is done and what must happen, each in English and Japanese."""
        made = Kind(id=name, area=self.area, title=Text(en=title[0], ja=title[1]), must=Text(en=must[0], ja=must[1]))
        self.append(made)
        return made


def judge(attack: Attack, target: Target) -> Result:
    """Do an attack, and look at the service before and after it. Never raises."""
    missing = sorted(attack.needs - target.has)
    if missing:
        return Result(attack=attack, verdict="not-applicable", why="there is no " + ", ".join(missing))
    began = time.monotonic()
    result = Result(attack=attack, verdict="fell", why="not tried")
    for tries_left in reversed(range(TRIES_OF_TIME)):
        result = _once(attack, target)
        if not (result.verdict == "fell" and result.why.startswith("TooSlow") and tries_left):
            break
    return Result(
        attack=attack,
        verdict=result.verdict,
        why=result.why,
        outcome=result.outcome,
        seconds=round(time.monotonic() - began, 3),
    )


def _once(attack: Attack, target: Target) -> Result:
    found: list[Result] = []

    def work() -> None:
        try:
            before = target.look()
            outcome = attack.run(target)
            target.compare(before, attack.spares)
            found.append(Result(attack=attack, verdict="held", outcome=outcome))
        except NotApplicable as why:
            found.append(Result(attack=attack, verdict="not-applicable", why=str(why)))
        except Fell as why:
            found.append(Result(attack=attack, verdict="fell", why=f"{type(why).__name__}: {why}"))
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
            found.append(Result(attack=attack, verdict="fell", why=f"{type(error).__name__}: {error} ({where})"))

    thread = threading.Thread(target=work, daemon=True, name=attack.id)
    thread.start()
    thread.join(attack.seconds)
    if not found:
        return Result(attack=attack, verdict="fell", why=f"no end within {attack.seconds:g} s")
    return found[0]


def expect(condition: object, what: str) -> None:
    """Raise :class:`Fell` with ``what`` unless the condition holds."""
    if not condition:
        raise Fell(what)


def within(milliseconds: float, limit: float, what: str) -> float:
    """Raise :class:`TooSlow` if something took longer than it may; return how long it took."""
    if milliseconds > limit:
        raise TooSlow(f"{what}: {milliseconds:.0f} ms, more than {limit:.0f}")
    return round(milliseconds, 1)
