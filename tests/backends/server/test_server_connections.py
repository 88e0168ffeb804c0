"""Calls that are cancelled at any step leave no connection open, not those either that the client was closing."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import pytest

from isobudget.backends.server.apart import iterate_apart, run_apart
from isobudget.backends.server.calls import Calls
from isobudget.backends.server.keys import ApiKey
from isobudget.backends.server.pools import spread
from isobudget.backends.server.settings import ServerSettings

#: connections that the pool finds closed by the server at once
CLOSED = 4
#: a call is cancelled after so many steps of the event loop
STEPS = 16


class Server:
    """Answers requests, and closes its connections when it is told to, without a word of that to the client."""

    def __init__(self, stream: bool, together: int = CLOSED) -> None:
        self.connections = 0
        self._body = b'data: {"choices": []}\n\ndata: [DONE]\n\n' if stream else b"{}"
        self._kind = b"text/event-stream" if stream else b"application/json"
        self._open = list[asyncio.StreamWriter]()
        self._together = asyncio.Barrier(together)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        async with await asyncio.start_server(self._answer, "127.0.0.1", 0) as server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            await self.close_all()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.append(writer)
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                await reader.readexactly(len(b"{}"))
                if b"/together" in head:
                    await self._together.wait()  # so that no connection is used twice
                length = len(self._body)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\n" % self._kind)
                writer.write(b"content-length: %d\r\n\r\n" % length + self._body)
                await writer.drain()

    async def close_all(self) -> None:
        for writer in self._open:
            writer.close()
        for writer in self._open:
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        self._open = []


def warnings_of(made: Callable[[Calls], Callable[[str], Awaitable[Any]]], stream: bool) -> list[str]:
    """What is said of connections that nobody closed."""

    async def cancel_everywhere() -> None:
        server = Server(stream)
        async with server.running() as url:
            calls = Calls(ServerSettings(model="m", url=url, api="chat"), ApiKey("", "", named=False))
            call = made(calls)
            for steps in range(STEPS):
                await asyncio.gather(*(call("together") for _ in range(CLOSED)))
                await server.close_all()
                task = asyncio.ensure_future(call("alone"))
                for _ in range(steps):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait({task})
            await calls.close()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(cancel_everywhere())
        gc.collect()
    return [str(one.message) for one in caught if issubclass(one.category, ResourceWarning)]


def whole(calls: Calls) -> Callable[[str], Awaitable[Any]]:
    return lambda path: calls.call(path, {}, lambda data: data)


def streamed(calls: Calls) -> Callable[[str], Awaitable[Any]]:
    async def call(path: str) -> list[Any]:
        async with contextlib.aclosing(calls.stream(path, {})) as pieces:  # type: ignore[type-var]
            return [one async for one in pieces]

    return call


@pytest.mark.parametrize("made", [whole, streamed])
def test_a_call_cancelled_at_any_step_leaves_no_connection_open(
    made: Callable[[Calls], Callable[[str], Awaitable[Any]]],
) -> None:
    assert warnings_of(made, stream=made is streamed) == []


class Pool(httpx2.AsyncHTTPTransport):
    """A pool that counts its calls; those of a path fail."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.calls += 1
        if request.url.path == "/v1/fail":
            raise httpx2.ConnectError("refused")
        return await super().handle_async_request(request)


def test_calls_are_spread_over_small_pools_and_few_stay_in_the_first() -> None:
    pools = list[Pool]()

    def make() -> Pool:
        pools.append(Pool())
        return pools[-1]

    async def ask() -> None:
        server = Server(stream=False, together=40)
        async with server.running() as url, httpx2.AsyncClient(transport=spread(httpx2, make, 20)) as client:
            for _ in range(10):
                await client.post(f"{url}/alone", content=b"{}")
            assert (server.connections, len(pools)) == (1, 1)
            for _ in range(10):  # failed and cancelled calls take no room for good
                with pytest.raises(httpx2.ConnectError):
                    await client.post(f"{url}/fail", content=b"{}")
                cancelled = asyncio.ensure_future(client.post(f"{url}/alone", content=b"{}"))
                await asyncio.sleep(0)
                cancelled.cancel()
                await asyncio.wait({cancelled})
            async with client.stream("POST", f"{url}/alone", content=b"{}"):
                pass  # left before it is read
            for pool in pools:
                pool.calls = 0
            await asyncio.gather(*(client.post(f"{url}/together", content=b"{}") for _ in range(40)))
            assert [pool.calls for pool in pools] == [14, 13, 13]  # eight in each first, the rest evenly
            await client.post(f"{url}/alone", content=b"{}")
            assert pools[0].calls == 15

    asyncio.run(ask())


def test_what_work_apart_comes_to_is_what_it_comes_to() -> None:
    async def fails() -> None:
        raise ValueError("of the work")

    async def counts() -> AsyncIterator[int]:
        for number in range(5):
            yield number
        raise ValueError("after the last")

    async def everything() -> list[int]:
        with pytest.raises(ValueError, match="of the work"):
            await run_apart(fails)
        items = iterate_apart(counts)
        seen = [await anext(items) for _ in range(5)]
        with pytest.raises(ValueError, match="after the last"):
            await anext(items)
        return [await run_apart(lambda: asyncio.sleep(0, 7)), *seen]

    assert asyncio.run(everything()) == [7, 0, 1, 2, 3, 4]


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_an_iterator_that_is_left_early_is_closed_before_the_caller_goes_on(taken: int) -> None:
    closed, ahead = list[str](), list[int]()

    async def endless() -> AsyncIterator[int]:
        try:
            for number in range(1000):
                ahead.append(number)
                yield number
        finally:
            closed.append("closed")

    async def leave() -> None:
        async with contextlib.aclosing(iterate_apart(endless)) as items:  # type: ignore[type-var]
            for _ in range(taken):
                await anext(items)
        assert closed == ["closed"] * bool(taken)

    asyncio.run(leave())
    assert len(ahead) <= taken + 3


@pytest.mark.parametrize("iterates", [False, True])
def test_whoever_is_cancelled_waits_until_the_work_has_ended(iterates: bool) -> None:
    ended = list[str]()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("ended")

    async def nothing() -> AsyncIterator[None]:
        await work()
        yield

    async def call() -> None:
        if not iterates:
            await run_apart(work)
        async for _ in iterate_apart(nothing):
            pass

    async def cancel() -> None:
        task = asyncio.ensure_future(call())
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
        assert ended == ["ended"]

    asyncio.run(cancel())
