"""Every attack of the table, done to our own service: it holds."""

from __future__ import annotations

import re

import pytest
from tests.attacks.service.attack import Attack, judge
from tests.attacks.service.own import CONFIGURATIONS, Targets
from tests.attacks.service.table import attacks

# Attacks on one configuration stand together, so that a service that is not wanted any more is not waited for.
ATTACKS = sorted(attacks(), key=lambda attack: list(CONFIGURATIONS).index(attack.on))

BY_WIRE = frozenset(("http", "connections", "bodies", "input"))
"""Areas whose attacks take milliseconds: all ways of them are tried each time, of the others one way of each kind."""


def _usual() -> set[str]:
    """Return the ids of the attacks that are done each time."""
    chosen: dict[str, str] = {}
    for one in ATTACKS:
        if not one.slow:
            chosen.setdefault(one.id if one.kind.area in BY_WIRE else one.kind.id, one.id)
    return set(chosen.values())


USUAL = _usual()


@pytest.mark.parametrize(
    "attack",
    [pytest.param(one, id=one.id, marks=[] if one.id in USUAL else [pytest.mark.slow]) for one in ATTACKS],
)
def test_our_service_holds(targets: Targets, attack: Attack) -> None:
    with targets.of(attack.on) as target:
        result = judge(attack, target)
    if result.verdict == "not-applicable" and attack.needs <= target.has:
        pytest.skip(result.why)  # what the attacker needs of this machine is not there
    assert result.verdict == "held", f"{result.verdict}: {result.why}"


def test_every_attack_is_told_in_both_languages() -> None:
    for attack in ATTACKS:
        for text in (attack.kind.title, attack.kind.must):
            assert text.en
            # A status alone is the same in every language.
            assert text.ja != text.en or not re.search("[a-z]", text.en), attack.id
