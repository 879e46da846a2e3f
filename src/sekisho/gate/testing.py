"""What the examples of checks are written with, and how they are judged."""

from __future__ import annotations

import msgspec

from sekisho.contract.sections import Contract
from sekisho.gate.check import Check, Example
from sekisho.gate.outcome import Present
from sekisho.gate.runner import judge
from sekisho.gate.verdict import Verdict

EXAMPLE_DIGEST = "sha256:" + "0" * 64
"""The digest of no artifact: for sign-offs in examples."""


def example_contract(**sections: object) -> Contract:
    """Return a contract with the given sections and the defaults of all others.

    >>> example_contract(security={"rate_limit": 100}).security.rate_limit
    100

    Args:
        sections: A section each, as builtins (checked as the loader checks them) or as its struct.

    Raises:
        msgspec.ValidationError: A value is not what the contract allows.

    """
    return msgspec.convert({"model": {"name": "example"}} | sections, Contract, from_attributes=True)


def judge_example(check: Check, example: Example) -> Verdict:
    """Return what ``check`` says of one of its examples.

    Raises:
        TypeError: The example does not give one value for each parameter, in order, of the type asked for.

    """
    if len(example.arguments) != len(check.needs):
        raise TypeError(f"{check.id}: an example gives {len(example.arguments)} of {len(check.needs)} parameters")
    for (name, need), value in zip(check.needs.items(), example.arguments, strict=True):
        if not (isinstance(value, need.kind) or (value is None and need.optional)):
            raise TypeError(
                f"{check.id}: the example gives {type(value).__qualname__} for {name}: {need.kind.__qualname__}"
            )
    kinds = (need.kind for need in check.needs.values())
    return judge(check, dict(zip(kinds, map(_present, example.arguments), strict=True)))


def _present(value: object) -> Present:
    return Present(value=value)
