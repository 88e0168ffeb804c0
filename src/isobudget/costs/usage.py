"""Tokens that samples used, and what they cost in flops and in tokens.

Averages are over problems, and each problem counts once, however many samples it has, because a budget buys k samples
of every problem.

The k samples of a problem either share its prompt (it is computed once, `per_problem`) or each pays for it
(`per_sample`). The paper counts neither: it charges every sample a fixed length of 128 tokens (Table 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isobudget.costs.bills import Bill
from isobudget.costs.cost import EACH_PAYS, SHARED, UNCOUNTED, SampleCost, Unit
from isobudget.costs.flops import completion_flops, prompt_flops
from isobudget.errors import InputError
from isobudget.models.architecture import Architecture

#: stands for a prompt of unknown length: every model starts from at least one token
START_TOKEN_ONLY = 1


@dataclass(frozen=True, slots=True, eq=False)
class TokenUse:
    """Token counts of the samples of one benchmark under one model.

    Attributes:
        prompt: tokens of each problem's prompt, shape (problems,), each >= 1.
        completions: per problem, tokens of each of its samples, each >= 0; at least one sample a problem.
        share_prompt: whether the samples of a problem share its prompt.
        label: the beginning of the cost's source: where the counts of completions come from, and the counts of prompts
            if both were recorded.
        prompt_label: text that follows `label` in the cost's source: where the counts of prompts come from.
        prompt_known: whether `prompt` was recorded or stated; if not, it is a placeholder.
        bills: what a server billed for each problem's prompts; None if this was not recorded.
    """

    prompt: NDArray[np.int64]
    completions: tuple[NDArray[np.int64], ...]
    share_prompt: bool = True
    label: str = "measured token counts"
    prompt_known: bool = True
    bills: tuple[Bill, ...] | None = None
    prompt_label: str = ""

    def __post_init__(self) -> None:
        if len(self.prompt) != len(self.completions) or not self.completions:
            raise InputError(
                f"{self.label}: {len(self.prompt)} prompts but completions of {len(self.completions)} problems; "
                "both need one entry per problem, and at least one problem"
            )
        if any(len(tokens) == 0 for tokens in self.completions):
            raise InputError(f"{self.label}: a problem without samples has no token counts")

    @classmethod
    def of(
        cls,
        prompt: Sequence[int] | int,
        completions: Sequence[Sequence[int]],
        *,
        share_prompt: bool = True,
        label: str = "measured token counts",
        prompt_known: bool = True,
        bills: tuple[Bill, ...] | None = None,
        prompt_label: str = "",
    ) -> TokenUse:
        """Create from plain lists; a single number for `prompt` applies to all problems."""
        prompts = np.broadcast_to(np.asarray(prompt, dtype=np.int64), (len(completions),))
        counts = tuple(np.asarray(tokens, dtype=np.int64) for tokens in completions)
        return cls(prompts, counts, share_prompt, label, prompt_known, bills, prompt_label)

    @classmethod
    def of_completions(cls, completions: Sequence[Sequence[int]], label: str) -> TokenUse:
        """Token use of samples with unknown prompts: each prompt counts as one start token."""
        return cls.of(START_TOKEN_ONLY, completions, share_prompt=False, label=label, prompt_known=False)

    @property
    def said(self) -> str:
        """Where the counts of prompts and completions come from."""
        return self.label + self.prompt_label

    @property
    def mean_prompt(self) -> float:
        """Mean prompt tokens over problems."""
        return float(np.mean(self.prompt))

    @property
    def mean_completion(self) -> float:
        """Mean completion tokens of a sample, over problems."""
        return mean_over_problems(self.completions)

    def split(self, unit: Unit, prompt: float, completion: float, source: str) -> SampleCost:
        """A cost whose prompt part is shared or not, depending on `share_prompt`."""
        per_token = completion / self.mean_completion if self.mean_completion else 0.0
        if self.share_prompt:
            return SampleCost(unit, completion, prompt, f"{source}, prompt shared", per_token, SHARED)
        prompt_note = ", prompt paid by every sample" if self.prompt_known else ""
        paid = EACH_PAYS if self.prompt_known else UNCOUNTED
        return SampleCost(unit, prompt + completion, 0.0, f"{source}{prompt_note}", per_token, paid)


def mean_over_problems(values: Sequence[Sequence[float] | NDArray[Any]], what: str = "samples") -> float:
    """The mean over problems of the mean over a problem's samples (at least one), so that all problems count alike."""
    if not values or any(len(one) == 0 for one in values):
        raise InputError(f"{what}: every problem needs at least one sample")
    return float(np.mean([np.mean(one) for one in values]))


def tokens_cost(use: TokenUse) -> SampleCost:
    """Tokens read and written: completion tokens of every sample, and the prompt's."""
    return use.split(Unit.TOKENS, use.mean_prompt, use.mean_completion, use.said)


def flops_cost(architecture: Architecture, use: TokenUse) -> SampleCost:
    """Flops of the samples, from their own lengths, with a key-value cache; see `flops`.

    Raises:
        InputError: a token count is negative, or no sample has a second token, so that completions cost nothing.
    """
    prompt = float(np.mean(prompt_flops(architecture, use.prompt)))
    completion = [
        completion_flops(architecture, int(length), tokens)
        for length, tokens in zip(use.prompt, use.completions, strict=True)
    ]
    source = f"flops of {architecture.name} ({architecture.source}) by {use.said}, with a key-value cache"
    return use.split(Unit.FLOPS, prompt, mean_over_problems(completion), source)
