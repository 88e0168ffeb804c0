"""Places that keys take in turns: of a model's calls, and of the whole server."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict, deque
from collections.abc import AsyncIterator

from isobudget.gateway.faults import overloaded


class FairGate:
    """A number of places, given to waiting calls in turns of their keys. To be used on one event loop.

    Args:
        places: at the same time.
        most_waiting: how many may wait; more are sent away.
        what: the name of what is full, for the message.
    """

    def __init__(self, places: int, most_waiting: int = 10_000, what: str = "the server") -> None:
        self._free = places
        self._most_waiting = most_waiting
        self._what = what
        self._waiting: OrderedDict[int, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting.values()))

    @contextlib.asynccontextmanager
    async def place(self, key: int) -> AsyncIterator[None]:
        """Take a place, once there is one, and give it back.

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
            raise overloaded(f"{self._what} is full; ask again later")
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
