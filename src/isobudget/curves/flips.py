"""The cost ratio at which the winner of two models flips.

For a cheap model A and a dear one B: let k_A be the fewest samples of A with success_A@k_A >= success_B@k_B. These k_A
samples cost no more than the k_B samples of B as long as one sample of B costs at least

    ratio = k_A / k_B

samples of A. Where sampling stops at the first pass, the samples generated on average take the place of k_A and k_B.
Costs only decide which model is the cheap one and what the present ratio is. If A never reaches that success with its
recorded samples, the ratio is NaN with a reason. Intervals are over problems, and the curves of both models move
together (paired bootstrap). An upper end of NaN means that the recorded samples of A do not reach the success of B in
so many replicates that the end is not known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from isobudget.curves.curve import Bootstrap, Curve
from isobudget.statistics.intervals import Weights, weighted_means, widened_tail

FloatArray = NDArray[np.float64]

#: intervals of ratios need whole curves per replicate, and steps of 1/k_B are coarse: this many are enough
_MOST_REPLICATES = 1000
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Flip:
    """Which of two models wins at k_dear samples of the dear one.

    Attributes:
        cheap, dear: labels of the two curves; `dear` costs more a sample now.
        k_dear: samples of the dear model.
        k_cheap: fewest samples of the cheap model that do as well; None if its recorded samples do not.
        ratio: k_cheap / k_dear. If sampling stops at the first pass, the numbers of samples generated on average are
            divided instead. The cheap model does as well or better while one dear sample costs at least as much as this
            many cheap samples.
        low, high: interval of `ratio`; NaN for an end that the samples do not reach.
        now: how many cheap samples the cost of one dear sample buys now, shared prompts counted.
        winner: the label of the model with the higher success at the present cost of k_dear dear samples, or `level`.
            None if the cheap model's recorded samples run out before that budget and do not decide which model wins.
        reason: why `ratio` is NaN, else empty.
    """

    cheap: str
    dear: str
    k_dear: int
    k_cheap: int | None
    ratio: float
    low: float
    high: float
    now: float
    winner: str | None
    reason: str = ""


def find_flips(
    curves: Sequence[Curve], bootstrap: Bootstrap, pairs: Sequence[tuple[str, str]] | None = None
) -> tuple[Flip, ...]:
    """The flips of pairs of curves, for every recorded k of the dearer model.

    Args:
        curves: on the same problems in the same order, cheapest sample first.
        bootstrap: level and seed; at most 1,000 replicates are used.
        pairs: labels, the cheaper one first; by default every pair.
    """
    chosen = list(combinations([curve.label for curve in curves], 2)) if pairs is None else pairs
    if not chosen:
        return ()
    named = {label for pair in chosen for label in pair}
    used = {curve.label: curve for curve in curves if curve.label in named}
    few = Bootstrap(bootstrap.level, min(bootstrap.replicates, _MOST_REPLICATES), bootstrap.seed)
    problems = len(curves[0].task_ids)
    replicates, charged = _replicates(list(used.values()), few.weights(problems))
    tail = widened_tail(problems, few.level) if problems > 1 else math.nan
    flips: list[Flip] = []
    for cheap, dear in chosen:
        spread = _spread(replicates[cheap], replicates[dear], charged[cheap], charged[dear], tail)
        fewest = _fewest(np.maximum.accumulate(used[cheap].success), used[dear].success)
        each = enumerate(zip(fewest, spread.T, strict=True), start=1)
        flips += [_flip(used[cheap], used[dear], k, int(k_cheap), ends) for k, (k_cheap, ends) in each]
    return tuple(flips)


def _replicates(curves: Sequence[Curve], weights: Weights) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
    """Success and samples charged of each curve in each replicate, by label."""
    spent = [curve.charged.by_problem for curve in curves]
    matrices = [*(curve.matrix for curve in curves), *(one for one in spent if one is not None)]
    means = iter(weighted_means(matrices, weights))
    # The running maximum changes nothing for pass@k, and makes "the fewest samples that reach" a search for any curve.
    success = {curve.label: np.maximum.accumulate(next(means), axis=1) for curve in curves}
    charged = {
        curve.label: curve.charged.replicates(None if curve.charged.by_problem is None else next(means))
        for curve in curves
    }
    return success, charged


def _flip(cheap: Curve, dear: Curve, k_dear: int, k_cheap: int, ends: FloatArray) -> Flip:
    reached = k_cheap <= cheap.k_max
    ratio = float(cheap.charged.samples[k_cheap - 1] / dear.charged.samples[k_dear - 1]) if reached else math.nan
    target = f"the {dear.success[k_dear - 1]:.1%} of {k_dear} sample{'s' if k_dear > 1 else ''} of {dear.label}"
    reason = "" if reached else f"{cheap.label} does not reach {target} within its {cheap.k_max} recorded samples"
    now, winner = _affordable_now(cheap, dear, k_dear), _winner(cheap, dear, k_dear)
    low, high = map(float, ends)
    k = k_cheap if reached else None
    return Flip(cheap.label, dear.label, k_dear, k, ratio, low, high, now, winner, reason)


def _affordable_now(cheap: Curve, dear: Curve, k_dear: int) -> float:
    """How many cheap samples the cost of one of k_dear dear samples buys now.

    If no cost is shared, this is the ratio of prices.
    """
    budget = float(dear.cost[k_dear - 1]) - cheap.price.per_problem
    return max(0.0, budget) / cheap.price.per_sample / float(dear.charged.samples[k_dear - 1])


def _fewest(cheap: FloatArray, dear: FloatArray) -> NDArray[np.int64]:
    """For each k of the dear curve, the fewest samples with which the (non-falling) cheap curve does as well.

    Where the cheap curve never does, its length + 1.
    """
    return np.asarray(np.searchsorted(cheap, dear - _ROUNDING, side="left") + 1, dtype=np.int64)


def _spread(
    cheap: FloatArray, dear: FloatArray, cheap_charged: FloatArray, dear_charged: FloatArray, tail: float
) -> FloatArray:
    """Ends of the interval of the ratio at each k of the dear curve, shape (2, dear k); NaN for ends not reached.

    The arguments are the success of both curves in each replicate, shape (replicates, k), and the samples charged for
    it, of the same shape or (1, k).
    """
    if math.isnan(tail):
        return np.full((2, dear.shape[1]), math.nan)
    fewest = np.array([_fewest(one, other) for one, other in zip(cheap, dear, strict=True)])
    endless = np.concatenate([cheap_charged, np.full((len(cheap_charged), 1), np.inf)], axis=1)
    rows = np.arange(len(fewest))[:, np.newaxis] if len(endless) > 1 else 0
    ratios = endless[rows, fewest - 1] / dear_charged
    ends = np.quantile(ratios, (tail, 1 - tail), axis=0, method="inverted_cdf")
    return np.where(np.isfinite(ends), ends, math.nan)


def _winner(cheap: Curve, dear: Curve, k_dear: int) -> str | None:
    point, target = cheap.at(float(dear.cost[k_dear - 1])), float(dear.success[k_dear - 1])
    if point.k == 0:
        return dear.label
    if abs(point.success - target) <= _ROUNDING and not point.capped:
        return "level"
    if point.success > target:
        return cheap.label
    return None if point.capped else dear.label
