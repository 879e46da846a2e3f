"""The contract that ships: what of a project's contract its service must know, and no more of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.contract.template import toml_value
from sekisho.errors import TargetError
from sekisho.serving.settings import is_address
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.targets.interface import Plan

_SHIPPED: Final = {
    "serving": ("workers", "deadline_ms", "batching", "start_seconds", "maximum_body_bytes", "maximum_rows"),
    "security": (
        "authentication",
        "token_keys",
        "token_issuer",
        "token_audience",
        "token_scope_prefix",
        "trusted_proxies",
        "key_header",
        "public_routes",
        "rate_limit",
        "burst",
        "rate_store",
        "rate_store_down",
        "out_of_range",
        "unseen_category",
        "library_mismatch",
    ),
    "monitoring": (
        "log_predictions",
        "redacted",
        "retention_days",
        "window_rows",
        "false_alarms_per_30_days",
        "windows_per_day",
        "smallest_effect",
    ),
    "ledger": ("durability", "down", "personal", "subject", "subject_header"),
}
"""Where it listens, where its keys and its book are: that is for the container to say."""
LEDGER_KEYS_PATH: Final = "/run/secrets/ledger_keys"
"""Where the keys of the book are in a container."""


def shipped_contract(plan: Plan) -> str:
    """Return a ``sekisho.toml`` for the image, whose artifact lies beside it.

    Raises:
        TargetError: The keys that tokens are checked with are a file, which is not in the image.

    """
    keys = plan.project.contract.security.token_keys
    if keys is not None and not is_address(keys):
        raise TargetError(
            Text(
                en="the keys of tokens are a file, and a container would keep the old ones for ever",
                ja="トークンの検証鍵がファイルです。コンテナーでは古い鍵を使い続けることになります",
            ),
            Text(
                en="give the jwks_uri of the identity provider as security.token_keys",
                ja="security.token_keys に ID プロバイダーの jwks_uri を指定してください",
            ),
        )
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
    if contract.ledger.key_file is not None:
        yield f"key_file = {toml_value(LEDGER_KEYS_PATH)}"
    for feature in contract.features:
        yield ""
        yield "[[features]]"
        for key in feature.__struct_fields__:
            value = getattr(feature, key)
            if value is not None:
                yield f"{key} = {toml_value(value)}"
