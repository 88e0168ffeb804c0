"""How long prompts and completions will be, before anything is fetched.

Lengths are estimated, since tokenizers come with weights. A prompt has about one token for every 3.2 characters (the
prompts of HumanEval have 450 characters and about 140 tokens by the tokenizer of Code Llama), and at most one for every
byte of its text, since byte-level tokenizers never split a byte. A completion has at most `max_tokens`; about half of
them are assumed where nothing is recorded.
"""

from __future__ import annotations

from dataclasses import dataclass

from isobudget.costs.usage import TokenUse
from isobudget.pipeline.prepare import characters, texts_of
from isobudget.study.prompts import ModelPrompts
from isobudget.study.resolve import ResolvedBenchmark

#: see the module's text
CHARACTERS_PER_TOKEN = 3.2
#: tokens that begin a text, and that a chat template puts around each message, at most about
_TOKENS_AROUND = 8


@dataclass(frozen=True, slots=True)
class Lengths:
    """Estimated lengths in tokens of one benchmark's prompts in one format, one entry a problem."""

    prompts: tuple[int, ...]
    prompts_at_most: tuple[int, ...]
    completion: float
    completion_at_most: int

    def use(self) -> TokenUse:
        """As token counts of samples that share their problem's prompt."""
        completions = [[max(2, round(self.completion))]] * len(self.prompts)
        return TokenUse.of(self.prompts, completions, label="estimated token counts")


def lengths(prompts: ModelPrompts, benchmark: ResolvedBenchmark, completion: float | None = None) -> Lengths:
    """Estimated lengths; `completion` is the mean that is known from elsewhere."""
    rendered = [prompts.render(problem).prompt for problem in benchmark.problems]
    most = benchmark.sampling.max_tokens
    return Lengths(
        prompts=tuple(max(1, round(characters(prompt) / CHARACTERS_PER_TOKEN)) for prompt in rendered),
        prompts_at_most=tuple(sum(len(text.encode()) + _TOKENS_AROUND for text in texts_of(one)) for one in rendered),
        completion=most / 2 if completion is None else completion,
        completion_at_most=most,
    )
