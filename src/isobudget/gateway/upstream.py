"""Models from which the gateway draws samples: their interface, and models in an engine of this process.

Nothing is retried here: the caller retries, because every call needs its own reservation. Models behind a server are in
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

#: maximum number of tokens that a chat template adds to a message
_AROUND_MESSAGE = 16


class Drawn(NamedTuple):
    """The result of one call: as many samples as requested, or fewer, and the tokens to pay for."""

    generations: list[Generation]
    prompt_tokens: int
    completion_tokens: int


class Upstream(Protocol):
    """A model.

    Attributes:
        gate: limits the number of simultaneous calls.
        passes: whether a request can be forwarded unchanged.
    """

    gate: FairGate
    passes: bool

    @property
    def name(self) -> str:
        """The model's name."""

    @property
    def most_samples(self) -> int:
        """How many samples one call may request, as far as known."""

    def takes(self, prompt: Prompt) -> Prompt:
        """The prompt adapted to this model: a text to continue ends according to the model's rule for newlines."""

    def price(self, prompt: Prompt, max_tokens: int) -> ArmPrice:
        """The prices of the model, with the maximum numbers of tokens of a sample."""

    def refuses(self, prompt: Prompt) -> str:
        """Why the model cannot take this prompt; empty if it can."""

    async def draw(self, prompt: Prompt, sampling: Sampling, seeds: Sequence[int], *, scored: bool = False) -> Drawn:
        """Draw one sample per seed, with log-probabilities if `scored` and available.

        Raises `BackendError` if no sample came.
        """

    async def forward(self, chat: bool, body: dict[str, Any]) -> dict[str, Any]:
        """Forward a request, and return the answer. Raises `BackendError` if no answer came."""

    def stream(self, chat: bool, body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Forward a request, and yield the chunks of the answer."""

    async def open(self) -> None:
        """Do slow preparations. Raises `IsobudgetError` if a key or a package is missing."""

    async def close(self) -> None:
        """Close the model."""


def most_tokens(prompt: Prompt, overhead: int) -> int:
    """The most tokens that a prompt may have: one per byte, some around each message, `overhead` for the template."""
    return overhead + sum(len(text.encode(errors="replace")) + _AROUND_MESSAGE for text in texts_of(prompt))


@dataclass(slots=True)
class Priced:
    """Common base of both kinds of upstream.

    Attributes:
        model: the model.
        overhead: maximum number of tokens that the model's template adds to a prompt.
    """

    model: ResolvedModel
    overhead: int

    @property
    def name(self) -> str:
        """See `Upstream.name`."""
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
    """A model in an engine of this process. A call runs to its end even if nobody waits for it any more."""

    passes, most_samples = False, 1

    def __init__(self, model: ResolvedModel, overhead: int, open_backend: Callable[[], Backend], places: int) -> None:
        super().__init__(model, overhead)
        self.gate = FairGate(places, what=model.name)
        self._open_backend = open_backend
        self._threads = ThreadPoolExecutor(places, thread_name_prefix="engine")
        self._opening = asyncio.Lock()
        self._backend: Backend | None = None

    async def open(self) -> None:
        """See `Upstream.open`. Weights are loaded at the first draw."""

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
        """Not supported: requests cannot be handed on to an engine."""
        raise BackendError(f"{self.name} runs inside this process, and requests cannot be passed through to it")

    def stream(self, chat: bool, body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:  # noqa: ARG002
        """Not supported: requests cannot be handed on to an engine."""
        raise BackendError(f"{self.name} runs inside this process, and requests cannot be passed through to it")

    async def close(self) -> None:
        """See `Upstream.close`."""
        backend, self._backend = self._backend, None
        if backend is not None:
            await asyncio.to_thread(backend.__exit__, None, None, None)
        self._threads.shutdown(wait=False, cancel_futures=True)


def was_not_served(error: BaseException) -> bool:
    """Whether a failed call was certainly not charged: it was never sent, or the server refused it."""
    if isinstance(error, RefusedError | UnsendableError):
        return True
    return isinstance(error, TransientError) and (error.kind == NOT_SENT or error.kind.startswith("status "))


def may_help_again(error: BaseException) -> bool:
    """Whether a retry may help."""
    return isinstance(error, TransientError)
