"""A fake model server at the outer protocol: OpenAI's chat and completions over real sockets, on an event loop.

Every sample asks the script what to do; a call for several (`n`) does what its first one says. What was served, in
tokens, is counted as the provider would bill it, the prompt once a call, so that a ledger can be held against it.
Nothing sleeps for a fixed time but where a test asks for it (`seconds`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

PROMPT_TOKENS = 7


@dataclass
class Reply:
    """What to answer: a text, after so many seconds; or a fault.

    Attributes:
        fault: `reset`, `reset in the middle`, `hang`, `half`, `no usage`, `too much`, a status such as `429`; of a call
            for several: `no n` (refused), `counts one` (usage is that of its first sample), `gives one`.
        logprob: of every token.
        json: what to answer instead of all that, as it is; for a stream a list of its pieces.
    """

    text: str = "Hello."
    seconds: float = 0.0
    fault: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    logprob: float = -0.01
    json: Any = None


def tokens_of(text: str, most: int) -> int:
    """Tokens of a text, as this server counts."""
    return min(most, max(1, len(text.split())))


@dataclass
class FakeUpstream:
    """Serves on a free port of the loopback while it is used in a with statement.

    Attributes:
        script: for sample number i (from 0) and the body that asks for it, what to do.
        asked: samples.
        bodies: of all calls.
        served: tokens billed, prompt and completion together, of every call that was billed.
        cancelled: calls whose client hung up before the answer was out.
    """

    script: Callable[[int, dict[str, Any]], Reply] = lambda number, body: Reply()
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    asked: int = 0
    served: list[int] = field(default_factory=list)
    cancelled: int = 0
    in_flight: int = 0
    port: int = 0

    def __enter__(self) -> Self:
        started = threading.Event()

        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)), daemon=True)
        self._thread.start()
        started.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _serve(self, started: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", self.port, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await self._stop.wait()
        server.close()
        # A connection that was just accepted gets a task only now.
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def settings(self, **more: Any) -> dict[str, Any]:
        """The model's fields in a models file."""
        return {"backend": "server", "url": self.url, "api": "chat", "concurrency": 256, **more}

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._calls(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()  # nobody may be left who reads the rest
            raise
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _calls(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                fields = head.decode().split("\r\n")
                self.headers.append(head.decode())
                size = next((int(one.split(":")[1]) for one in fields if one.lower().startswith("content-length")), 0)
                body = json.loads(await reader.readexactly(size)) if size else {}
                if not await self._answer(reader, writer, body):
                    break

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: dict[str, Any]) -> bool:
        """Answer one call; False if the connection is not to be used again."""
        self.bodies.append(body)
        several = body.get("n") or 1
        replies = [self.script(self.asked + at, body) for at in range(several)]
        reply = replies[0]
        if reply.fault == "no n" and several > 1:
            reply = Reply(fault="400")
        else:
            self.asked += several
        if reply.fault == "gives one":
            del replies[1:]
        most = body.get("max_tokens") or body.get("max_completion_tokens") or 10**9
        tokens = PROMPT_TOKENS + sum(tokens_of(one.text, most) for one in replies)
        if reply.fault == "too much":
            tokens = PROMPT_TOKENS + most + 100
        if reply.fault.isdigit():
            said = "n must be 1" if replies[0].fault == "no n" else f"told to answer {reply.fault}"
            data = json.dumps({"error": {"message": said}}).encode()
            await self._send(writer, int(reply.fault), data, "application/json", reply.headers)
            return True
        if reply.fault == "reset":
            writer.transport.abort()
            return False
        if not await self._wait(reader, 3600.0 if reply.fault == "hang" else reply.seconds):
            return False
        self.served.append(tokens)
        if body.get("stream"):
            return await self._stream(writer, body, reply, tokens)
        data = json.dumps(self._whole(body, replies, tokens) if reply.json is None else reply.json).encode()
        if reply.fault in ("half", "reset in the middle"):
            await self._send(writer, 200, data, "application/json", cut=len(data) // 2, whole=reply.fault == "half")
            writer.transport.abort()
            return False
        await self._send(writer, 200, data, "application/json")
        return True

    async def _wait(self, reader: asyncio.StreamReader, seconds: float) -> bool:
        """Be at work for so long; False if the client hung up meanwhile."""
        if not seconds:
            return True
        self.in_flight += 1
        try:
            gone = await asyncio.wait_for(reader.read(1), seconds)
        except TimeoutError:
            return True
        except OSError:
            gone = b""
        finally:
            self.in_flight -= 1
        self.cancelled += not gone
        return False

    def _whole(self, body: dict[str, Any], replies: list[Reply], tokens: int) -> dict[str, Any]:
        chat = "messages" in body
        most = body.get("max_tokens") or body.get("max_completion_tokens") or 10**9
        used = tokens - PROMPT_TOKENS if replies[0].fault != "counts one" else tokens_of(replies[0].text, most)
        usage = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": used, "total_tokens": PROMPT_TOKENS + used}
        made = {
            "id": "x",
            "object": "chat.completion" if chat else "text_completion",
            "created": 1,
            "model": body.get("model"),
            "choices": [{"index": at, **_choice(one, chat, body, most)} for at, one in enumerate(replies)],
        }
        return made if replies[0].fault == "no usage" else made | {"usage": usage}

    async def _stream(self, writer: asyncio.StreamWriter, body: dict[str, Any], reply: Reply, tokens: int) -> bool:
        whole = self._whole(body, [reply], tokens)
        head = {name: whole[name] for name in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
        pieces: list[dict[str, Any]] = [
            head | {"choices": [{"index": 0, "delta": {"content": word + " "}, "finish_reason": None}]}
            for word in reply.text.split()
        ]
        pieces.append(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        if reply.fault != "no usage":
            pieces.append(head | {"choices": [], "usage": whole.get("usage")})
        pieces = pieces if reply.json is None else reply.json
        lines = [b"data: " + json.dumps(one).encode() + b"\n\n" for one in pieces] + [b"data: [DONE]\n\n"]
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for at, line in enumerate(lines):
            if reply.fault == "reset in the middle" and at == len(lines) // 2:
                writer.transport.abort()
                return False
            writer.write(b"%x\r\n%s\r\n" % (len(line), line))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        return True

    async def _send(
        self,
        writer: asyncio.StreamWriter,
        status: int,
        data: bytes,
        kind: str,
        headers: dict[str, str] | None = None,
        *,
        cut: int | None = None,
        whole: bool = False,
    ) -> None:
        sent = data[:cut]
        size = len(sent) if whole else len(data)
        more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {size}\r\n{more}\r\n"
        writer.write(head.encode() + sent)
        await writer.drain()


def _choice(reply: Reply, chat: bool, body: dict[str, Any], most: int) -> dict[str, Any]:
    text = reply.text
    made: dict[str, Any] = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
    made["finish_reason"] = "stop"
    if body.get("logprobs"):
        words = (text.split() or [""])[:most]
        made["logprobs"] = {"content": [{"token": one, "logprob": reply.logprob} for one in words]}
    return made
