"""The contract that ships: what of a project's contract its service must know, and no more of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.contract.template import toml_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.targets.interface import Plan

_SHIPPED: Final = {
    "serving": ("workers", "deadline_ms", "start_seconds", "maximum_body_bytes", "maximum_rows"),
    "security": (
        "authentication",
        "key_header",
        "public_routes",
        "rate_limit",
        "burst",
        "out_of_range",
        "unseen_category",
        "library_mismatch",
    ),
    "monitoring": (
        "log_predictions",
        "redacted",
        "window_rows",
        "false_alarms_per_30_days",
        "windows_per_day",
        "smallest_effect",
    ),
}
"""Where it listens, where its keys and its book are: that is for the container to say."""


def shipped_contract(plan: Plan) -> str:
    """Return a ``sekisho.toml`` for the image, whose artifact lies beside it."""
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: Plan) -> Iterator[str]:
    contract = plan.project.contract
    yield "[model]"
    yield f"name = {toml_value(contract.model.name)}"
    for section, keys in _SHIPPED.items():
        yield ""
        yield f"[{section}]"
        for key in keys:
            value = getattr(getattr(contract, section), key)
            if value is not None:
                yield f"{key} = {toml_value(value)}"
    for feature in contract.features:
        yield ""
        yield "[[features]]"
        for key in feature.__struct_fields__:
            value = getattr(feature, key)
            if value is not None:
                yield f"{key} = {toml_value(value)}"
