"""Models that samples are drawn from: behind a server, or in an engine of this process.

A call is made once: whoever calls repeats it, since every call is reserved for itself. What an upstream does not count
is counted here at its most, a token for every byte of the text.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from isobudget.backends.base import Backend, Generation, Prompt, Sampling, texts_of
from isobudget.backends.server.answers import ServerAnswer, believable, count_tokens, generation_of, read_answer
from isobudget.backends.server.calls import Calls
from isobudget.backends.server.faults import NOT_SENT, RefusedError, TransientError, UnsendableError
from isobudget.backends.server.features import Fallback, Feature, fallback, features_of
from isobudget.backends.server.keys import find_key
from isobudget.backends.server.requests import PATHS, request_body
from isobudget.backends.server.settings import ServerSettings
from isobudget.backends.server.traits import Traits
from isobudget.errors import BackendError
from isobudget.gateway.limits import FairGate
from isobudget.study.resolve import ResolvedModel
from isobudget.tasks.ledger import ArmPrice

#: tokens that a chat template puts around a message
_AROUND_MESSAGE = 16


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

    def price(self, prompt: Prompt, max_tokens: int) -> ArmPrice:
        """What a sample costs."""

    def refuses(self, prompt: Prompt) -> str:
        """Why it does not take such a prompt; empty if it does."""

    async def draw(self, prompt: Prompt, sampling: Sampling, seed: int, *, scored: bool = False) -> Generation:
        """One sample, `scored` with its log-probability if there is one. `BackendError` if it did not come."""

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
class _Priced:
    """What both kinds have in common."""

    model: ResolvedModel
    overhead: int

    @property
    def name(self) -> str:
        """Of the model."""
        return self.model.name

    def price(self, prompt: Prompt, max_tokens: int) -> ArmPrice:
        """See `Upstream.price`."""
        shares = not isinstance(self.model.settings, ServerSettings)
        tokens = most_tokens(prompt, self.overhead)
        return ArmPrice(self.name, tokens, max_tokens, self.model.architecture, self.model.stated.price, shares)

    def refuses(self, prompt: Prompt) -> str:
        """See `Upstream.refuses`."""
        return self.model.settings.refuses(prompt)


class ServerUpstream(_Priced):
    """A model behind an OpenAI-compatible server."""

    passes = True

    def __init__(self, model: ResolvedModel, overhead: int) -> None:
        assert isinstance(model.settings, ServerSettings)
        super().__init__(model, overhead)
        self.settings = model.settings.model_copy(update={"attempts": 1})
        self.gate = FairGate(self.settings.concurrency, what=model.name)
        self._traits = Traits()
        self._calls: Calls | None = None

    def _opened(self) -> Calls:
        if self._calls is None:
            self._calls = Calls(self.settings, find_key(self.settings.base_url, self.settings.key_env))
        return self._calls

    async def open(self) -> None:
        """See `Upstream.open`: the official client takes a second to be loaded."""
        self._opened()

    async def draw(self, prompt: Prompt, sampling: Sampling, seed: int, *, scored: bool = False) -> Generation:
        """See `Upstream.draw`."""
        left_out: list[Fallback] = []
        unwanted = set() if scored else {Feature.LOGPROBS}
        while True:
            without = frozenset(self._traits.refused | unwanted | {one.feature for one in left_out})
            body = request_body(self.settings.api, self.settings.model, prompt, sampling, [seed], without)
            held = features_of(body, {})
            try:
                reply = await self._opened().call(PATHS[self.settings.api], body, read_answer)
                break
            except RefusedError as error:
                next_one = fallback(error, held, self._traits.accepted)
                if next_one is None:
                    raise
                left_out.append(next_one)
        self._traits.learn(left_out, held)
        answer = believable(reply.value, prompt)
        return _generation(answer, prompt, sampling, seed, reply.latency_seconds, self.overhead)

    async def forward(self, chat: bool, body: dict[str, Any]) -> dict[str, Any]:
        """See `Upstream.forward`."""
        path = PATHS["chat" if chat else "completions"]
        reply = await self._opened().call(path, body | {"model": self.settings.model}, _with_choices)
        return reply.value

    async def stream(self, chat: bool, body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """See `Upstream.stream`."""
        path = PATHS["chat" if chat else "completions"]
        pieces = self._opened().stream(path, body | {"model": self.settings.model})
        async with contextlib.aclosing(pieces):  # type: ignore[type-var]
            async for piece in pieces:
                yield piece

    async def close(self) -> None:
        """See `Upstream.close`."""
        if self._calls is not None:
            await self._calls.close()


def _with_choices(data: Any) -> dict[str, Any]:
    if not isinstance(data["choices"], list) or not data["choices"]:
        raise ValueError("the answer holds no choices")
    found: dict[str, Any] = data
    return found


def _generation(
    answer: ServerAnswer, prompt: Prompt, sampling: Sampling, seed: int, seconds: float, overhead: int
) -> Generation:
    """The sample of an answer; what it does not count is counted at its most."""
    choice = answer.choices[0]
    if choice.fault:
        raise TransientError(choice.fault, "unreadable answer")
    counts = count_tokens(answer)
    tokens = counts[0] if counts else min(sampling.max_tokens, _bytes(choice.thought + choice.text))
    if answer.completion_tokens is not None and len(answer.choices) > 1:
        tokens = answer.completion_tokens  # more samples than were asked for are paid for all the same
    asked = answer.prompt_tokens or most_tokens(prompt, overhead)
    return generation_of(
        answer, choice, sampling, prompt_tokens=asked, completion_tokens=tokens, seconds=seconds, seed=seed
    )


def _bytes(text: str) -> int:
    return len(text.encode(errors="replace"))


class EngineUpstream(_Priced):
    """A model in an engine of this process. A call that nobody waits for any more goes on to its end."""

    passes = False

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

    async def draw(self, prompt: Prompt, sampling: Sampling, seed: int, *, scored: bool = False) -> Generation:  # noqa: ARG002
        """See `Upstream.draw`."""
        backend = await self._opened()
        work = asyncio.get_running_loop().run_in_executor(self._threads, backend.generate, prompt, sampling, [seed])
        (generation,) = await asyncio.shield(work)
        return generation

    async def forward(self, chat: bool, body: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Nothing is handed on to an engine."""
        raise BackendError(f"{self.name} runs here and takes no such request")

    def stream(self, chat: bool, body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:  # noqa: ARG002
        """Nothing is handed on to an engine."""
        raise BackendError(f"{self.name} runs here and takes no such request")

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
