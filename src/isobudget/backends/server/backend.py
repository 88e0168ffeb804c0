"""A model behind an OpenAI-compatible server: vLLM, llama-server, SGLang, TGI, Ollama, OpenAI itself.

The official async client does the transport, on an event loop in a thread of its own; `generate` blocks only the thread
that calls it. Several samples of a prompt are requested in one call if the server supports that, which is checked from
its answers (`traits`, `answers`); failed requests are retried (`calls`).

What is recorded: **seed** is the requested seed. A request for several samples contains only the seed of the first one,
and llama.cpp and vLLM use this seed + i for sample i. **seconds** is busy time of this client, shared among the samples
in flight. It includes the network, the server's queue and the server's other users, because a client cannot see the
engine's own time for a sample. Requests that were lost and retried are not charged. **joules** are unknown (NaN).

Not covered: streaming, tools, images.
"""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import Coroutine, Sequence
from typing import Any, Self, TypeVar

from isobudget.backends.base import Description, Generation, Prompt, Sampling, Score
from isobudget.backends.server.calls import Calls, Wait
from isobudget.backends.server.keys import ApiKey, find_key
from isobudget.backends.server.loop import LoopThread
from isobudget.backends.server.scoring import ServerScorer
from isobudget.backends.server.session import ServerSession
from isobudget.backends.server.settings import ServerSettings
from isobudget.backends.server.traits import identify
from isobudget.errors import BackendError

T = TypeVar("T")


class ServerBackend:
    """One model of a server. Opening it queries the server's kind and version.

    Args:
        settings: settings of the server.
        wait: called with the seconds to wait before a request is sent or repeated.

    Raises:
        MissingExtraError: the client `openai` is not installed.
        BackendError: the server cannot be reached, requires another key, or the key would be sent unencrypted.
    """

    def __init__(self, settings: ServerSettings, wait: Wait = asyncio.sleep) -> None:
        self.settings = settings
        self.concurrency = settings.concurrency
        self._wait = wait
        self._loop: LoopThread | None = None
        self._session: ServerSession | None = None

    def __enter__(self) -> Self:
        key = find_key(self.settings.base_url, self.settings.key_env)
        self._loop = LoopThread("isobudget-server")
        try:
            self._session = self._run(open_session(self.settings, key, self._wait))
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def generate(self, prompt: Prompt, sampling: Sampling, seeds: list[int]) -> list[Generation]:
        """Generate one sample per seed; see `Backend.generate`."""
        self._check_form(prompt)
        return self._run(self._opened().generate(prompt, sampling, seeds))

    def score(self, prompt: Prompt, texts: Sequence[str], token_ids: Sequence[Sequence[int]] = ()) -> list[Score]:
        """How likely each text is after the prompt; see `Backend.score`.

        Few servers can score. `describe` says whether this server can.
        """
        self._check_form(prompt)
        return self._run(self._opened().score(prompt, texts, token_ids))

    def describe(self) -> Description:
        """A description of this backend, with what was observed of the server since the backend was opened."""
        return self._opened().describe()

    def _check_form(self, prompt: Prompt) -> None:
        if wrong := self.settings.refuses(prompt):
            raise BackendError(f"{self.settings.model}: the prompt is {wrong}.")

    def _opened(self) -> ServerSession:
        if self._session is None:
            raise BackendError(f"{self.settings.model}: the backend is not open; use it as a context manager (with)")
        return self._session

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
            raise BackendError(f"{self.settings.model}: the backend is closed")
        try:
            return self._loop.run(work)
        except BackendError as error:
            where = f"{self.settings.model} at {urllib.parse.urlsplit(self.settings.base_url).netloc}"
            error.args = (f"{where}: {error}",)
            raise

    def _close(self) -> None:
        loop, session = self._loop, self._session
        self._loop = self._session = None
        if loop is not None:
            loop.close(_nothing() if session is None else session.calls.close())


async def open_session(settings: ServerSettings, key: ApiKey, wait: Wait) -> ServerSession:
    """Query the server's kind, version and features.

    Raises:
        BackendError: the server cannot be reached, or requires another key.
    """
    calls = Calls(settings, key, wait)
    try:
        server = await identify(calls, settings.base_url, settings.model)
        scorer = ServerScorer(calls, settings.base_url, settings.model)
        can_score = settings.api == "completions" and await scorer.works()
    except BaseException:
        await calls.close()
        raise
    return ServerSession(settings, calls, server, can_score, [key.note] if key.note else [])


async def _nothing() -> None:
    pass
