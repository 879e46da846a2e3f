"""Accepting connections from a socket that several workers share.

One connection is taken each time the socket is readable. A worker that is busy comes back to it later than one that is idle, so connections
go where there is time for them; a worker that took all that wait at once would leave nothing for the others.
"""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

MOST_HANDSHAKES: Final = 1_024
"""Connections of one worker that may be agreeing on TLS; more are turned away."""
PAUSE_SECONDS: Final = 0.1
"""How long nothing is accepted when the system has no descriptor or memory left."""


class Acceptor:
    """Accepts connections.

    Args:
        listener: The socket, not blocking.
        protocol: Makes the protocol of a connection.
        loop: The event loop.
        tls: With what connections are encrypted; ``None``: they are not.
        handshake_seconds: How long agreeing on that may take.

    """

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        loop: asyncio.AbstractEventLoop,
        *,
        tls: ssl.SSLContext | None = None,
        handshake_seconds: float = 10.0,
    ) -> None:
        self._listener = listener
        self._protocol = protocol
        self._loop = loop
        self._encrypted: dict[str, Any] = (
            {} if tls is None else {"ssl": tls, "ssl_handshake_timeout": handshake_seconds}
        )
        self._tasks: set[asyncio.Task[object]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Begin to accept."""
        self._loop.add_reader(self._listener, self._accept)

    def close(self) -> None:
        """Accept no more."""
        self._loop.remove_reader(self._listener)
        if self._timer is not None:
            self._timer.cancel()
        self._listener.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionError):
            return  # another worker was faster, or the client has left
        except OSError as error:
            if error.errno in {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}:
                self._loop.remove_reader(self._listener)
                self._timer = self._loop.call_later(PAUSE_SECONDS, self.open)
            return
        if self._encrypted and len(self._tasks) >= MOST_HANDSHAKES:
            connection.close()
            return
        connection.settimeout(0.0)
        task: asyncio.Task[object] = self._loop.create_task(self._connect(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection, **self._encrypted)
        except OSError:
            connection.close()
