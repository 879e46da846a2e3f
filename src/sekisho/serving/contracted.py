"""The settings of a service as a contract states them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sekisho.artifact.registry.names import looks_like_reference
from sekisho.errors import WrongUse
from sekisho.ledger.address import is_url
from sekisho.serving.settings import is_address
from sekisho.text import Text

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.contract.project import Project

BOOK_NAME: Final = "predictions.sqlite"
"""The book of predictions in a project's own folder, where the contract names no other."""


def contracted(project: Project) -> dict[str, Any]:
    """Return what a project's contract says of its service, for :func:`~sekisho.serving.settings.settings_of`."""
    contract = project.contract
    serving, security, monitoring = contract.serving, contract.security, contract.monitoring
    key_file = None
    if security.authentication != "none" and security.key_file is not None:
        key_file = project.path(security.key_file)
    return {
        "host": serving.host,
        "port": serving.port,
        "grpc_port": serving.grpc_port,
        "certificate": None if serving.certificate is None else project.path(serving.certificate),
        "private_key": None if serving.private_key is None else project.path(serving.private_key),
        "client_authority": None if serving.client_authority is None else project.path(serving.client_authority),
        "workers": serving.workers,
        "deadline_ms": serving.deadline_ms,
        "batching": serving.batching,
        "limits": {"body_bytes": serving.maximum_body_bytes, "rows": serving.maximum_rows},
        "start_seconds": serving.start_seconds,
        "key_file": key_file,
        **(_tokens(project) if security.authentication == "token" else {}),
        "key_header": security.key_header,
        "public_routes": security.public_routes,
        "trusted_proxies": security.trusted_proxies,
        "rate_limit": security.rate_limit,
        "burst": security.burst,
        "rate_store": None if security.rate_limit is None else security.rate_store,
        "rate_store_down": security.rate_store_down,
        "trusted_keys": tuple(project.path(name) for name in security.trusted_keys),
        "require_signature": security.require_signature,
        "require_pass": security.require_pass,
        "passes": tuple(project.path(name) for name in security.passes),
        "follow": serving.follow,
        "library_mismatch": security.library_mismatch,
        **_book(project),
        "log_predictions": monitoring.log_predictions,
        "redacted": monitoring.redacted,
        # "flag" is what the contract says when it says nothing: then each feature keeps what was said of it when the model was packed.
        "out_of_range": None if security.out_of_range == "flag" else security.out_of_range,
        "unseen_category": None if security.unseen_category == "flag" else security.unseen_category,
        "features": contract.features,
    }


def book_of(project: Project) -> Path | str:
    """Return where a project's book of predictions is: a file, or the URL of a database."""
    location = project.contract.ledger.location
    if location is None:
        return project.state / BOOK_NAME
    return location if is_url(location) else project.path(location)


def _book(project: Project) -> dict[str, Any]:
    """Return what a contract says of the book of predictions."""
    ledger = project.contract.ledger
    return {
        "ledger": book_of(project),
        "ledger_durability": ledger.durability,
        "ledger_down": ledger.down,
        "ledger_personal": ledger.personal,
        "ledger_key_file": None if ledger.key_file is None else project.path(ledger.key_file),
        "ledger_subject": ledger.subject,
        "ledger_subject_header": ledger.subject_header,
        "retention_days": project.contract.monitoring.retention_days,
    }


def artifacts(project: Project) -> dict[str, str]:
    """Return what a project's contract serves, by name; without names, the one artifact of its model goes by the name it was packed with.

    A folder is one of the project; anything else is ``NAME@VERSION`` or ``NAME@ALIAS`` of the registry.
    """
    models = project.contract.serving.models
    if not models:
        return {"": str(project.path(project.contract.model.artifact))}
    return {
        one.name: one.artifact if looks_like_reference(one.artifact) else str(project.path(one.artifact))
        for one in models
    }


def _tokens(project: Project) -> dict[str, Any]:
    """Return what a contract says of tokens.

    Raises:
        WrongUse: It wants tokens, and does not say whose.

    """
    security = project.contract.security
    keys = security.token_keys
    if keys is None or security.token_issuer is None or security.token_audience is None:
        raise WrongUse(
            Text(
                en='authentication = "token" needs token_keys, token_issuer and token_audience',
                ja='authentication = "token" には token_keys、token_issuer、token_audience が必要です',
            ),
            Text(
                en="say in [security] whose tokens count, and for whom they must be",
                ja="どの発行者の、誰宛てのトークンを認めるかを [security] に書いてください",
            ),
            where=project.root,
        )
    return {
        "token_keys": keys if is_address(keys) else str(project.path(keys)),
        "token_issuer": security.token_issuer,
        "token_audience": security.token_audience,
        "token_scope_prefix": security.token_scope_prefix or "",
    }
