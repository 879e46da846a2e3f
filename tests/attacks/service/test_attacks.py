"""Every attack of the table, done to our own service: it holds."""

from __future__ import annotations

import re

import pytest
from tests.attacks.service.attack import Attack, judge
from tests.attacks.service.own import CONFIGURATIONS, Targets
from tests.attacks.service.table import attacks

# Attacks on one configuration stand together, so that a service that is not wanted any more is not waited for.
ATTACKS = sorted(attacks(), key=lambda attack: list(CONFIGURATIONS).index(attack.on))


@pytest.mark.parametrize(
    "attack",
    [pytest.param(one, id=one.id, marks=[pytest.mark.slow] if one.slow else []) for one in ATTACKS],
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
