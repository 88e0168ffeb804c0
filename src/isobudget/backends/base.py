"""What a backend is: the one Protocol for every way to reach a model.

A backend is asked for samples of one prompt at a time, from several threads if it allows that (`concurrency`). It knows
nothing of tests, budgets or run folders.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Literal, Protocol, Self

from isobudget.errors import BackendError, InputError

#: lower temperatures count as this one, because the lowest would be 0 in 32 bits
_LEAST_TEMPERATURE = 1e-30


class FinishReason(StrEnum):
    """Why a generation ended: at a stop text or end token, or because the token limit was reached."""

    STOP = "stop"
    LENGTH = "length"


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample: temperature and top-p, without top-k, min-p or penalties. `temperature` 0 is greedy decoding.

    Raises:
        InputError: with these values no sample can be drawn.
    """

    temperature: float
    top_p: float
    max_tokens: int
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf:
            raise InputError(f"temperature must be a number of 0 or more, not {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise InputError(f"top_p must be above 0 and at most 1, not {self.top_p}")
        if self.max_tokens < 1:
            raise InputError(f"max_tokens must be at least 1, not {self.max_tokens}")
        if "" in self.stop:
            raise InputError("a stop text is empty: it would end every sample before it begins")

    @property
    def divisor(self) -> float:
        """The number by which logits are divided if `temperature` is not 0: the temperature, but at least 1e-30."""
        return max(self.temperature, _LEAST_TEMPERATURE)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Chat:
    """A conversation that the model answers. The backend puts it into the model's own chat template."""

    messages: tuple[Message, ...]

    def as_dicts(self) -> list[dict[str, str]]:
        """The messages in the form that templates and servers expect."""
        return [{"role": message.role, "content": message.content} for message in self.messages]


#: the input of a model: a text to continue, which may contain the model's special tokens, or a conversation
Prompt = str | Chat

#: an estimate: HumanEval's prompts have about 450 characters, and about 140 tokens with Code Llama's tokenizer
CHARACTERS_PER_TOKEN = 3.2


def texts_of(prompt: Prompt) -> list[str]:
    """The texts of a prompt: the prompt itself if it is a text, or the text of each message of a conversation."""
    return [prompt] if isinstance(prompt, str) else [message.content for message in prompt.messages]


def characters(prompt: Prompt) -> int:
    """Number of characters of a prompt, or of all messages of a conversation."""
    return sum(map(len, texts_of(prompt)))


@dataclass(frozen=True, slots=True)
class Generation:
    """One output of a model for one prompt.

    Attributes:
        text: the output, without the stop text.
        finish_reason: see `FinishReason`.
        prompt_tokens: tokens of the prompt.
        completion_tokens: tokens that the model produced, including those of the stop text.
        sum_logprob: natural-log probability of the kept tokens under the unmodified model, NaN if unknown.
        mean_logprob: mean natural-log probability per kept token under the unmodified model (temperature 1), NaN if
            unknown.
        seconds: this sample's share of the engine time that its group of samples took. This share includes the
            computation of the prompt only if `prompt_seconds` is NaN.
        joules: this sample's share of the energy that processors and GPUs used in that engine time; NaN if not
            measured. Energy is shared in the same proportions as `seconds`.
        seed: the seed with which it was generated.
        latency_seconds: time from the request to the last token, including other samples' work meanwhile; NaN if
            unknown.
        token_ids: the model's own ids of `text`'s tokens, without stop text and end token; empty if unknown.
        served: the name of the model that answered, as stated by its server; empty if not stated.
        billed_prompt_tokens: prompt tokens that a server counted for this sample: all of them for the first sample of a
            request, 0 for the others of the same request; None if nothing is billed by request.
        cached_tokens: billed prompt tokens that came from the server's cache; None if the server does not say.
        prompt_seconds, prompt_joules: the whole cost of computing the prompt, however many samples use it; NaN if the
            engine does not measure it separately.
        idle_tokens: how many of `completion_tokens` were generated while the engine had room for more samples; None if
            unknown.
        idle_seconds: the part of `seconds` in which the engine had room for more samples; NaN if unknown.
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
    latency_seconds: float = math.nan
    token_ids: tuple[int, ...] = ()
    served: str = ""
    billed_prompt_tokens: int | None = None
    cached_tokens: int | None = None
    prompt_seconds: float = math.nan
    prompt_joules: float = math.nan
    idle_tokens: int | None = None
    idle_seconds: float = math.nan


class PartlyAnsweredError(BackendError):
    """Some samples of a call came, and some did not.

    Attributes:
        generations: samples in the order of the seeds, None for missing ones.
        again: whether requesting the missing samples again may help.
    """

    def __init__(self, message: str, generations: Sequence[Generation | None], again: bool) -> None:
        super().__init__(message)
        self.generations = tuple(generations)
        self.again = again


@dataclass(frozen=True, slots=True)
class Score:
    """The log-probability that a model gives to a text after a prompt, without sampling.

    Attributes:
        logprobs: natural-log probability of every token of the text under the unmodified model (temperature 1).
        prompt_tokens: number of prompt tokens, which are not part of `logprobs`.
        seconds: this text's share of the engine time of the call.
        joules: this text's share of the energy used in that time, NaN if not measured.
    """

    logprobs: tuple[float, ...]
    prompt_tokens: int
    seconds: float
    joules: float = math.nan

    @property
    def sum_logprob(self) -> float:
        """Log-probability of the whole text; NaN for an empty one."""
        return math.fsum(self.logprobs) if self.logprobs else math.nan

    @property
    def mean_logprob(self) -> float:
        """Mean log-probability per token; NaN for an empty text."""
        return self.sum_logprob / len(self.logprobs) if self.logprobs else math.nan


@dataclass(frozen=True, slots=True)
class Description:
    """A backend's description of itself.

    Attributes:
        engine: what runs the model and how, for the label of measured seconds.
        model: the model's name as the engine knows it.
        can_score: whether `score` works.
        repeatable: a sentence that says whether, and under which condition, the same seed on the same engine gives the
            same sample.
        scoring: what scores texts, if it is not the engine.
        notes: observations since the backend was opened that affect recorded data or costs, one sentence each.
        commit: the commit of the Hub repository that was loaded; empty if the weights come from elsewhere.
    """

    engine: str
    model: str
    can_score: bool
    repeatable: str
    scoring: str = ""
    notes: tuple[str, ...] = ()
    commit: str = ""


class Backend(Protocol):
    """A way to reach one model. Used as a context manager; closing it frees the model."""

    #: how many calls of `generate` may usefully run at the same time
    concurrency: int

    def generate(self, prompt: Prompt, sampling: Sampling, seeds: list[int]) -> list[Generation]:
        """Generate one sample per seed, in the order of the seeds.

        Raises:
            PartlyAnsweredError: only some samples came; the error holds them.
            BackendError: the model did not answer, or the answer is not what was requested.
        """
        ...

    def score(self, prompt: Prompt, texts: Sequence[str], token_ids: Sequence[Sequence[int]] = ()) -> list[Score]:
        """How likely each text is after the prompt, in the order of the texts.

        Args:
            prompt: as for `generate`.
            texts: the texts that follow the prompt.
            token_ids: for each text the token ids that this model generated, if known, else an empty sequence. Known
                ids are scored directly; otherwise the text is tokenized separately from the prompt.

        Raises:
            BackendError: this backend cannot score given text, or the model did not answer.
        """
        ...

    def describe(self) -> Description:
        """A description of this backend, for run folders and labels."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
