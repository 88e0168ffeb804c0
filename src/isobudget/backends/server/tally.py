"""Properties of a server's samples that a success rate would hide.

- **Empty texts**: a reasoning model may use up `max_tokens` before it answers.
- **Equal texts**: a cache, or a server that ignores temperature and seed, gives the same answer again and again.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from isobudget.backends.base import FinishReason

#: fewer equal repeats may be chance
_FEWEST_REPEATS = 3


@dataclass(slots=True)
class _Prompt:
    """Samples of one prompt: the first text's hash, how many there are, whether all are equal."""

    first: int
    samples: int = 0
    is_equal: bool = True


@dataclass(slots=True)
class AnswerTally:
    """Counts samples; `notes` describes what is unusual about them."""

    samples: int = 0
    empty: int = 0
    empty_thoughts: int = 0
    cut_thoughts: int = 0
    _prompts: dict[Hashable, _Prompt] = field(default_factory=dict)

    def add(self, prompt: Hashable, text: str, thought: str, finish: FinishReason, temperature: float) -> None:
        """Count a sample of a prompt."""
        self.samples += 1
        begun, at_limit = text.lstrip(), finish is FinishReason.LENGTH
        if not begun:
            self.empty_thoughts += at_limit and bool(thought)
            self.empty += not (at_limit and thought)
        self.cut_thoughts += at_limit and begun.startswith("<think>") and "</think>" not in begun
        if temperature > 0:
            seen = self._prompts.setdefault(prompt, _Prompt(hash(text)))
            seen.samples += 1
            seen.is_equal &= seen.first == hash(text)

    def notes(self) -> list[str]:
        """One sentence for each property that all or some samples share."""
        notes = []
        if self.empty_thoughts:
            notes.append(
                f"{_of(self.empty_thoughts, self.samples)} are empty because max_tokens ran out during reasoning: "
                "set a larger max_tokens"
            )
        if self.cut_thoughts:
            notes.append(f"{_of(self.cut_thoughts, self.samples)} break off during reasoning: set a larger max_tokens")
        if self.empty:
            notes.append(f"{_of(self.empty, self.samples)} are empty")
        several = [one for one in list(self._prompts.values()) if one.samples > 1]
        repeats = sum(one.samples - 1 for one in several)
        is_empty = self.empty + self.empty_thoughts == self.samples
        if not is_empty and repeats >= _FEWEST_REPEATS and all(one.is_equal for one in several):
            total = repeats + len(several)
            notes.append(
                f"all {total} texts of {len(several)} prompts are identical for each prompt, as from a cache or a "
                "server that ignores temperature and seed: n identical samples are worth only one"
            )
        return notes


def _of(count: int, samples: int) -> str:
    return f"all {count} texts" if count == samples else f"{count} of {samples} texts"
