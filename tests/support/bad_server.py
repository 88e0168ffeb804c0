"""A scripted OpenAI-compatible server over real sockets, for the ways in which servers go wrong.

It draws texts from the seed alone (`text_of`), so a test can tell which sample of which prompt it got. Each request
asks the script what to do; a `Fault` that is None answers properly. Nothing here sleeps: a hang is a connection that
stays open without an answer until the client leaves or the server closes.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

#: what a proper answer costs: tokens of every prompt, and of every output (its stop text and end token included)
PROMPT_TOKENS = 7

Fault = str | tuple[int, dict[str, str], str] | None
"""None; a name: hang, drip, disconnect, disconnect mid-body, or one of `_WRONG_TEXTS`; or status, headers and body."""


def text_of(prompt: str, seed: int) -> str:
    """The output for a prompt and a seed: some words, each one token."""
    return "".join(f" w{(seed * 31 + place * 7) % 97}" for place in range(3 + seed % 4)) + f" <{prompt}|{seed}>"


def tokens_of(text: str) -> list[str]:
    """A text's tokens: every word with the space before it."""
    return [f" {word}" for word in text.split(" ")[1:]]


@dataclass
class Habits:
    """How this server differs from the API. The defaults are those of a good server."""

    most_samples: int = 1000  # gives no more than this, silently
    refuses: tuple[str, ...] = ()  # fields answered with 400
    names_the_field: bool = True
    usage: str = "sum"  # sum | first | none | ends (end tokens counted but not listed)
    logprobs: bool = True
    one_seed_for_all: bool = False
    finish: str | None = "stop"
    owned_by: str = "someone"
    tokenize: bool = False
    echo: bool = False
    key: str = ""
    models: tuple[int, dict[str, str], str] | None = None  # what /v1/models answers; None: a proper list


@dataclass
class BadServer:
    """Serves on a free port of the loopback while it is used in a with statement.

    Attributes:
        habits: see `Habits`.
        script: for request number i (from 0) to completions or chat, what goes wrong.
        requests: the bodies of all requests to completions or chat.
    """

    habits: Habits = field(default_factory=Habits)
    script: Callable[[int, dict[str, Any]], Fault] = lambda number, body: None
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._lock = threading.Lock()
        self._closing = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                owner._get(self)

            def do_POST(self) -> None:
                owner._post(self)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(0.01), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def _get(self, handler: BaseHTTPRequestHandler) -> None:
        if self._locked_out(handler):
            return
        if handler.path == "/v1/models" and self.habits.models is not None:
            _send_text(handler, *self.habits.models)
        elif handler.path == "/v1/models":
            _send(handler, 200, {"data": [{"id": "m", "owned_by": self.habits.owned_by}]})
        elif handler.path == "/version":
            _send(handler, 200, {"version": "9.9"})
        else:
            _send(handler, 404, {"error": {"message": "nothing here"}})

    def _post(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        if self._locked_out(handler):
            return
        if handler.path == "/tokenize":
            self._tokenize(handler, body)
        elif body.get("echo"):
            self._echo(handler, body)
        else:
            with self._lock:
                number = len(self.requests)
                self.requests.append(body)
                self.headers.append({name.lower(): value for name, value in handler.headers.items()})
            self._answer(handler, body, self.script(number, body))

    def _locked_out(self, handler: BaseHTTPRequestHandler) -> bool:
        if not self.habits.key or handler.headers.get("Authorization") == f"Bearer {self.habits.key}":
            return False
        given = handler.headers.get("Authorization", "")
        _send(handler, 401, {"error": {"message": f"Incorrect API key provided: {given}"}})
        return True

    def _tokenize(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        if not self.habits.tokenize:
            return _send(handler, 404, {"detail": "Not Found"})
        text = body.get("prompt") or "".join(one["content"] for one in body["messages"])
        return _send(handler, 200, {"tokens": [1] * body["add_special_tokens"] + [ord(letter) for letter in text]})

    def _echo(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        """As vLLM answers: log-probabilities of the prompt's tokens, none for the first, and one generated token."""
        values: list[float | None] = [None, *(-token / 100 for token in body["prompt"][1:]), -0.5]
        if not self.habits.echo:
            values = [-0.5]
        logprobs = {"tokens": ["x"] * len(values), "token_logprobs": values}
        _send(handler, 200, {"choices": [{"text": "x", "index": 0, "logprobs": logprobs, "finish_reason": "length"}]})

    def _answer(self, handler: BaseHTTPRequestHandler, body: dict[str, Any], fault: Fault) -> None:
        if isinstance(fault, tuple):
            _send_text(handler, *fault)
        elif fault is not None:
            self._go_wrong(handler, fault, json.dumps(self._proper(body, "abort" if fault == "abort" else "")))
        elif refused := next((name for name in self.habits.refuses if _asks(body, name)), None):
            named = f"'{refused}' is not supported" if self.habits.names_the_field else "invalid request"
            _send(handler, 400, {"error": {"message": named}})
        else:
            _send(handler, 200, self._proper(body))

    def _go_wrong(self, handler: BaseHTTPRequestHandler, fault: str, whole: str) -> None:
        if fault in _WRONG_TEXTS:
            return _send_text(handler, 200, *_WRONG_TEXTS[fault](whole))
        if fault == "drip":
            _begin(handler, len(whole), whole[:1])
        elif fault == "disconnect mid-body":
            _begin(handler, len(whole) + 100, whole[: len(whole) // 2])
        if fault in ("drip", "hang"):
            self._closing.wait(60)
        return _hang_up(handler)

    def _proper(self, body: dict[str, Any], finish: str | None = "") -> dict[str, Any]:
        habits = self.habits
        finish = habits.finish if finish == "" else finish
        chat = "messages" in body
        prompt = body["messages"][-1]["content"] if chat else body["prompt"]
        seeds = [
            body.get("seed", 0) + (0 if habits.one_seed_for_all else place)
            for place in range(min(body.get("n", 1), habits.most_samples))
        ]
        texts = [text_of(prompt, seed) for seed in seeds]
        listed = [tokens_of(text) for text in texts]
        counts = [len(one) + (habits.usage in ("ends", "first")) for one in listed]
        choices = []
        for place, (text, tokens) in enumerate(zip(texts, listed, strict=True)):
            choice: dict[str, Any] = {"index": place, "finish_reason": finish}
            choice |= {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
            choice["logprobs"] = _logprobs(tokens, chat) if habits.logprobs and body.get("logprobs") else None
            choices.append(choice)
        answer: dict[str, Any] = {"choices": choices[::-1]}  # the order is told by the index alone
        if habits.usage != "none":
            used = counts[0] if habits.usage == "first" else sum(counts)
            answer["usage"] = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": used}
        return answer


_PLAIN: dict[str, str] = {}
_WRONG_TEXTS: dict[str, Callable[[str], tuple[dict[str, str], str]]] = {
    "abort": lambda whole: (_PLAIN, whole),
    "truncated": lambda whole: (_PLAIN, whole[: len(whole) // 2]),
    "wrong content type": lambda whole: ({"Content-Type": "text/plain"}, whole),
    "html": lambda _: ({"Content-Type": "text/html"}, "<html><title>Bad gateway</title></html>"),
    "no choices": lambda _: (_PLAIN, '{"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}'),
    "null choices": lambda _: (_PLAIN, '{"choices": null}'),
    "error in 200": lambda _: (_PLAIN, '{"error": {"message": "upstream is busy"}}'),
}


def _asks(body: dict[str, Any], name: str) -> bool:
    if name == "stop":
        return len(body.get("stop", ())) > 4
    return name in body


def _logprobs(tokens: list[str], chat: bool) -> dict[str, Any]:
    values = [-0.125 * (1 + place) for place in range(len(tokens))]
    if chat:
        return {"content": [{"token": token, "logprob": value} for token, value in zip(tokens, values, strict=True)]}
    return {"tokens": tokens, "token_logprobs": values}


def _send(handler: BaseHTTPRequestHandler, status: int, answer: dict[str, Any]) -> None:
    _send_text(handler, status, {}, json.dumps(answer))


def _send_text(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], text: str) -> None:
    handler.send_response(status)
    for name, value in ({"Content-Type": "application/json"} | headers).items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(text.encode())))
    handler.end_headers()
    handler.wfile.write(text.encode())


def _begin(handler: BaseHTTPRequestHandler, length: int, text: str) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(length))
    handler.end_headers()
    handler.wfile.write(text.encode())
    handler.wfile.flush()


def _hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Give other threads time until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it did not happen in time")
        threading.Event().wait(0.005)
