"""The common part of set rankers: a selector for each problem, with likelihood to break ties.

A selector compares the drawn samples with each other and gives each a score; the highest score wins. Of several samples
with that score, the likeliest is chosen, if likelihoods are known; remaining ties are broken at random.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import repeat

import numpy as np

from isobudget.rankers.base import FREE, BySet, Floats, Ints, Pool, RankerCost, Ranking


class ScoreSelector(ABC):
    """A `PrefixSelector` by scores that depend on the other drawn samples.

    Attributes:
        tie_break: shape (n,), higher is better, NaN last. None means that equal scores stay tied.
    """

    tie_break: Floats | None

    @abstractmethod
    def scores(self, drawn: Ints) -> Floats:
        """The score of each sample in `drawn`, shape (k,); the highest is at least 0."""

    @abstractmethod
    def following(self, orders: Ints) -> Callable[[int], Floats]:
        """A function to call with k = 0..n - 1 in turn, which scores the first k + 1 samples of each order.

        Each call returns shape (orders, k + 1).
        """

    @abstractmethod
    def confidence(self, drawn: Ints) -> float:
        """How much the drawn samples agree with the chosen one, in [0, 1]."""

    def strength(self, n: int) -> Floats:
        """The score of each sample when all n are drawn, shape (n,)."""
        return self.scores(np.arange(n))

    def choose(self, drawn: Ints) -> Ints:
        """Of the drawn samples with the highest score, the likeliest; several if they are tied. See `SetSelector`."""
        scores = self.scores(drawn)
        best = drawn[scores >= scores.max()]
        values = np.zeros(len(best)) if self.tie_break is None else _finite(self.tie_break[best])
        chosen: Ints = best[values >= values.max()]
        return chosen

    def success_of_prefixes(self, orders: Ints, right: Floats) -> Floats:
        """Mean success of `choose` for every prefix of every order, shape (orders, n); see `PrefixSelector`."""
        score, success, right = self.following(orders), np.empty(orders.shape), right[orders]
        values = np.zeros(orders.shape) if self.tie_break is None else _finite(self.tie_break)[orders]
        for k in range(orders.shape[1]):
            scores = score(k)
            value = np.where(scores >= scores.max(axis=1, keepdims=True), values[:, : k + 1], -np.inf)
            chosen = value >= value.max(axis=1, keepdims=True)
            success[:, k] = (chosen * right[:, : k + 1]).sum(axis=1) / chosen.sum(axis=1)
        return success


def _finite(tie_break: Floats) -> Floats:
    """The values as finite numbers, NaN below all others."""
    return np.nan_to_num(tie_break, nan=-1e300, neginf=-1e299, posinf=1e300)


def by_set(
    pool: Pool,
    name: str,
    selector: Callable[[str, Floats | None], ScoreSelector],
    *,
    unknown: int = 0,
    tie_break: Sequence[Floats] | None = None,
    cost: RankerCost = FREE,
    notes: tuple[str, ...] = (),
) -> Ranking:
    """The ranking by a selector for each problem.

    Args:
        pool, name: the samples, and what to call the ranking.
        selector: makes the selector of a task_id, given its tie-break, shape (n,).
        unknown: number of samples about which nothing is known.
        tie_break: per problem, shape (n,), higher is better, NaN last; None where no likelihood is known.
        cost, notes: cost of computing the selector's inputs, and notes for the user.
    """
    breaks = tie_break or repeat(None, len(pool.problems))
    selectors = tuple(selector(task_id, value) for task_id, value in zip(pool.task_ids, breaks, strict=True))
    strength = tuple(one.strength(n) for one, n in zip(selectors, pool.sizes.tolist(), strict=True))
    return Ranking(name, BySet(selectors, strength, unknown), cost, notes)
