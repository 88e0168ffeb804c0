"""What connections are set to. Timers and caps are in the attacks."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from isobudget.gateway.settings import ServeSettings
from support.gateway import listening


def test_answers_do_not_wait_for_acknowledgements() -> None:
    """Every accepted connection has TCP_NODELAY, a kept one too: headers and body are two writes.

    uvicorn binds the socket itself, and asyncio sets the option on sockets of its own making alone.
    """
    found: list[int] = []

    async def handler(request: Request) -> PlainTextResponse:
        loop: Any = asyncio.get_running_loop()
        for transport in list(loop._transports.values()):
            if transport.get_extra_info("peername") == tuple(request.scope["client"]):
                connection = transport.get_extra_info("socket")
                found.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        return PlainTextResponse("ok")

    settings = ServeSettings(port=0)
    with (
        listening(Starlette(routes=[Route("/", handler)]), settings) as url,
        contextlib.closing(http.client.HTTPConnection(url.split("/")[2], timeout=30)) as client,
    ):
        for _ in range(2):
            client.request("GET", "/")
            assert client.getresponse().read() == b"ok"
    assert len(found) == 2
    assert all(found)
