"""Success of selectors that look at the whole set of k samples: majority of the answers, agreement between samples.

The choice of such a selector among k samples depends on all of them, so a sample has no fixed rank, and the closed form
of rank-score does not apply. Instead, the curve is estimated from random orders of the recorded samples: the first k of
an order are k draws without replacement. The Monte Carlo error of this estimate is stated with the result. It shrinks
with the number of orders, and does not include the error from the number of problems and samples (see
`isobudget.statistics.intervals`).

Scores that a sample has by itself belong in `isobudget.statistics.rank_score`, which is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isobudget.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class SetSelector(Protocol):
    """Chooses among drawn samples of one problem by looking at all of them together, not by a score per sample."""

    def choose(self, drawn: Ints) -> Ints:
        """The chosen samples among `drawn`. Both are indices of samples, at least one each.

        Several chosen samples are a tie, which is broken at random: their mean success counts. The choice must not
        depend on the order of `drawn`.
        """
        ...


@runtime_checkable
class PrefixSelector(SetSelector, Protocol):
    """A `SetSelector` that can follow many orders at once, which is far faster than a call for every prefix."""

    def success_of_prefixes(self, orders: Ints, right: Floats) -> Floats:
        """Mean success of the choice among the first k of each order, for k = 1..n.

        Args:
            orders: shape (orders, n), each row a permutation of the samples.
            right: shape (n,), whether each sample passed.

        Returns:
            Shape (orders, n): the mean success of what `choose` returns for every prefix.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class MajorityVote:
    """Chooses the samples whose answer (a class of equal behaviour) is the most frequent among those drawn.

    Attributes:
        answers: shape (n,); equal numbers are equal answers. A negative number is a sample without an answer, which is
            drawn and paid for, but chosen only if no drawn sample has an answer.
    """

    answers: Ints

    def choose(self, drawn: Ints) -> Ints:
        """All drawn samples of the most frequent answers; see `SetSelector`."""
        answers = np.asarray(self.answers)[drawn]
        given = answers[answers >= 0]
        if not len(given):
            return drawn
        votes = np.bincount(given)
        chosen: Ints = drawn[(answers >= 0) & (votes[answers] == votes.max())]
        return chosen


@dataclass(frozen=True, slots=True, eq=False)
class PrefixCurve:
    """A success curve, estimated from random prefixes.

    Attributes:
        k: shape (K,).
        success: shape (K,), mean over problems, in [0, 1]; NaN where k exceeds some problem's samples.
        standard_error: shape (K,), Monte Carlo error of `success` from the finite number of orders alone.
        per_problem: success of each problem, shape (problems, K), for a bootstrap over problems.
    """

    k: Ints
    success: Floats
    standard_error: Floats
    per_problem: Floats


def prefix_curve(
    passed: Sequence[ArrayLike], selectors: Sequence[SetSelector], k: ArrayLike, orders: int = 200, seed: int = 0
) -> PrefixCurve:
    """Chance that the sample chosen among k random ones is right, by random orders of each problem's samples.

    Args:
        passed: per problem, shape (n,), whether each sample passed; n may differ.
        selectors: one per problem, with the same indices of samples.
        k: one number or shape (K,), each at least 1.
        orders: random orders per problem, at least 2.
        seed: of the orders.

    Raises:
        InputError: there are no problems, not one selector per problem, fewer than 2 orders, or a k below 1.
    """
    sizes = np.atleast_1d(np.asarray(k, dtype=np.int64))
    if not passed or len(passed) != len(selectors):
        raise InputError(f"prefix_curve needs one selector per problem; got {len(passed)} and {len(selectors)}")
    if orders < 2 or np.any(sizes < 1):
        raise InputError(f"prefix_curve needs at least 2 orders and k of 1 or more; got {orders} orders, k = {sizes}")
    generator = np.random.default_rng(seed)
    outcomes = [
        _orders_of_one(np.asarray(right, dtype=np.float64), selector, sizes, orders, generator)
        for right, selector in zip(passed, selectors, strict=True)
    ]
    per_problem = np.stack([outcome.mean(axis=0) for outcome in outcomes])
    variances = np.stack([outcome.var(axis=0, ddof=1) for outcome in outcomes]) / orders
    error = np.sqrt(variances.sum(axis=0)) / len(outcomes)
    return PrefixCurve(sizes, per_problem.mean(axis=0), error, per_problem)


def _orders_of_one(
    right: Floats, selector: SetSelector, sizes: Ints, orders: int, generator: np.random.Generator
) -> Floats:
    """Success of the choice in each order and at each k, shape (orders, K); NaN where k > n."""
    outcomes = np.full((orders, len(sizes)), np.nan)
    drawn = np.stack([generator.permutation(len(right)) for _ in range(orders)])
    if isinstance(selector, PrefixSelector):
        held = sizes <= len(right)
        outcomes[:, held] = selector.success_of_prefixes(drawn, right)[:, sizes[held] - 1]
        return outcomes
    for row, order in zip(outcomes, drawn, strict=True):
        for at, size in enumerate(sizes):
            if size <= len(right):
                row[at] = right[selector.choose(order[:size])].mean()
    return outcomes
