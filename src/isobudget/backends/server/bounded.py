"""Limits the length of answers, because an answer that never ends would fill this process's memory.

Bytes are counted as received. Compressed answers are not requested. If one arrives anyway, its limit is lower by
deflate's highest compression ratio, so that it stays within the bound when unpacked. Formats that compress more (br,
zstd) are not unpacked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from isobudget.backends.server.faults import UnreadableError

#: maximum size of an answer: twice that of 32 samples of 16,384 tokens with their log-probabilities
MOST_BYTES = 2**27
_HIGHEST_RATIO = 1032
_DEFLATED = {"gzip", "x-gzip", "deflate"}
#: headers of every request
HEADERS = {"accept-encoding": "identity"}


def bounded_transport(http: Any, **options: Any) -> Any:
    """The HTTP client's transport; an answer beyond the bound fails with an `UnreadableError`.

    Args:
        http: the module of the HTTP client.
        options: arguments of the module's `AsyncHTTPTransport`.
    """

    class Bounded(http.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, pieces: Any, coding: str) -> None:
            packed = coding != "identity"
            self._pieces, self._what = pieces, "the compressed answer" if packed else "the answer"
            self._most = MOST_BYTES // _HIGHEST_RATIO if packed else MOST_BYTES
            self._unasked = coding[:40] if packed and coding not in _DEFLATED else ""

        async def __aiter__(self) -> AsyncIterator[bytes]:
            if self._unasked:
                raise UnreadableError(
                    f"the server's answer is compressed by {self._unasked!r}, which was not requested"
                )
            left = self._most
            async for piece in self._pieces:
                left -= len(piece)
                if left < 0:
                    raise UnreadableError(f"{self._what} is longer than {self._most >> 10:,} KiB")
                yield piece

        async def aclose(self) -> None:
            await self._pieces.aclose()

    class Transport(http.AsyncHTTPTransport):  # type: ignore[misc]
        async def handle_async_request(self, request: Any) -> Any:
            response = await super().handle_async_request(request)
            coding = response.headers.get("content-encoding", "identity").strip().lower()
            response.stream = Bounded(response.stream, coding)
            return response

    return Transport(**options)
