"""Small fakes at the outer protocol of backends: they answer without a model, the same for the same seed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from isobudget.backends.base import Chat, Description, FinishReason, Generation, Prompt, Sampling, Score
from isobudget.errors import BackendError

Answer = Callable[[str, int], str]


class Fake:
    """What every fake has in common: it needs no opening, does not score, and repeats itself."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def describe(self) -> Description:
        return Description("a fake", "fake", can_score=False, repeatable="Always.")

    def score(self, prompt: Prompt, texts: Sequence[str], token_ids: Sequence[Sequence[int]] = ()) -> list[Score]:
        raise BackendError("the fake does not score")


class FakeBackend(Fake):
    """Answers with `answer(prompt, seed)`; counts the samples drawn; fails on prompts that hold `fails_on`."""

    def __init__(self, answer: Answer, concurrency: int = 4, fails_on: str | None = None) -> None:
        self.concurrency = concurrency
        self.drawn: list[tuple[str, int, float]] = []
        self._answer = answer
        self._fails_on = fails_on
        self._lock = threading.Lock()

    def generate(self, prompt: Prompt, sampling: Sampling, seeds: list[int]) -> list[Generation]:
        if isinstance(prompt, Chat):
            prompt = prompt.messages[-1].content
        if self._fails_on is not None and self._fails_on in prompt:
            raise BackendError("the fake was told to fail")
        with self._lock:
            self.drawn += [(prompt, seed, sampling.temperature) for seed in seeds]
        return [self._one(prompt, seed) for seed in seeds]

    def _one(self, prompt: str, seed: int) -> Generation:
        text = self._answer(prompt, seed)
        tokens = max(1, len(text) // 4)
        logprob = -1.0 - (seed % 7) / 7
        return Generation(
            text=text,
            finish_reason=FinishReason.LENGTH if seed % 11 == 0 else FinishReason.STOP,
            prompt_tokens=len(prompt) // 4,
            completion_tokens=tokens,
            sum_logprob=logprob * tokens,
            mean_logprob=logprob,
            seconds=0.01 * tokens,
            joules=0.5 * tokens,
            seed=seed,
        )
