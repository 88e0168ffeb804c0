"""Models behind an OpenAI-compatible server, drawn from one sample at a time or several per call.

Several samples are requested in one call (`n`) if the server supports `n`. The prompt is then paid for once, and the
gateway needs less time per sample. The stated usage of such a call must cover all samples, but some servers count only
one of them. So the first call for several samples requests log-probabilities. If their tokens add up to the usage
(`answers.count_tokens`), the server's usage is trusted from then on. Otherwise samples are requested one at a time from
then on. The first call then counts one token per byte of the texts, or the stated usage if that is more. Every call
whose tokens are not known counts one token per byte, too. Samples are also requested one at a time if a server refuses
or ignores `n`, or returns the same text for all samples.

A call for several samples does not show how many tokens each sample has, so they are estimated from the sizes of the
texts.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

from isobudget.backends.base import Prompt, Sampling
from isobudget.backends.server.answers import (
    Choice,
    ServerAnswer,
    believable,
    count_tokens,
    generation_of,
    look_alike,
    read_answer,
)
from isobudget.backends.server.calls import Calls, Reply
from isobudget.backends.server.faults import RefusedError, TransientError
from isobudget.backends.server.features import (
    ALIKE,
    UNCOUNTED,
    Fallback,
    Feature,
    fallback,
    features_of,
    wrong_number,
)
from isobudget.backends.server.keys import find_key
from isobudget.backends.server.requests import PATHS, request_body
from isobudget.backends.server.settings import ServerSettings
from isobudget.backends.server.traits import Traits
from isobudget.gateway.limits import FairGate
from isobudget.gateway.upstream import Drawn, Priced, most_tokens
from isobudget.study.resolve import ResolvedModel

log = logging.getLogger("isobudget.gateway")


class ServerUpstream(Priced):
    """A model behind an OpenAI-compatible server."""

    passes = True

    def __init__(self, model: ResolvedModel, overhead: int) -> None:
        assert isinstance(model.settings, ServerSettings)
        super().__init__(model, overhead)
        self.settings = model.settings.model_copy(update={"attempts": 1})
        self.gate = FairGate(self.settings.concurrency, what=model.name)
        self._traits = Traits()
        self._counts_all = False
        self._calls: Calls | None = None

    @property
    def most_samples(self) -> int:
        """See `Upstream.most_samples`."""
        return self._traits.most_samples

    def _opened(self) -> Calls:
        if self._calls is None:
            key = find_key(self.settings.base_url, self.settings.key_env)
            if key.variable and not key.secret:
                log.warning("%s: the environment variable %s is empty, so no key is sent", self.name, key.variable)
            self._calls = Calls(self.settings, key)
        return self._calls

    async def open(self) -> None:
        """See `Upstream.open`. Loading the official client takes a second."""
        self._opened()

    async def draw(self, prompt: Prompt, sampling: Sampling, seeds: Sequence[int], *, scored: bool = False) -> Drawn:
        """See `Upstream.draw`."""
        wants_logprobs = scored or (len(seeds) > 1 and not self._counts_all)
        reply = await self._asked(prompt, sampling, seeds, set() if wants_logprobs else {Feature.LOGPROBS})
        answer = believable(reply.value, prompt)
        completion = self._completion_tokens(answer, sampling, len(seeds))
        choices = self._kept(answer, sampling, len(seeds))
        if all(one.fault for one in choices):
            raise TransientError(choices[0].fault, "unreadable answer")
        prompt_tokens = answer.prompt_tokens or most_tokens(prompt, self.overhead)
        shares = _shares(completion, [_bytes(one) for one in choices])
        generations = [
            generation_of(
                answer,
                one,
                sampling,
                prompt_tokens=prompt_tokens,
                completion_tokens=shares[at],
                seconds=reply.latency_seconds,
                seed=seeds[at],
            )
            for at, one in enumerate(choices)
            if not one.fault
        ]
        return Drawn(generations, prompt_tokens, completion)

    async def _asked(
        self, prompt: Prompt, sampling: Sampling, seeds: Sequence[int], unwanted: set[Feature]
    ) -> Reply[ServerAnswer]:
        """The answer of the server; a feature that it refuses is not requested any more."""
        left_out: list[Fallback] = []
        while True:
            without = frozenset(self._traits.refused | unwanted | {one.feature for one in left_out})
            body = request_body(self.settings.api, self.settings.model, prompt, sampling, seeds, without)
            held = features_of(body, {})
            try:
                reply = await self._opened().call(PATHS[self.settings.api], body, read_answer)
            except RefusedError as error:
                next_one = fallback(error, held, self._traits.accepted)
                if next_one is None:
                    raise
                left_out.append(next_one)
            else:
                self._traits.learn(left_out, held)
                return reply

    def _completion_tokens(self, answer: ServerAnswer, sampling: Sampling, asked: int) -> int:
        """The completion tokens to pay for a call, for all its samples together."""
        counts, stated = count_tokens(answer), answer.completion_tokens
        at_most = [min(sampling.max_tokens, _bytes(one)) for one in answer.choices[:asked]]
        if asked == 1 and len(answer.choices) > 1:
            return at_most[0] if stated is None else stated  # more than was asked for is paid for all the same
        if asked == 1:
            return (counts or at_most)[0]
        self._counts_all |= counts is not None and stated is not None
        if self._counts_all and stated is not None:
            return stated
        self._traits.refuse(Feature.SAMPLES, UNCOUNTED)
        return max(stated or 0, sum(counts or at_most))

    def _kept(self, answer: ServerAnswer, sampling: Sampling, asked: int) -> tuple[Choice, ...]:
        """The choices that are valid samples; the others are requested again, one at a time."""
        given = len(answer.choices)
        if given < asked:
            self._traits.refuse(Feature.SAMPLES, wrong_number(given, asked))
        if look_alike(answer, sampling.temperature):
            self._traits.refuse(Feature.SAMPLES, ALIKE)
            return answer.choices[:1]
        return answer.choices[:asked]

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
                if not _are_choices(piece.get("choices") or []):
                    raise TransientError("the choices in a chunk of the stream cannot be read", "unreadable answer")
                yield piece

    async def close(self) -> None:
        """See `Upstream.close`."""
        if self._calls is not None:
            await self._calls.close()


def _with_choices(data: Any) -> dict[str, Any]:
    if not _are_choices(data["choices"]) or not data["choices"]:
        raise ValueError("the answer has no choices")
    found: dict[str, Any] = data
    return found


def _are_choices(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _bytes(choice: Choice) -> int:
    return len((choice.thought + choice.text).encode(errors="replace"))


def _shares(count: int, sizes: Sequence[int]) -> list[int]:
    """A count divided in proportion to sizes, into integers that add up to it."""
    total, shares, done = sum(sizes) + len(sizes), [], 0
    for at in range(1, len(sizes) + 1):
        upto = count * (sum(sizes[:at]) + at) // total
        shares.append(upto - done)
        done = upto
    return shares
