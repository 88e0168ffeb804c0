"""Which model is best at each budget, and which differences are clear when several are looked at together.

The best model of a row is picked because it is ahead, and is then compared with all others. If each of these
comparisons has an error rate of 5 %, then among several truly equal models one is called clearly worse far more often
than that. So all pairs of models are judged together: every difference is measured in its own standard error, and the
limit is the one that the largest of them stays below in 95 % of the bootstrap's replicates,

    T* = max over pairs (and budgets) of |D*_ij - D_ij| / s_ij,      i is clear of j where D_ij > q_0.95(T*) s_ij.

The maximum is over all pairs, not only those with the best model, because which model is best was read off the same
results (Tukey's range, by resampling). The replicates are shared by all models and budgets, so that differences that
move together cost little: the limit lies above Bonferroni's by its Monte Carlo error at most. If the maximum is taken
over the rows of a table as well, the limit holds for every statement about the table.

The share of replicates is widened for few problems. Where few problems decide a difference, its interval is stretched
to Newcombe's, at the limit without that widening. Both are as in `intervals`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isobudget.statistics.intervals import (
    FEW,
    Weights,
    bootstrap_curve,
    effective_problems,
    mean_replicates,
    newcombe_difference,
    widened_tail,
)

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: successes that differ by no more than this are equal
_LEVEL = 1e-12


@dataclass(frozen=True, slots=True)
class Winner:
    """Which model is best at one budget.

    Attributes:
        model: the model with the highest mean success; None if no model can afford a sample.
        success: mean success of `model` in [0, 1]; NaN if `model` is None.
        low, high: interval of `success` over problems, without regard to the other models.
        clear_against: models that are clearly worse, all models of this budget judged together.
        unclear_against: models that could be as good.
        clear_in_table: those of `clear_against` that stay clear if all budgets are judged together as well.
        out_of_reach: models without a value at this budget.
    """

    model: str | None
    success: float
    low: float
    high: float
    clear_against: tuple[str, ...]
    unclear_against: tuple[str, ...]
    clear_in_table: tuple[str, ...]
    out_of_reach: tuple[str, ...]


def best_per_budget(
    success: Mapping[str, ArrayLike],
    weights: Weights,
    level: float = 0.95,
    spent: Mapping[str, ArrayLike] | None = None,
) -> tuple[Winner, ...]:
    """The best model at each budget, and against which others the difference is clear.

    Of models with equal success (within 1e-12), the one that spends least wins, or else the first one named. The
    winner's lead over these other models is not clear.

    Args:
        success: model name to shape (problems, budgets), the same problems in the same rows; a column of NaN where the
            model cannot afford one sample or k > n.
        weights: from `bootstrap_weights`, one matrix for all models.
        level: confidence level of every interval, and of the clear leads in a row and in the table.
        spent: what each model spends for its success at each budget, shape (budgets,) in one unit; 0 by default.

    Returns:
        One `Winner` per budget, in order.
    """
    names = list(success)
    stack = np.stack([np.asarray(success[name], dtype=np.float64) for name in names])
    means = stack.mean(axis=1)
    known = np.where(np.isnan(means), -np.inf, means)
    total = np.zeros_like(means) if spent is None else np.stack([np.asarray(spent[name], float) for name in names])
    best = np.argmin(np.where(known >= known.max(axis=0) - _LEVEL, total, np.inf), axis=0)
    ends = bootstrap_curve(np.take_along_axis(stack, best[np.newaxis, np.newaxis, :], axis=0)[0], weights, level)
    clear = np.stack(clear_leads(stack, weights, level, set(best.tolist())))
    return tuple(
        _winner(names, int(at), means[:, budget], np.stack(ends)[:, budget], clear[:, at, :, budget])
        for budget, at in enumerate(best)
    )


def _winner(names: list[str], best: int, means: Floats, interval: Floats, clear: Flags) -> Winner:
    """The winner at one budget. `means` is (models,); `clear` is (2, models): whom the best beats, in row and table."""
    absent = tuple(name for name, mean in zip(names, means, strict=True) if math.isnan(mean))
    if math.isnan(means[best]):
        return Winner(None, math.nan, math.nan, math.nan, (), (), (), absent)
    rivals = [at for at, name in enumerate(names) if at != best and name not in absent]
    return Winner(
        model=names[best],
        success=float(means[best]),
        low=float(interval[0]),
        high=float(interval[1]),
        clear_against=tuple(names[at] for at in rivals if clear[0, at]),
        unclear_against=tuple(names[at] for at in rivals if not clear[0, at]),
        clear_in_table=tuple(names[at] for at in rivals if clear[1, at]),
        out_of_reach=absent,
    )


def clear_leads(
    success: Floats, weights: Weights, level: float = 0.95, of: Set[int] | None = None
) -> tuple[Flags, Flags]:
    """Which models are clearly better than which: at each budget by itself, and over all budgets at once.

    Args:
        success: shape (models, problems, budgets); a column of NaN where a model cannot afford one sample.
        weights: from `bootstrap_weights`, shape (replicates, problems).
        level: confidence that no clear difference is a false one, in a row or in the table.
        of: the models whose pairs are reported; by default all. The tests are the same in any case.

    Returns:
        Two arrays of shape (models, models, budgets), for the row alone and for the whole table: [i, j, b] is whether i
        is clearly better than j at budget b. False for fewer than two problems, and if neither model is one of `of`.
    """
    models, _, budgets = success.shape
    flags = np.zeros((2, models, models, budgets), dtype=bool)
    low, high = lead_intervals(success, weights, level, of)
    for at, (one, other) in enumerate(combinations(range(models), 2)):
        with np.errstate(invalid="ignore"):
            flags[:, one, other], flags[:, other, one] = low[:, at] > _LEVEL, high[:, at] < -_LEVEL
    return flags[0], flags[1]


def lead_intervals(
    success: Floats, weights: Weights, level: float = 0.95, of: Set[int] | None = None
) -> tuple[Floats, Floats]:
    """Intervals of the lead of each pair's first model over its second one, with all pairs tested together.

    Arguments are those of `clear_leads`.

    Returns:
        Low and high ends of the first model's success less the second's, each of shape (2, pairs, budgets). At index 0,
        the models of each budget are tested together; at index 1, all budgets are tested together as well. Pairs are in
        the order of `combinations`. NaN for fewer than two problems, where a model has no value, and for pairs without
        a model in `of`.
    """
    models, problems, budgets = success.shape
    pairs = list(combinations(range(models), 2))
    if problems < 2 or not pairs:
        nothing = np.full((2, len(pairs), budgets), np.nan)
        return nothing, nothing
    columns = success.transpose(0, 2, 1).reshape(models * budgets, problems).T
    replicates = mean_replicates(columns, weights).reshape(models, budgets, -1)
    errors = np.full((len(pairs), budgets), np.nan)
    largest = np.zeros((budgets, replicates.shape[2]), dtype=np.float32)
    for at, (one, other) in enumerate(pairs):
        moved = replicates[one] - replicates[other]
        errors[at] = moved.std(axis=1)
        scale = np.where(errors[at] > 0, errors[at], np.inf).astype(np.float32)
        np.fmax(largest, np.abs(moved) / scale[:, np.newaxis], out=largest)
    limits = limits_of(largest, problems, level)
    limit = np.repeat(limits_of(largest.max(axis=0)[np.newaxis], problems, level), budgets, axis=1)
    ends = np.full((2, 2, len(pairs), budgets), np.nan)
    for at, (one, other) in enumerate(pairs):
        if of is not None and of.isdisjoint((one, other)):
            continue
        for kind, bounds in enumerate((limits, limit)):
            ends[:, kind, at] = difference_ends(success[one] - success[other], errors[at], bounds)
    return ends[0], ends[1]


def limits_of(largest: NDArray[np.float32], problems: int, level: float) -> Floats:
    """Simultaneous critical values, in standard errors, for several differences (the bootstrap's max-t).

    Args:
        largest: the largest standardized difference in each bootstrap replicate, shape (points, replicates).
        problems: the number of problems.
        level: the confidence level.

    Returns:
        Shape (2, points): widened for few problems, and not widened. They are never below the normal quantile of a
        single difference: a difference that is the same for all problems has no standard error, and would give 0.
    """
    shares = [1 - 2 * widened_tail(problems, level), level]
    least = -NormalDist().inv_cdf((1 - level) / 2)
    return np.maximum(np.quantile(largest, shares, axis=1).astype(np.float64), least)


def difference_ends(difference: Floats, error: Floats, limits: Floats) -> tuple[Floats, Floats]:
    """The interval of the mean of a difference, shape (problems, budgets), at these limits, within [-1, 1].

    Args:
        difference: of two models' success.
        error: standard error of the mean of `difference`, shape (budgets,).
        limits: in standard errors, shape (2, budgets): widened for few problems, and not.
    """
    mean = difference.mean(axis=0)
    low, high = mean - limits[0] * error, mean + limits[0] * error
    few = effective_problems(np.nan_to_num(difference)) < FEW
    if few.any():
        tails = np.array([NormalDist().cdf(-bound) for bound in limits[1]])
        for at in np.flatnonzero(few & ~np.isnan(mean)):
            ends = newcombe_difference(difference[:, at : at + 1], 1 - 2 * max(tails[at], 1e-12))
            low[at], high[at] = min(low[at], ends[0][0]), max(high[at], ends[1][0])
    return np.maximum(low, -1.0), np.minimum(high, 1.0)
