"""Runs work of the HTTP client in its own task, so that it is cancelled in the way that the client supports.

The client's pool closes several connections in a row, and shields this from cancellation by anyio's scopes.
Cancellation by asyncio ignores the shield: a call cancelled at that point left the other connections open until they
were garbage-collected. So if asyncio cancels a caller of this module, an anyio scope ends the work, and the caller
waits until the work has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


@contextlib.asynccontextmanager
async def _apart(work: Callable[[], Awaitable[T]]) -> AsyncIterator[asyncio.Task[T]]:
    """Run the work as a task that has ended when the context is left."""
    import anyio

    scope = anyio.CancelScope()

    async def inside() -> T:
        with scope:
            return await work()
        raise asyncio.CancelledError  # the scope has cancelled the work, and swallowed the error

    task = asyncio.ensure_future(inside())
    try:
        yield task
    finally:
        if not task.done():
            scope.cancel()
            await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # marks it as seen: it has been raised already, or nobody waits for it


async def run_apart(work: Callable[[], Awaitable[T]]) -> T:
    """The result of the work, or its error."""
    async with _apart(work) as task:
        return await asyncio.shield(task)


async def iterate_apart(items: Callable[[], AsyncIterator[T]]) -> AsyncIterator[T]:
    """Yield the items of an iterator that is created, advanced and closed in its own task, at most one item ahead."""
    came: asyncio.Queue[tuple[T, ...]] = asyncio.Queue(1)

    async def go_through() -> None:
        try:
            async with contextlib.aclosing(items()) as source:  # type: ignore[type-var]
                async for one in source:
                    await came.put((one,))
        finally:
            await came.put(())

    async with _apart(go_through) as task:
        while one := await came.get():
            yield one[0]
        await task
