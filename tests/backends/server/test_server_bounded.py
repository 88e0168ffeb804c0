"""An answer that does not end is cut off, however it comes; and it is asked for once, without compression."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator

import pytest

from isobudget.backends.server import bounded
from isobudget.backends.server.calls import Calls
from isobudget.backends.server.faults import UnreadableError
from isobudget.backends.server.keys import ApiKey
from isobudget.backends.server.settings import ServerSettings

MOST = 2**21
ANSWER = {"choices": [{"index": 0}]}


class Endless:
    """Answers every request with a beginning, and then with a piece again and again until the client leaves."""

    def __init__(self, kind: str, begin: bytes, piece: bytes) -> None:
        self._kind, self._begin, self._piece = kind, begin, piece
        self.heads = list[bytes]()
        self.left = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(f"HTTP/1.1 200 OK\r\ncontent-type: {self._kind}\r\n\r\n".encode() + self._begin)
                while self._piece:
                    writer.write(self._piece)
                    await writer.drain()
        finally:
            writer.transport.abort() if self._piece else writer.close()
            self.left.set()


@contextlib.asynccontextmanager
async def calls_to(server: Endless) -> AsyncIterator[Calls]:
    async with await asyncio.start_server(server.answer, "127.0.0.1", 0) as listening:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
        calls = Calls(ServerSettings(model="m", url=url, api="chat"), ApiKey("", "", named=False))
        try:
            yield calls
        finally:
            await calls.close()


async def asked(server: Endless, stream: bool) -> None:
    async with calls_to(server) as calls:
        if not stream:
            await calls.call("chat", {}, lambda data: data)
        else:
            async with contextlib.aclosing(calls.stream("chat", {})) as pieces:  # type: ignore[type-var]
                async for _ in pieces:
                    pass


PIECE = b"data: " + json.dumps(ANSWER).encode() + b"\n\n"
FORMS = {
    "whole": ("application/json", b"{", b" " * 65536, False),
    "an error": ("text/html", b"", b"x" * 65536, False),
    "a stream": ("text/event-stream", b"", PIECE * 1000, True),
    "a line of a stream": ("text/event-stream", b"data: ", b" " * 65536, True),
    "compressed": ("application/json\r\ncontent-encoding: gzip", gzip.compress(b" " * (MOST * 2)), b"", False),
}


@pytest.mark.parametrize("form", FORMS)
def test_an_answer_that_does_not_end_is_cut_off(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "MOST_BYTES", MOST)
    kind, begin, piece, stream = FORMS[form]

    async def cut_off() -> Endless:
        server = Endless(kind, begin, piece)
        with pytest.raises(UnreadableError, match="longer than"):
            await asked(server, stream)
        await asyncio.wait_for(server.left.wait(), 20)
        return server

    (head,) = asyncio.run(cut_off()).heads
    assert b"accept-encoding: identity\r\n" in head.lower()


def test_one_that_fits_is_taken_compressed_as_well() -> None:
    whole = json.dumps(ANSWER).encode()

    async def answers() -> list[object]:
        came = list[object]()
        for kind, data in (
            ("application/json", whole),
            ("application/json\r\ncontent-encoding: gzip", gzip.compress(whole)),
        ):
            async with calls_to(Endless(kind, data, b"")) as calls:
                came.append((await calls.call("chat", {}, lambda data: data)).value)
        return came

    assert asyncio.run(answers()) == [ANSWER, ANSWER]


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "ZSTD"])
@pytest.mark.parametrize("stream", [False, True])
def test_one_that_is_packed_closer_is_not_unpacked(coding: str, stream: bool) -> None:
    kind = "text/event-stream" if stream else "application/json"
    with pytest.raises(UnreadableError, match=f"compressed by '{coding.lower()}', which was not requested"):
        asyncio.run(asked(Endless(f"{kind}\r\ncontent-encoding: {coding}", b"xx", b""), stream))
