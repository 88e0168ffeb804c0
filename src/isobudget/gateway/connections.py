"""Connections: a timeout until a request's headers have arrived, and a limit on their number.

uvicorn closes a connection that is idle after an answer. But it waits forever for the first byte of a new connection,
and for the rest of a request's headers. At the maximum number of connections, the connection that has been silent
longest is closed to make room for a new one. If no connection is silent, the new one is answered with 503.
"""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

_FULL = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


@dataclass(slots=True)
class ConnectionLimits:
    """State shared by a server's connections: timeout, maximum number, and which ones are silent."""

    seconds: float
    most: int
    count: int = 0
    silent: OrderedDict[Any, None] = field(default_factory=OrderedDict)


def protocol(limits: ConnectionLimits) -> type[asyncio.Protocol]:
    """The class of a server's connections."""

    class Connection(_Connection):
        shared = limits

    return Connection


class _Connection(H11Protocol):
    shared: ConnectionLimits
    _timer: asyncio.TimerHandle | None = None
    _counted = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A new connection, which must send something in time."""
        super().connection_made(transport)
        # asyncio does it for sockets of its own making alone; headers and body are two writes, and the second would
        # wait for the client's delayed acknowledgement, 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        shared = self.shared
        if shared.count >= shared.most and shared.silent:
            longest, _ = shared.silent.popitem(last=False)
            longest.end()
        if shared.count >= shared.most:
            transport.write(_FULL)
            transport.close()
            return
        self._counted = True
        shared.count += 1
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._stop()
        if self._counted:
            self._counted = False
            self.shared.count -= 1
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Handle received bytes; the timer runs until the request's headers are complete."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """The answer has been sent; the timer starts at once if part of the next request has already arrived."""
        super().on_response_complete()
        self._watch()

    def end(self) -> None:
        """Close the connection at once."""
        self._stop()
        if self._counted:
            self._counted = False
            self.shared.count -= 1
        self.transport.abort()

    def _watch(self) -> None:
        """Run the timer while a request's headers are incomplete.

        Between requests the timer does not run, because uvicorn has its own for that.
        """
        if (self.cycle is not None and not self.cycle.response_complete) or self.transport.is_closing():
            self._stop()
        elif self.cycle is not None and not self.conn.trailing_data[0]:
            self._stop()
            self.shared.silent[self] = None
        elif self._timer is None:
            self._wait()

    def _wait(self) -> None:
        self._timer = self.loop.call_later(self.shared.seconds, self.end)
        self.shared.silent[self] = None

    def _stop(self) -> None:
        self.shared.silent.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
