"""Samples that an engine generates token by token: the request, and the state of each sample.

`Request` is one call of `generate`; its samples may be generated in any order, together with those of other calls.
`SampleInFlight` is one sample while it is generated: it takes one token at a time, detects its end, and returns the
result. Its random numbers depend on its seed alone, so a sample is the same whatever else is generated, as far as the
engine's arithmetic allows.

Not covered: scheduling, and the computation of tokens.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from isobudget.backends.base import FinishReason, Generation, Sampling
from isobudget.backends.engine.detokenizer import Decode, Detokenizer
from isobudget.backends.engine.engine_clock import Charge
from isobudget.errors import BackendError, InputError


@dataclass(slots=True, eq=False)
class Request:
    """One call of `generate`: a prompt and the samples to generate.

    Attributes:
        end_ids: tokens that end a sample.
        seeds: one per sample.
        future: receives the samples, in the order of the seeds, when all are finished.
        waiting: indexes in `seeds` of samples that have not been started.
        asked: time of the request, by `time.perf_counter`.
        done: the samples finished so far.

    Raises:
        InputError: a seed is negative, so the random generator cannot use it.
    """

    prompt_ids: tuple[int, ...]
    sampling: Sampling
    end_ids: frozenset[int]
    seeds: tuple[int, ...]
    future: Future[list[Generation]] = field(default_factory=Future)
    waiting: list[int] = field(default_factory=list)
    asked: float = field(default_factory=time.perf_counter)
    done: dict[int, Generation] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if wrong := [seed for seed in self.seeds if seed < 0]:
            raise InputError(f"seeds must be whole numbers of 0 or more, not {wrong[0]}")
        self.waiting = list(range(len(self.seeds)))

    def give(self, place: int, generation: Generation) -> None:
        """Add a finished sample."""
        self.done[place] = generation
        if len(self.done) == len(self.seeds):
            with contextlib.suppress(InvalidStateError):  # closing the model may have been quicker
                self.future.set_result([self.done[each] for each in range(len(self.seeds))])

    def fail(self, error: Exception) -> None:
        """End the request with an error."""
        self.waiting = []
        with contextlib.suppress(InvalidStateError):
            self.future.set_exception(error)


_NOT_NUMBERS = "the model's logits are NaN: its weights are damaged, or their dtype is too narrow"

#: a sample to generate: its request and its place in the request's seeds
SampleOfRequest = tuple[Request, int]


class SampleInFlight:
    """One sample while it is generated.

    Args:
        unit: which sample of which request.
        decode: converts tokens to text.
        context_tokens: room for prompt and completion; None for no limit.

    Attributes:
        charge: the sample's cost so far.
        ids: the sample's tokens so far.
        prompt: the whole cost of computing the prompt; None if this cost is part of `charge`.
    """

    def __init__(self, unit: SampleOfRequest, decode: Decode, context_tokens: int | None) -> None:
        self.request, self.place = unit
        self.charge = Charge()
        self.prompt: Charge | None = None
        self.prompt_ids = self.request.prompt_ids
        self.sampling = self.request.sampling
        self.limit = min(self.sampling.max_tokens, (context_tokens or math.inf) - len(self.prompt_ids))
        self._numbers = np.random.default_rng(self.request.seeds[self.place])
        self._detokenizer = Detokenizer(decode, self.prompt_ids)
        self.ids: list[int] = []
        self._logprobs: list[float] = []
        self._generation: Generation | None = None

    def number(self) -> float:
        """The next number in [0, 1) of this sample's own generator."""
        return float(self._numbers.random())

    def take(self, token: int, logprob: float) -> bool:
        """Add the next token; returns whether the sample ends with it. The request gets the sample only by `give`."""
        if math.isnan(logprob):
            self.request.fail(BackendError(_NOT_NUMBERS))
            return True
        self.ids.append(token)
        if token in self.request.end_ids:
            return self._end(FinishReason.STOP)
        self._logprobs.append(logprob)
        self._detokenizer.push(token)
        stop = self._detokenizer.find(self.sampling.stop)
        if stop is not None:
            return self._end(FinishReason.STOP, stop)
        return len(self.ids) >= self.limit and self._end(FinishReason.LENGTH)

    def give(self) -> None:
        """Add the finished sample to its request."""
        assert self._generation is not None
        self.request.give(self.place, self._generation)

    @property
    def unwanted(self) -> bool:
        """Whether nobody waits for the sample any more, because its request has ended."""
        return self.request.future.done()

    def _end(self, reason: FinishReason, length: int | None = None) -> Literal[True]:
        """End the sample and keep the first `length` characters of the text, or all of it."""
        if length is None:
            self._detokenizer.finish()
            length = len(self._detokenizer.text)
        count = self._detokenizer.kept(length)
        total = math.fsum(self._logprobs[:count]) if count else math.nan
        self._generation = Generation(
            text=self._detokenizer.text[:length],
            finish_reason=reason,
            prompt_tokens=len(self.prompt_ids),
            completion_tokens=len(self.ids),
            sum_logprob=total,
            mean_logprob=total / count if count else math.nan,
            seconds=self.charge.seconds,
            joules=self.charge.joules,
            seed=self.request.seeds[self.place],
            latency_seconds=time.perf_counter() - self.request.asked,
            token_ids=tuple(self.ids[:count]),
            prompt_seconds=self.prompt.seconds if self.prompt else math.nan,
            prompt_joules=self.prompt.joules if self.prompt else math.nan,
            idle_tokens=self.charge.idle_tokens,
            idle_seconds=self.charge.idle_seconds,
        )
        return True


def take_tokens(samples: Sequence[SampleInFlight], ids: Sequence[int], logprobs: Sequence[float]) -> list[bool]:
    """Add the next token to each sample, and give finished samples to their requests.

    Returns:
        For each sample, whether it leaves the engine: it is finished, or nobody waits for it any more.
    """
    ended = [sample.take(token, known) for sample, token, known in zip(samples, ids, logprobs, strict=True)]
    for sample, end in zip(samples, ended, strict=True):
        if end and not sample.unwanted:
            sample.give()
    return [end or sample.unwanted for sample, end in zip(samples, ended, strict=True)]
