"""A small project with tests, and an OpenAI-compatible server that answers as it is told: for tests of `solve`."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

#: from the model's name and the seed to a text, or to one with its tokens and the seconds that it takes
Answers = Callable[[str, int], str | tuple[str, int, float]]

TEXT = '''"""Texts."""
import re


def slugify(text: str, sep: str = "-") -> str:
    """Lower-case words of letters and digits, joined by sep."""
    ...


def shout(text: str) -> str:
    return text.upper()


class Counter:
    """Counts words."""

    def __init__(self) -> None:
        self.words: dict[str, int] = {}

    def add(self, word: str) -> None:
        """Count a word."""
        raise NotImplementedError
'''
TESTS = """import pytest
from pkg.text import shout, slugify


@pytest.mark.parametrize("text, slug", [("Hello World", "hello-world"), ("a  b!", "a-b")])
def test_slug(text, slug):
    assert slugify(text) == slug


def test_sep(data):
    assert slugify(data, sep="_") == "from_data"


def test_shout():
    assert shout("a") == "A"
"""
CONFTEST = """from pathlib import Path

import pytest


@pytest.fixture
def data():
    return (Path(__file__).parent / "data.txt").read_text()
"""
COUNTER_TESTS = """from pkg.text import Counter


def test_add():
    counter = Counter()
    counter.add("a")
    counter.add("a")
    assert counter.words == {"a": 2}
"""
RIGHT = '    return sep.join(re.findall(r"[a-z0-9]+", text.lower()))\n'
WRONG = "    return text\n"


def make_project(folder: Path) -> Path:
    """A package in src with relative imports, a conftest, a data file and two functions without a body."""
    files = {
        "pyproject.toml": '[project]\nname = "pkg"\nversion = "1"\n[tool.pytest.ini_options]\ntestpaths = ["tests"]\n',
        "src/pkg/__init__.py": "from .text import slugify\n",
        "src/pkg/text.py": TEXT,
        "tests/conftest.py": CONFTEST,
        "tests/data.txt": "From  Data",
        "tests/test_text.py": TESTS,
        "tests/test_counter.py": COUNTER_TESTS,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._send({"data": [{"id": name, "owned_by": "test"} for name in ("small", "large")]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.path.endswith("/completions"):
            self.send_error(404)
            return
        answer = self.server.answers(body["model"], int(body.get("seed", 0)))
        text, tokens, seconds = answer if isinstance(answer, tuple) else (answer, max(1, len(answer) // 4), 0.0)
        self.server.asked.append(body)
        if seconds:
            time.sleep(seconds)  # a server that takes its time: what stops in time is looked at
        is_chat = self.path.endswith("/chat/completions")
        prompt = body["messages"][-1]["content"] if is_chat else body["prompt"]
        tokens = min(tokens, body["max_tokens"] if "max_tokens" in body else body["max_completion_tokens"])
        said: dict[str, Any] = {"message": {"role": "assistant", "content": text}} if is_chat else {"text": text}
        usage = {"prompt_tokens": max(1, len(prompt) // 4), "completion_tokens": tokens}
        self._send({"model": body["model"], "choices": [{"index": 0, "finish_reason": "stop", **said}], "usage": usage})

    def _send(self, answer: dict[str, Any]) -> None:
        data = json.dumps(answer).encode()
        try:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            self.close_connection = True  # the client has hung up

    def log_message(self, *args: Any) -> None:
        """Nothing is told."""


class _Server(ThreadingHTTPServer):
    daemon_threads, block_on_close = True, False
    request_queue_size = 64

    def __init__(self, answers: Answers) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers
        self.asked: list[dict[str, Any]] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is not a fault."""


def enter_project(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project below a folder, as the working folder, with a models file of its own beside it."""
    root = make_project(folder / "project")
    monkeypatch.chdir(root)
    monkeypatch.setenv("ISOBUDGET_MODELS_TOML", str(folder / "models.toml"))
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    return root


@contextmanager
def answering(answers: Answers) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a server that answers so meanwhile, and what it was asked."""
    server = _Server(answers)
    thread = threading.Thread(target=lambda: server.serve_forever(0.01), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", server.asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def declare(path: Path, url: str, *, api: str = "completions", names: tuple[str, ...] = ("small", "large")) -> Path:
    """A models file that declares the server's models, with a price and an architecture."""
    path.write_text(
        "".join(
            f"[models.{name}]\nbackend = 'server'\nurl = '{url}'\napi = '{api}'\nattempts = 1\n"
            f"architecture = 'codellama-{7 if name == 'small' else 13}b'\n"
            f"price = {{ input = {0.1 * (at + 1)}, output = {0.4 * (at + 1)}, date = '2026-11-28', source = 'test' }}\n"
            for at, name in enumerate(names)
        )
    )
    return path
