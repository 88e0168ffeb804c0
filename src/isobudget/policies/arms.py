"""Arms: the recorded counts and prices of each arm, and the success and cost of k draws from it.

From the recorded counts of a problem with n samples, c of which passed (Chen et al. 2021; `statistics.pass_at_k`):

    survival_k = C(n-c, k) / C(n, k)                                  all k fail
    spent_k    = passed (1 - survival_k) + failed (E[draws_k] - (1 - survival_k)) + shared [k > 0]

where passed and failed are the mean prices of a passing and of a failing sample. The means are sufficient, because all
orders of the samples are equally likely.

For learning, rates are shrunk, because 0 passes of 10 do not mean a rate of 0. Each problem's rate has the posterior
Beta(a + c, b + n - c). Its prior, Beta(a, b), is fitted to all problems of the arm
(`statistics.extrapolation.fit_beta_binomial`). Then survival_k = E[(1-p)^k] falls more slowly than any (1-p)^k: after
many failures the problem counts as hard, not as impossible.

Numbers of draws are on a grid: every number up to 64, then steps of 3 %. So 5,000 problems with 1,000 samples of four
arms fit into memory, and a million samples need only about 2.5 times as many rows. Values on the grid are exact up to
4,096 draws. Beyond 4,096 draws, they are accurate to 1e-8 (by gamma functions); only shrunk spending is less accurate,
to 1e-4 (by trapezoids).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isobudget.errors import InputError
from isobudget.statistics.extrapolation import BetaFit, fit_beta_binomial
from isobudget.statistics.pass_at_k import failure_curve

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: all numbers of draws up to this are on the grid; the ratio of neighbours beyond
_EACH, _RATIO = 64, 1.03
#: draws up to which every one is computed; samples of a problem above which a prior is fitted to scaled-down counts
LONG, _MANY = 4096, 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """The recorded samples of one arm; all arrays have one entry per problem.

    Attributes:
        name: the model's name, with its condition if there is one.
        n: number of samples.
        c: number of samples that passed the suite by which samples are chosen.
        if_passed, if_failed: mean price of a passing and of a failing sample, 0 or more, in one unit for all arms.
        shared: additional cost of the first draw of a problem, such as a prompt that is computed once.
        hidden: share of the passing samples that pass the hidden suite, too; NaN where none passed, None without a
            hidden suite.
    """

    name: str
    n: Ints
    c: Ints
    if_passed: Floats
    if_failed: Floats
    shared: float = 0.0
    hidden: Floats | None = None

    @classmethod
    def of(
        cls,
        name: str,
        n: ArrayLike,
        c: ArrayLike,
        if_passed: ArrayLike = 1.0,
        if_failed: ArrayLike | None = None,
        *,
        shared: float = 0.0,
        hidden: ArrayLike | None = None,
    ) -> Arm:
        """Make an arm from plain numbers.

        A price may be NaN for a problem where no sample passed, or none failed. It becomes the mean over the other
        problems.

        Raises:
            InputError: shapes do not fit, counts are not 0 <= c <= n, or prices are negative or all 0.
        """
        passed = np.atleast_1d(np.asarray(c, dtype=np.int64))
        samples = np.broadcast_to(np.asarray(n, dtype=np.int64), passed.shape)
        if np.any(passed < 0) or np.any(passed > samples) or np.any(samples < 1):
            raise InputError(f"{name}: counts must have 0 <= c <= n and n of 1 or more")
        given = (if_passed, if_passed if if_failed is None else if_failed)
        wide = [np.broadcast_to(np.asarray(price, dtype=np.float64), passed.shape) for price in given]
        share = None if hidden is None else np.broadcast_to(np.asarray(hidden, dtype=np.float64), passed.shape)
        return cls(name, samples, passed, _filled(name, *wide), _filled(name, *wide[::-1]), shared, share)

    @property
    def price(self) -> Floats:
        """Mean price of a sample of each problem, shape (problems,)."""
        return np.asarray((self.c * self.if_passed + (self.n - self.c) * self.if_failed) / self.n)

    @property
    def first_draw(self) -> float:
        """The cost of the first draw of a problem, on average over problems."""
        return float(self.price.mean()) + self.shared

    def only(self, problems: NDArray[np.generic]) -> Arm:
        """The arm restricted to some of the problems, by index or mask."""
        hidden = None if self.hidden is None else self.hidden[problems]
        return Arm(
            self.name,
            self.n[problems],
            self.c[problems],
            self.if_passed[problems],
            self.if_failed[problems],
            self.shared,
            hidden,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Failure and spending of one arm that stops at the first pass: a row per number of draws, a column per problem.

    Attributes:
        points: numbers of draws, rising from 0, shape (G,).
        survival: chance that all of them fail, shape (G, problems); NaN beyond the recorded samples.
        spent: expected cost, shape (G, problems).
    """

    points: Ints
    survival: Floats
    spent: Floats

    def only(self, problems: NDArray[np.generic]) -> Table:
        """The table for some of the problems, by index or mask."""
        return Table(self.points, self.survival[:, problems], self.spent[:, problems])


def count_grid(k_max: int) -> Ints:
    """The numbers of draws 0, 1, 2, ..., 64, and then in steps of 3 % up to and including k_max."""
    points = list(range(min(k_max, _EACH) + 1))
    while points[-1] < k_max:
        points.append(min(max(points[-1] + 1, round(points[-1] * _RATIO)), k_max))
    return np.array(points, dtype=np.int64)


def arm_grid(arm: Arm) -> Ints:
    """The grid up to the number of samples that every problem has."""
    return count_grid(int(arm.n.min()))


def recorded_table(arm: Arm, points: Ints, *, batched: bool = False) -> Table:
    """The exact table from the counts, at these numbers of draws.

    With `batched`, all samples from one number to the next start together, and all of them are paid for. After k
    failures, a share c / (n - k) of the remaining samples passes.
    """
    n, c, back = _pairs(arm)
    r, k = _failing(n, c, points), points[:, np.newaxis]
    draws = ((n + 1) - (n - k + 1) * r) / (c + 1)
    table = _table(arm, points, r, draws, back)
    return replace(table, spent=_batched_spent(arm, table)) if batched else table


def recorded_survival(arm: Arm, points: Ints) -> Floats:
    """The chance that all of a number of draws fail: `survival` of `recorded_table`, shape (G, problems)."""
    n, c, back = _pairs(arm)
    return _failing(n, c, points)[:, back]


def _failing(n: Ints, c: Ints, points: Ints) -> Floats:
    near, far = points[points <= LONG], points[points > LONG]
    every = np.concatenate([np.ones((1, len(n))), failure_curve(n, c, max(int(near.max(initial=1)), 1)).T])
    if not len(far):
        return np.asarray(every[near])
    failed, k = n - c, far[:, np.newaxis]
    some = _log_gamma(failed + 1) - _log_gamma(n + 1) + _log_gamma(n - k + 1) - _log_gamma(failed - k + 1)
    r = np.where(k > failed, 0.0, np.exp(np.minimum(some, 0.0)))
    return np.concatenate([every[near], np.where(k > n, np.nan, r)])


def _log_gamma(values: NDArray[Any]) -> Floats:
    """log Gamma of numbers above 0; 0 for others, whose results are not used."""
    flat, back = np.unique(np.maximum(values, 1e-300).astype(np.float64), return_inverse=True)
    kept = [0.0 if value < 1e-200 else math.lgamma(value) for value in flat.tolist()]
    return np.asarray(np.array(kept)[back.reshape(values.shape)])


def _pairs(arm: Arm) -> tuple[Ints, Ints, Ints]:
    """The distinct pairs (n, c) of an arm, as two arrays, and the index of each problem's pair."""
    size = int(arm.n.max()) + 1
    pairs, back = np.unique(arm.n * size + arm.c, return_inverse=True)
    return pairs // size, pairs % size, back.ravel()


def shrunk_table(arm: Arm, points: Ints, prior: BetaFit) -> Table:
    """The table under each problem's posterior rate, at these numbers of draws."""
    n, c, back = _pairs(arm)
    near, far = points[points <= LONG], points[points > LONG]
    j = np.arange(max(int(near.max(initial=1)), 1))[:, np.newaxis]
    failed, every = prior.b + n - c, prior.a + prior.b + n
    r = np.concatenate([np.ones((1, len(n))), np.cumprod((failed + j) / (every + j), axis=0)])
    draws = np.concatenate([np.zeros((1, len(n))), np.cumsum(r[:-1], axis=0)])
    r, draws = r[near], draws[near]
    if len(far):
        k, last = far[:, np.newaxis], near[-1]
        ends = _log_gamma(failed + k) - _log_gamma(every + k) + _log_gamma(every) - _log_gamma(failed)
        beyond = np.vstack([r[-1:], np.exp(np.minimum(ends, 0.0))])
        steps = np.diff(far, prepend=last)[:, np.newaxis] * (beyond[:-1] + beyond[1:]) / 2
        r, draws = np.vstack([r, beyond[1:]]), np.vstack([draws, draws[-1] + np.cumsum(steps, axis=0)])
    return _table(arm, points, r, draws, back)


def fit_prior(arm: Arm) -> BetaFit:
    """The distribution of the arm's rates over problems, by maximum likelihood.

    If no sample or every sample passed, or problems have one sample each, the prior is Beta(m, 1 - m) instead. Here m
    is the mean rate after adding one sample that counts as half passed.
    """
    passed, samples = int(arm.c.sum()), int(arm.n.sum())
    if 0 < passed < samples and int(arm.n.max()) > 1:
        scale = np.minimum(1.0, _MANY / arm.n)
        n, c = (np.round(counts * scale).astype(np.int64) for counts in (arm.n, arm.c))
        fit = fit_beta_binomial(n, np.minimum(c, n))
        return BetaFit(max(fit.a, 1e-4), max(fit.b, 1e-4), fit.log_likelihood)
    mean = (passed + 0.5) / (samples + 1)
    return BetaFit(mean, 1 - mean, float("nan"))


def check_same_problems(arms: Sequence[Arm]) -> None:
    """Raise `InputError` unless there are arms, with different names and equally many problems."""
    if not arms:
        raise InputError("there is no arm to draw from")
    sizes = {len(arm.c) for arm in arms}
    if len(sizes) > 1:
        raise InputError(f"arms must be on the same problems; they have {', '.join(map(str, sorted(sizes)))} problems")
    names = [arm.name for arm in arms]
    if len(set(names)) < len(names):
        raise InputError(f"two arms have the same name: {', '.join(sorted(names))}")


def _table(arm: Arm, points: Ints, r: Floats, draws: Floats, back: NDArray[np.generic]) -> Table:
    survival, every = r[:, back], draws[:, back]
    passing = 1.0 - survival
    spent = passing * arm.if_passed + np.maximum(every - passing, 0.0) * arm.if_failed
    spent[points > 0] += arm.shared
    return Table(points, survival, spent)


def _batched_spent(arm: Arm, table: Table) -> Floats:
    """Expected spending if each batch is paid for as a whole."""
    passing = arm.c / np.maximum(arm.n - table.points[:-1, np.newaxis], 1)
    price = passing * arm.if_passed + (1 - passing) * arm.if_failed
    first = (table.points[:-1] == 0)[:, np.newaxis]
    steps = table.survival[:-1] * (np.diff(table.points)[:, np.newaxis] * price + arm.shared * first)
    steps = np.where(np.isnan(table.survival[1:]), np.nan, steps)
    return np.concatenate([np.zeros_like(table.spent[:1]), np.cumsum(steps, axis=0)])


def _filled(name: str, prices: Floats, others: Floats) -> Floats:
    """The prices of one kind of sample (passing or failing), with NaN replaced by the mean of the known prices.

    If no price of this kind is known, the prices of the other kind are used.
    """
    known = ~np.isnan(prices)
    if not known.any():
        prices, known = others, ~np.isnan(others)
    values = np.where(known, prices, prices[known].mean() if known.any() else np.nan)
    if not (np.all(np.isfinite(values)) and np.all(values >= 0) and values.mean() > 0):
        raise InputError(f"{name}: a sample must cost a positive amount")
    return values
