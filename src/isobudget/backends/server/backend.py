"""A model behind an OpenAI-compatible server: vLLM, llama-server, SGLang, TGI, Ollama, OpenAI itself.

The official async client does the transport, on an event loop in a thread of its own; `generate` blocks only the
thread that calls it. Several samples of a prompt are asked for in one request where the server honours that, which is
checked on its answers (`traits`, `answers`); failed requests are repeated (`calls`).

What is recorded: **seed** is the seed asked for; a request for several samples carries the first one's, and llama.cpp
and vLLM draw sample i of it with seed + i. **seconds** is busy time of this client, shared among the samples in flight:
what the server's engine itself spent on a sample cannot be seen from here, and other users of the server, the network
and its queue are inside. Requests that were lost and repeated are not charged. **joules** are unknown (NaN).

Not covered: streaming, tools, images.
"""

from __future__ import annotations

import asyncio
import math
import urllib.parse
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from isobudget.backends.base import Chat, Description, Generation, Prompt, Sampling, Score
from isobudget.backends.server.answers import PATHS, Api
from isobudget.backends.server.calls import CallLimits, Calls, Wait
from isobudget.backends.server.keys import Key, find_key
from isobudget.backends.server.loop import LoopThread
from isobudget.backends.server.scoring import Scorer
from isobudget.backends.server.session import Session
from isobudget.backends.server.traits import identify
from isobudget.errors import BackendError, InputError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How a server is reached.

    Attributes:
        url: base URL, usually ending in ``/v1``, which is added if the URL names no path.
        model: the model's name at the server.
        api: ``completions`` continues text; ``chat`` answers conversations by the model's own template.
        key_env: the environment variable that holds the key; unset or empty: no key is sent. "" never sends one. By
            default OPENAI_API_KEY for https://api.openai.com, and none for any other server.
        concurrency: most requests at the same time.
        timeout_seconds: for one request, from connecting to the end of its answer.
        attempts: how often one request is tried in all.
        requests_per_minute: most requests per minute; None sets no limit.

    Raises:
        InputError: a value that cannot be, or a URL that carries a secret.
    """

    url: str
    model: str
    api: Api = "completions"
    key_env: str | None = None
    concurrency: int = 16
    timeout_seconds: float = 600.0
    attempts: int = 6
    requests_per_minute: float | None = None

    def __post_init__(self) -> None:
        _check_url(self.url)
        if self.api not in PATHS:
            raise InputError(f'api is {self.api!r}; it must be "completions" or "chat"')
        if not self.model:
            raise InputError("model is empty; give the model's name at the server (it lists them under /v1/models)")
        numbers = (
            ("concurrency", self.concurrency),
            ("timeout_seconds", self.timeout_seconds),
            ("attempts", self.attempts),
            ("requests_per_minute", self.requests_per_minute),
        )
        for name, value in numbers:
            if value is not None and not 0 < value < math.inf:
                raise InputError(f"{name} is {value}; it must be greater than 0")

    @property
    def base_url(self) -> str:
        """The URL in the form that paths are added to."""
        url = self.url.rstrip("/")
        return url if urllib.parse.urlsplit(url).path else f"{url}/v1"


class ServerBackend:
    """One model of a server. Opening it asks the server who it is.

    Args:
        settings: see there.
        wait: waits so many seconds before a request is sent or repeated.

    Raises:
        MissingExtraError: the client `openai` is not installed.
        BackendError: the server cannot be reached, wants another key, or would be sent one in the clear.
    """

    def __init__(self, settings: ServerSettings, wait: Wait = asyncio.sleep) -> None:
        self.settings = settings
        self.concurrency = settings.concurrency
        self._wait = wait
        self._loop: LoopThread | None = None
        self._session: Session | None = None

    def __enter__(self) -> Self:
        key = find_key(self.settings.base_url, self.settings.key_env)
        self._loop = LoopThread("isobudget-server")
        try:
            self._session = self._run(open_session(self.settings, key, self._wait))
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def generate(self, prompt: Prompt, sampling: Sampling, seeds: list[int]) -> list[Generation]:
        """Draw one sample per seed; see `Backend.generate`."""
        self._check_form(prompt)
        return self._run(self._opened().draw(prompt, sampling, seeds))

    def score(self, prompt: Prompt, texts: Sequence[str], token_ids: Sequence[Sequence[int]] = ()) -> list[Score]:
        """How likely each text is after the prompt; see `Backend.score`. Few servers can: `Description.can_score`."""
        self._check_form(prompt)
        return self._run(self._opened().score(prompt, texts, token_ids))

    def describe(self) -> Description:
        """What this backend is, and what was noticed of the server since it was opened."""
        return self._opened().describe()

    def _check_form(self, prompt: Prompt) -> None:
        if isinstance(prompt, Chat) and self.settings.api != "chat":
            raise BackendError(
                f'{self.settings.model}: the prompt is a conversation, but api = "completions" continues text. '
                'Set api = "chat" for this model, or a prompt format that gives text, such as completion.'
            )
        if not isinstance(prompt, Chat) and self.settings.api == "chat":
            raise BackendError(
                f'{self.settings.model}: the prompt is text to continue, but api = "chat" answers conversations. '
                'Set a prompt format that makes one (chat), or api = "completions" for this model.'
            )

    def _opened(self) -> Session:
        if self._session is None:
            raise BackendError(f"{self.settings.model}: the server is not opened; use the backend in a with statement")
        return self._session

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
            raise BackendError(f"{self.settings.model}: the backend is closed")
        try:
            return self._loop.run(work)
        except BackendError as error:
            where = f"{self.settings.model} at {urllib.parse.urlsplit(self.settings.base_url).netloc}"
            raise BackendError(f"{where}: {error}") from None

    def _close(self) -> None:
        loop, session = self._loop, self._session
        self._loop = self._session = None
        if loop is not None:
            loop.close(_nothing() if session is None else session.calls.close())


async def open_session(settings: ServerSettings, key: Key, wait: Wait) -> Session:
    """Ask the server who it is and what it can.

    Raises:
        BackendError: it cannot be reached, or wants another key.
    """
    limits = CallLimits(settings.concurrency, settings.timeout_seconds, settings.attempts, settings.requests_per_minute)
    calls = Calls(settings.base_url, key, limits, wait)
    try:
        server = await identify(calls, settings.base_url)
        scorer = Scorer(calls, settings.base_url, settings.model)
        can_score = settings.api == "completions" and await scorer.works()
    except BaseException:
        await calls.close()
        raise
    return Session(settings, calls, server, can_score, [key.note] if key.note else [])


async def _nothing() -> None:
    pass


def _check_url(url: str) -> None:
    try:
        parts = urllib.parse.urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        fits = False
    if not fits:
        raise InputError(f"url is {url!r}; it must be like http://127.0.0.1:8000/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InputError(
            "url holds more than an address. It is written into the run folder, so keys do not belong there: "
            "put the key into an environment variable and name it in key_env."
        )
