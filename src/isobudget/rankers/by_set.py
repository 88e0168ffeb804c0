"""What rankers that look at all drawn samples have in common: a selector a problem, and likelihood for what is level.

Selectors say which samples are best (`isobudget.statistics.prefixes.SetSelector`). Where several are, the likeliest of
them is chosen, if likelihood is known; what is level even then is a tie, broken at random.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Protocol

import numpy as np

from isobudget.rankers.base import FREE, Bools, BySet, Floats, Ints, Pool, RankerCost, Ranking
from isobudget.statistics.prefixes import SetSelector


class StrongSelector(SetSelector, Protocol):
    """A `SetSelector` that also says how strongly all samples together speak for each."""

    def strength(self) -> Floats:
        """Higher is better, shape (n,)."""
        ...


def by_set(
    pool: Pool,
    name: str,
    selector: Callable[[str, Floats | None], StrongSelector],
    *,
    unknown: int = 0,
    tie_break: Sequence[Floats] | None = None,
    cost: RankerCost = FREE,
    notes: tuple[str, ...] = (),
) -> Ranking:
    """The ranking by a selector for each problem.

    Args:
        pool: the samples.
        name: for labels.
        selector: makes the selector of a task_id, given its tie-break, shape (n,).
        unknown: samples that nothing is known of.
        tie_break: per problem, shape (n,), higher is better, NaN last; None where no likelihood is known.
        cost: of finding out what it looks at.
        notes: what a reader has to know.
    """
    breaks = tie_break or repeat(None, len(pool.problems))
    selectors = tuple(selector(task_id, value) for task_id, value in zip(pool.task_ids, breaks, strict=True))
    return Ranking(name, BySet(selectors, tuple(one.strength() for one in selectors), unknown), cost, notes)


def tie_values(tie_break: Floats | None, n: int) -> Floats:
    """Tie-breaks as finite numbers, NaN below all others; all equal where there are none. Shape (n,)."""
    if tie_break is None:
        return np.zeros(n)
    return np.nan_to_num(tie_break, nan=-1e300, neginf=-1e299, posinf=1e300)


def likeliest(best: Ints, values: Floats) -> Ints:
    """Those of the samples `best` with the highest of the `tie_values`."""
    chosen: Ints = best[values[best] >= values[best].max()]
    return chosen


def follow(orders: Ints, tie_break: Floats | None, right: Floats, score: Callable[[Ints, Bools], Floats]) -> Floats:
    """Mean success of the likeliest of the best samples for every prefix of every order, shape (orders, n).

    Args:
        orders: shape (orders, n), each row a permutation of the samples.
        tie_break: shape (n,), or None.
        right: shape (n,), whether each sample passed.
        score: from the next sample of each order and those drawn so far, shape (orders, n), the scores of all
            samples, at least 0 each.
    """
    rows, values = np.arange(len(orders)), tie_values(tie_break, len(right))
    drawn, success = np.zeros(orders.shape, dtype=bool), np.empty(orders.shape)
    for k, sample in enumerate(orders.T):
        drawn[rows, sample] = True
        scores = np.where(drawn, score(sample, drawn), -1.0)
        value = np.where(scores >= scores.max(axis=1, keepdims=True), values, -np.inf)
        chosen = value >= value.max(axis=1, keepdims=True)
        success[:, k] = (chosen * right).sum(axis=1) / chosen.sum(axis=1)
    return success
