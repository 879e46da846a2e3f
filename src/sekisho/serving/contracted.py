"""The settings of a service as a contract states them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sekisho.contract.project import Project

BOOK_NAME: Final = "predictions.sqlite"
"""The book of predictions in a project's own folder."""


def contracted(project: Project) -> dict[str, Any]:
    """Return what a project's contract says of its service, for :func:`~sekisho.serving.settings.settings_of`."""
    contract = project.contract
    serving, security, monitoring = contract.serving, contract.security, contract.monitoring
    key_file = None
    if security.authentication == "api-key" and security.key_file is not None:
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
        "limits": {"body_bytes": serving.maximum_body_bytes, "rows": serving.maximum_rows},
        "start_seconds": serving.start_seconds,
        "key_file": key_file,
        "key_header": security.key_header,
        "public_routes": security.public_routes,
        "rate_limit": security.rate_limit,
        "burst": security.burst,
        "trusted_keys": tuple(project.path(name) for name in security.trusted_keys),
        "require_signature": security.require_signature,
        "library_mismatch": security.library_mismatch,
        "ledger": project.state / BOOK_NAME,
        "log_predictions": monitoring.log_predictions,
        "redacted": monitoring.redacted,
        # "flag" is what the contract says when it says nothing: then each feature keeps what was said of it when the model was packed.
        "out_of_range": None if security.out_of_range == "flag" else security.out_of_range,
        "unseen_category": None if security.unseen_category == "flag" else security.unseen_category,
        "features": contract.features,
    }
