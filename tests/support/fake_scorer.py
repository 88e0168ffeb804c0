"""A fake that scores texts without a model: shorter words are likelier, the same text always alike."""

from __future__ import annotations

from collections.abc import Sequence

from isobudget.backends.base import Chat, Description, Prompt, Score
from isobudget.errors import BackendError
from support.fakes import FakeBackend

Call = tuple[Prompt, tuple[str, ...], tuple[tuple[int, ...], ...]]


class FakeScorer(FakeBackend):
    """Scores a text by its words, or the ids that it is given; remembers what it was asked.

    `undefined` are texts whose log-probability is NaN; after `fails_after` calls it is gone; `tests` is what it writes.
    """

    def __init__(
        self, *, can_score: bool = True, undefined: Sequence[str] = (), fails_after: int | None = None, tests: str = ""
    ) -> None:
        super().__init__(lambda prompt, seed: tests, concurrency=2)
        self.calls: list[Call] = []
        self._can_score = can_score
        self._undefined = set(undefined)
        self._fails_after = fails_after

    def describe(self) -> Description:
        return Description("a fake on paper", "fake", self._can_score, "always")

    def score(self, prompt: Prompt, texts: Sequence[str], token_ids: Sequence[Sequence[int]] = ()) -> list[Score]:
        assert not isinstance(prompt, Chat)
        with self._lock:
            self.calls.append((prompt, tuple(texts), tuple(tuple(ids) for ids in token_ids)))
            if self._fails_after is not None and len(self.calls) > self._fails_after:
                raise BackendError("the fake is gone")
        ids = token_ids or [()] * len(texts)
        return [self._score_of(prompt, text, given) for text, given in zip(texts, ids, strict=True)]

    def _score_of(self, prompt: str, text: str, ids: Sequence[int]) -> Score:
        if text in self._undefined:
            return Score((float("nan"),), len(prompt.split()), 0.1)
        logprobs = tuple(-0.01 * one for one in ids) or tuple(-0.1 * len(word) for word in text.split())
        return Score(logprobs, len(prompt.split()), 0.1)
