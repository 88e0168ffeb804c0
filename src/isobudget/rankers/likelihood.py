"""Likelihood rankers: how probable a model finds a sample.

- `Own`, `Likelihood`: log p(sample | prompt), as the mean per token (the paper, section 4) or as the sum. `Own` takes
  the model that wrote the sample, whose log-probabilities were recorded and cost nothing; `Likelihood` takes any model.
- `Reviewer`: log p(sample | prompt) + log p(prompt | sample) (Zhang et al. 2023, "Coder Reviewer Reranking for Code
  Generation", eq. 2): a sample that explains its prompt well is not degenerate. Each part is a mean per token or a sum.

Log-probabilities are natural logarithms under the unmodified model at temperature 1; the prompt's own tokens are left
out. A sample without tokens has the score NaN, which ranks last.
"""

from __future__ import annotations

from dataclasses import dataclass

from isobudget.errors import InputError
from isobudget.rankers.base import BACKWARD, FORWARD, Ranking, Reduce, added, scored
from isobudget.rankers.ranker import Ranker, RankerInputs


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reduced(Ranker):
    how: Reduce


class Own(_Reduced):
    """log p(sample | prompt) under the model that wrote the sample, as recorded."""

    def rank(self, inputs: RankerInputs) -> Ranking:
        """Rank at no cost."""
        own = inputs.own(self.how)
        if own is None:
            raise InputError(
                f"{inputs.pool.model}: no log-probabilities were recorded with these samples; score them with a model: "
                f"--ranker {self.name.replace('own', 'likelihood')} --model NAME"
            )
        return scored(inputs.pool, self.name, own)


class Likelihood(_Reduced):
    """log p(sample | prompt) under a scoring model."""

    def rank(self, inputs: RankerInputs) -> Ranking:
        """Rank at the cost of one pass of the scoring model over each sample."""
        by = inputs.score(self.name, FORWARD)
        scores, name = by.reduced(self.how), f"{self.name} by {by.name}"
        return scored(inputs.pool, name, scores, cost=by.cost)


class Reviewer(_Reduced):
    """log p(sample | prompt) + log p(prompt | sample) under a scoring model."""

    def rank(self, inputs: RankerInputs) -> Ranking:
        """Rank by the sum of both parts; NaN where either is NaN."""
        forward, backward = inputs.score(self.name, FORWARD), inputs.score(self.name, BACKWARD)
        scores = added(forward.reduced(self.how), backward.reduced(self.how))
        return scored(inputs.pool, f"{self.name} by {forward.name}", scores, cost=forward.cost.plus(backward.cost))


_MODEL = ("--model",)

RANKERS = (
    Own("own", how="mean"),
    Own("own-sum", how="sum"),
    Likelihood("likelihood", _MODEL, how="mean"),
    Likelihood("likelihood-sum", _MODEL, how="sum"),
    Reviewer("reviewer", _MODEL, how="mean"),
    Reviewer("reviewer-sum", _MODEL, how="sum"),
)
