"""Who asks: keys, tokens, limits, certificates."""

from __future__ import annotations

from tests.attacks.service import auth_keys, auth_limits, auth_routes, auth_tls, auth_tokens
from tests.attacks.service.attack import Kind

KINDS: list[Kind] = sorted(
    (kind for part in (auth_routes, auth_keys, auth_tokens, auth_limits, auth_tls) for kind in part.KINDS),
    key=lambda kind: (kind.id.startswith("X-"), kind.id),
)
