"""Models that samples are drawn from: what the gateway needs of one, and those in an engine of this process.

A call is made once: whoever calls repeats it, since every call is reserved for itself. Models behind a server are in
`served`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from isobudget.backends.base import Backend, Generation, Prompt, Sampling, texts_of
from isobudget.backends.server.faults import NOT_SENT, RefusedError, TransientError, UnsendableError
from isobudget.backends.server.settings import ServerSettings
from isobudget.errors import BackendError
from isobudget.gateway.limits import FairGate
from isobudget.prompts.render import by_newline_rule
from isobudget.study.resolve import ResolvedModel
from isobudget.tasks.ledger import ArmPrice

#: tokens that a chat template puts around a message
_AROUND_MESSAGE = 16


class Drawn(NamedTuple):
    """The result of one call: as many samples as were asked for, or fewer, and the tokens to be paid for."""

    generations: list[Generation]
    prompt_tokens: int
    completion_tokens: int


class Upstream(Protocol):
    """A model.

    Attributes:
        gate: as many calls as it takes at the same time.
        passes: whether a request can be handed on as it is.
    """

    gate: FairGate
    passes: bool

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def most_samples(self) -> int:
        """How many samples one call may ask for, as far as is known by now."""

    def takes(self, prompt: Prompt) -> Prompt:
        """A prompt as this model takes it: a text that it continues ends by its rule for newlines."""

    def price(self, prompt: Prompt, max_tokens: int) -> ArmPrice:
        """What a sample costs."""

    def refuses(self, prompt: Prompt) -> str:
        """Why it does not take such a prompt; empty if it does."""

    async def draw(self, prompt: Prompt, sampling: Sampling, seeds: Sequence[int], *, scored: bool = False) -> Drawn:
        """A sample for every seed, `scored` with log-probabilities if there are some. `BackendError` if none came."""

    async def forward(self, chat: bool, body: dict[str, Any]) -> dict[str, Any]:
        """Hand a request on. `BackendError` if no answer came."""

    def stream(self, chat: bool, body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Hand a request on and yield the pieces of the answer."""

    async def open(self) -> None:
        """Make ready what takes a while. `IsobudgetError` if a key or a part is not there."""

    async def close(self) -> None:
        """End it."""


def most_tokens(prompt: Prompt, overhead: int) -> int:
    """The most tokens that a prompt has: one for every byte, and what a template adds."""
    return overhead + sum(len(text.encode(errors="replace")) + _AROUND_MESSAGE for text in texts_of(prompt))


@dataclass(slots=True)
class Priced:
    """The common part of both kinds of upstream."""

    model: ResolvedModel
    overhead: int

    @property
    def name(self) -> str:
        """Of the model."""
        return self.model.name

    def takes(self, prompt: Prompt) -> Prompt:
        """See `Upstream.takes`."""
        return by_newline_rule(prompt, self.model.prompt_newline) if isinstance(prompt, str) else prompt

    def price(self, prompt: Prompt, max_tokens: int) -> ArmPrice:
        """See `Upstream.price`."""
        shares = not isinstance(self.model.settings, ServerSettings)
        tokens = most_tokens(prompt, self.overhead)
        return ArmPrice(self.name, tokens, max_tokens, self.model.architecture, self.model.stated.price, shares)

    def refuses(self, prompt: Prompt) -> str:
        """See `Upstream.refuses`."""
        return self.model.settings.refuses(prompt)


class EngineUpstream(Priced):
    """A model in an engine of this process. A call that nobody waits for any more goes on to its end."""

    passes, most_samples = False, 1

    def __init__(self, model: ResolvedModel, overhead: int, open_backend: Callable[[], Backend], places: int) -> None:
        super().__init__(model, overhead)
        self.gate = FairGate(places, what=model.name)
        self._open_backend = open_backend
        self._threads = ThreadPoolExecutor(places, thread_name_prefix="engine")
        self._opening = asyncio.Lock()
        self._backend: Backend | None = None

    async def open(self) -> None:
        """See `Upstream.open`: weights are loaded when they are first drawn from."""

    async def _opened(self) -> Backend:
        async with self._opening:
            if self._backend is None:
                self._backend = await asyncio.get_running_loop().run_in_executor(self._threads, self._enter)
            return self._backend

    def _enter(self) -> Backend:
        backend = self._open_backend()
        backend.__enter__()
        if (load := getattr(backend, "load", None)) is not None:
            load()
        return backend

    async def draw(self, prompt: Prompt, sampling: Sampling, seeds: Sequence[int], *, scored: bool = False) -> Drawn:  # noqa: ARG002
        """See `Upstream.draw`."""
        backend = await self._opened()
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._threads, backend.generate, prompt, sampling, list(seeds))
        came = await asyncio.shield(work)
        return Drawn(came, came[0].prompt_tokens, sum(one.completion_tokens for one in came))

    async def forward(self, chat: bool, body: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Nothing is handed on to an engine."""
        raise BackendError(f"{self.name} runs inside this process and does not accept such a request")

    def stream(self, chat: bool, body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:  # noqa: ARG002
        """Nothing is handed on to an engine."""
        raise BackendError(f"{self.name} runs inside this process and does not accept such a request")

    async def close(self) -> None:
        """See `Upstream.close`."""
        backend, self._backend = self._backend, None
        if backend is not None:
            await asyncio.to_thread(backend.__exit__, None, None, None)
        self._threads.shutdown(wait=False, cancel_futures=True)


def was_not_served(error: BaseException) -> bool:
    """Whether it is sure that a failed call was not paid for: it never went out, or the server refused it."""
    if isinstance(error, RefusedError | UnsendableError):
        return True
    return isinstance(error, TransientError) and (error.kind == NOT_SENT or error.kind.startswith("status "))


def may_help_again(error: BaseException) -> bool:
    """Whether asking again may help."""
    return isinstance(error, TransientError)
