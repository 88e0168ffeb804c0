"""An OpenAI-compatible server whose answers follow from the model, the prompt and the seed alone: for golden outputs.

A completion is one of the bodies that `golden/answers.json` gives for the function that the prompt ends with, the
first of which is right; the model named `large` is right more often. Scores come from letters, as from vLLM's echo.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_ANSWERS: dict[str, list[str]] = json.loads((Path(__file__).parent / "golden" / "answers.json").read_text("utf-8"))


def _chance(*of: object) -> float:
    """A number in [0, 1) that anything else than `of` has no part in."""
    return int.from_bytes(hashlib.sha256(repr(of).encode()).digest()[:6]) / 2**48


def _text(model: str, prompt: str, seed: int) -> str:
    name = re.findall(r"def (\w+)\(", prompt)[-1]
    bodies = _ANSWERS[name]
    skill = (0.9 if "large" in model else 0.5) - 0.8 * _chance("difficulty", name) ** 2
    right = _chance(model, name, seed) < skill
    body = bodies[0] if right else bodies[1 + int(_chance(model, name, seed, "which") * (len(bodies) - 1))]
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    return lines if prompt.endswith("\n") else f"\n{lines}"


def _choice(body: dict[str, Any], place: int) -> dict[str, Any]:
    text = _text(body["model"], body["prompt"], body.get("seed", 0) + place)
    tokens = [text[at : at + 3] for at in range(0, len(text), 3)]
    values = [-0.9 * _chance(body["model"], text, at) ** 2 for at in range(len(tokens))]
    logprobs = {"tokens": tokens, "token_logprobs": values}
    return {"index": place, "finish_reason": "stop", "text": text, "logprobs": logprobs}


def _echo(body: dict[str, Any]) -> dict[str, Any]:
    values = [None, *(-(token % 17) / 20 for token in body["prompt"][1:]), -0.5]
    logprobs = {"tokens": ["x"] * len(values), "token_logprobs": values}
    return {"choices": [{"text": "x", "index": 0, "logprobs": logprobs, "finish_reason": "length"}]}


def _answer(path: str, body: dict[str, Any]) -> dict[str, Any]:
    if path == "/tokenize":
        return {"tokens": [1] * body["add_special_tokens"] + [ord(letter) for letter in body["prompt"]]}
    if body.get("echo"):
        return _echo(body)
    choices = [_choice(body, place) for place in range(body.get("n", 1))]
    used = sum(len(one["logprobs"]["tokens"]) for one in choices)
    return {"choices": choices, "usage": {"prompt_tokens": len(body["prompt"]) // 4, "completion_tokens": used}}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/version":
            self._send({"version": "1"})
        else:
            self._send({"data": [{"id": name, "owned_by": "vllm"} for name in ("small", "large")]})

    def do_POST(self) -> None:
        self._send(_answer(self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))

    def _send(self, answer: dict[str, Any]) -> None:
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        """Nothing is told."""


@contextmanager
def golden_server() -> Iterator[str]:
    """The address of a server that runs meanwhile."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads, server.block_on_close = True, False
    thread = threading.Thread(target=lambda: server.serve_forever(0.01), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
