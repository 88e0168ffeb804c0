"""Several small connection pools instead of a large one.

The HTTP client's pool checks all its connections twice per call, with a system call for each idle one: a hundred of
them double the cost of a call. So each call goes to the first pool with room. A few simultaneous calls all use the
first pool and reuse its connections.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from types import ModuleType
from typing import Any

#: number of calls under way in a pool before another pool is used
_EACH = 8


def spread(http: ModuleType, make: Callable[[], Any], most: int) -> Any:
    """A transport over several pools, which are created on demand.

    Args:
        http: the httpx module, as the client imports it.
        make: makes a transport with a pool of its own.
        most: number of simultaneous calls for which pools are created; further calls go to the emptiest pool.
    """
    stream: Any = type("Stream", (_Stream, http.AsyncByteStream), {})
    pools: Any = type("Pools", (_Pools, http.AsyncBaseTransport), {})
    return pools(make, stream, math.ceil(most / _EACH))


class _Stream:
    """An answer's body; closing it frees its place in the pool."""

    def __init__(self, stream: Any, leave: Callable[[], None]) -> None:
        self._stream, self._leave, self._open = stream, leave, True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            yield piece

    async def aclose(self) -> None:
        if self._open:
            self._open = False
            self._leave()
        await self._stream.aclose()


class _Pools:
    def __init__(self, make: Callable[[], Any], stream: Callable[[Any, Callable[[], None]], Any], most: int) -> None:
        self._make, self._stream, self._most = make, stream, most
        self._pools: list[Any] = [make()]
        self._under_way = [0]

    async def handle_async_request(self, request: Any) -> Any:
        place = self._choose()
        self._under_way[place] += 1
        try:
            response = await self._pools[place].handle_async_request(request)
        except BaseException:
            self._leave(place)
            raise
        response.stream = self._stream(response.stream, lambda: self._leave(place))
        return response

    def _choose(self) -> int:
        """The first pool with room, else a new one, or the one with the fewest calls if no more may be created."""
        place = next((at for at, calls in enumerate(self._under_way) if calls < _EACH), None)
        if place is None and len(self._pools) < self._most:
            self._pools.append(self._make())
            self._under_way.append(0)
            place = len(self._pools) - 1
        return place if place is not None else self._under_way.index(min(self._under_way))

    def _leave(self, place: int) -> None:
        self._under_way[place] -= 1

    async def aclose(self) -> None:
        for pool in self._pools:
            await pool.aclose()
