"""What the tests of the server backend share: a backend before a bad server, and what right samples of it are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from isobudget.backends.base import Chat, Generation, Message, Sampling
from isobudget.backends.server import ServerBackend, ServerSettings
from support.bad_server import PROMPT_TOKENS, BadServer, Fault, Habits, text_of, tokens_of

WARM = Sampling(temperature=0.8, top_p=0.95, max_tokens=64)
CHAT = Chat((Message("system", "Be brief."), Message("user", "hello")))


class Waits:
    """Waits that take no time, and remember how long they would have been."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def settings(server: BadServer, **changes: Any) -> ServerSettings:
    return ServerSettings(**{"url": server.url, "model": "m", "timeout_seconds": 10.0, **changes})


def draw(
    habits: Habits | None = None,
    script: Callable[[int, dict[str, Any]], Fault] = lambda number, body: None,
    seeds: tuple[int, ...] = (40, 41, 42, 43, 44),
    sampling: Sampling = WARM,
    **changes: Any,
) -> tuple[list[Generation], BadServer, tuple[str, ...]]:
    """Samples of one prompt from a server with these habits; the server, and what was noticed."""
    with (
        BadServer(habits or Habits(), script) as server,
        ServerBackend(settings(server, **changes), Waits()) as backend,
    ):
        prompt = CHAT if changes.get("api") == "chat" else "hello"
        generations = backend.generate(prompt, sampling, list(seeds))
        return generations, server, backend.describe().notes


def assert_right(generations: list[Generation], seeds: tuple[int, ...] = (40, 41, 42, 43, 44)) -> None:
    """Each seed's own text, once, in order, with its true number of tokens."""
    assert [one.seed for one in generations] == list(seeds)
    for one in generations:
        assert one.text == text_of("hello", one.seed)
        assert one.prompt_tokens == PROMPT_TOKENS
        assert one.completion_tokens == len(tokens_of(one.text))
