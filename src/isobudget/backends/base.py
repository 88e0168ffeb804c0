"""What a backend is: the one Protocol behind which every way to reach a model stands.

A backend is asked for samples of one prompt at a time, from several threads if it allows it (`concurrency`).
It knows nothing of tests, budgets or run folders.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Protocol, Self


class FinishReason(StrEnum):
    """Why a generation ended: at a stop text or end token, or because the token limit was reached."""

    STOP = "stop"
    LENGTH = "length"


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample. `temperature` 0 is greedy decoding. Nothing else (top-k, min-p, penalties) is applied."""

    temperature: float
    top_p: float
    max_tokens: int
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Generation:
    """One output of a model for one prompt.

    Attributes:
        text: the output, without the stop text.
        finish_reason: see `FinishReason`.
        prompt_tokens: tokens of the prompt.
        completion_tokens: tokens that the model produced, those of the stop text included.
        sum_logprob: natural-log probability of the kept tokens under the unmodified model, NaN if unknown.
        mean_logprob: mean natural-log probability per kept token under the unmodified model (temperature 1),
            NaN if unknown.
        seconds: this sample's share of the engine time that its group of samples took.
        joules: its share of the energy that the processor used meanwhile, NaN if nothing tells.
        seed: the seed that it was drawn with.
    """

    text: str
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    sum_logprob: float
    mean_logprob: float
    seconds: float
    joules: float
    seed: int


class Backend(Protocol):
    """A way to reach one model. Used as a context manager; closing it frees the model."""

    #: how many calls of `generate` may usefully run at the same time
    concurrency: int

    def generate(self, prompt: str, sampling: Sampling, seeds: list[int]) -> list[Generation]:
        """Draw one sample per seed, in the order of the seeds.

        Raises:
            BackendError: the model did not answer, or not with what was asked for.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
