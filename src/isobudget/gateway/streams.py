"""Streamed answers: chunks sent as they arrive, heartbeats in between, and ended when the client hangs up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from isobudget.gateway.answers import HEARTBEAT
from isobudget.gateway.faults import RefusedRequestError

T = TypeVar("T")
#: how long a client may take to accept a chunk
TAKE_SECONDS = 60.0
#: status in logs and metrics, not defined by HTTP: the client has hung up, so nobody reads the answer
GONE = 499


class Stream(Response):
    """Chunks sent as they arrive, with heartbeats in between.

    Args:
        pieces: the chunks; their generation is cancelled when the client hangs up.
        heartbeat_seconds: silence after which a heartbeat is sent.
        heartbeat: the bytes of a heartbeat.

    Attributes:
        outcome: `GONE` until the stream has been sent completely; then 200, or the status of its refusal.
        refusal: the error that ended the stream early, which the last chunk states; None if there was no error.
    """

    def __init__(
        self,
        pieces: AsyncIterator[bytes],
        heartbeat_seconds: float,
        heartbeat: bytes = HEARTBEAT,
        media_type: str = "text/event-stream",
    ) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"}, media_type=media_type)
        del self.headers["content-length"]
        self._pieces, self._seconds, self._heartbeat = pieces, heartbeat_seconds, heartbeat
        self.outcome = GONE
        self.refusal: RefusedRequestError | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send the chunks."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})

        async def give(piece: bytes, more: bool = True) -> None:
            async with asyncio.timeout(TAKE_SECONDS):
                await send({"type": "http.response.body", "body": piece, "more_body": more})

        made: asyncio.Queue[bytes | None] = asyncio.Queue()

        async def make() -> None:
            # In one task: what makes the pieces may hold time limits of its own.
            try:
                async with contextlib.aclosing(self._pieces) as pieces:  # type: ignore[type-var]
                    async for piece in pieces:
                        made.put_nowait(piece)
            finally:
                made.put_nowait(None)

        async def give_all() -> None:
            making = asyncio.create_task(make())
            following = asyncio.ensure_future(made.get())
            try:
                while True:
                    done, _ = await asyncio.wait([following], timeout=self._seconds)
                    if not done:
                        await give(self._heartbeat)
                    elif (piece := following.result()) is None:
                        break
                    else:
                        await give(piece)
                        following = asyncio.ensure_future(made.get())
                await making
                await give(b"", more=False)
            finally:
                following.cancel()
                making.cancel()
                await asyncio.gather(following, making, return_exceptions=True)

        with contextlib.suppress(TimeoutError, OSError, ClientDisconnect):
            await until_gone(receive, give_all())
            self.outcome = self.refusal.status if self.refusal is not None else 200


async def until_gone(receive: Receive, work: Awaitable[T]) -> T:
    """Do the work, and cancel it when the client hangs up.

    Raises:
        ClientDisconnect: the client hung up.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait([task, gone], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientDisconnect
    finally:
        for one in (task, gone):
            one.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class CountedStream(Response):
    """A stream that counts as a request in flight until it ends, and is logged then."""

    def __init__(
        self, stream: Stream, leave: Callable[[], None], note: Callable[[int, RefusedRequestError | None], None]
    ) -> None:
        self.status_code, self._stream, self._leave, self._note = stream.status_code, stream, leave, note
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        try:
            await self._stream(scope, receive, send)
        except asyncio.CancelledError:
            self._stream.outcome = 503  # the server was stopped, and the stream is cut off
        except Exception:
            self._stream.outcome = 500
            raise
        finally:
            self._leave()
            self._note(self._stream.outcome, None if self._stream.outcome == GONE else self._stream.refusal)
