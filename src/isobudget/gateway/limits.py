"""Limited numbers of places, given to keys in turn: for a model's calls, and for the whole server."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict, deque
from collections.abc import AsyncIterator

from isobudget.gateway.faults import overloaded


class FairGate:
    """A number of places, given to waiting calls of different keys in turn. Use it on one event loop.

    Args:
        places: number of places.
        most_waiting: how many calls may wait; further ones are refused.
        what: name of the resource, for the message.
    """

    def __init__(self, places: int, most_waiting: int = 10_000, what: str = "the server") -> None:
        self._free = places
        self._most_waiting = most_waiting
        self._what = what
        self._waiting: OrderedDict[int, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """The number of waiting calls."""
        return sum(map(len, self._waiting.values()))

    @contextlib.asynccontextmanager
    async def place(self, key: int) -> AsyncIterator[None]:
        """Wait for a place, take it, and release it at the end of the context.

        Raises:
            RefusedRequestError: too many wait (503).
        """
        if self._free > 0 and not self._waiting:
            self._free -= 1
        else:
            await self._wait(key)
        try:
            yield
        finally:
            self._give_back()

    async def _wait(self, key: int) -> None:
        if self.waiting >= self._most_waiting:
            raise overloaded(f"{self._what} has too many waiting calls; try again later")
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._give_back()
            raise

    def _give_back(self) -> None:
        while self._waiting:
            key, queue = self._waiting.popitem(last=False)
            first = queue.popleft()
            if queue:
                self._waiting[key] = queue  # after all others
            if not first.done():
                first.set_result(None)
                return
        self._free += 1
