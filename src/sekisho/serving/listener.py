"""The socket that a service listens on."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Final

import msgspec

from sekisho.errors import ServiceError
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.serving.settings import ServingSettings

BACKLOG: Final = 4_096
"""Connections that wait to be accepted, if the system allows as many."""


def listen(settings: ServingSettings) -> socket.socket:
    """Return a socket that listens where the settings say.

    Raises:
        ServiceError: The address cannot be had.

    """
    where = f"{settings.host}:{settings.port}"
    host = settings.host.strip("[]")
    try:
        family = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise _cannot_listen(where, error) from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, settings.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _cannot_listen(where, error) from None
    return listener


def check_free(settings: ServingSettings) -> None:
    """Refuse a port for gRPC that somebody else has: the workers share it, and would share it with them.

    Raises:
        ServiceError: The port is taken.

    """
    if settings.grpc_port is not None:
        listen(msgspec.structs.replace(settings, port=settings.grpc_port)).close()


def url_of(listener: socket.socket, settings: ServingSettings) -> str:
    """Return the URL of a service that listens on ``listener``."""
    host = settings.host.strip("[]")
    scheme = "http" if settings.certificate is None else "https"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


def _cannot_listen(where: str, error: OSError) -> ServiceError:
    if error.errno == errno.EADDRINUSE:
        return ServiceError(
            Text(en="the port is in use", ja="ポートがすでに使われています"),
            Text(
                en="choose another port, or 0 for a free one",
                ja="別のポートを選ぶか、0 を指定して空きポートを使ってください",
            ),
            where=where,
        )
    said = (error.strerror or type(error).__name__).lower()
    return ServiceError(
        Text(en=f"cannot listen here: {said}", ja=f"ここでは待ち受けできません: {said}"),
        Text(en="choose another host or port", ja="別のホストまたはポートを選んでください"),
        where=where,
    )
