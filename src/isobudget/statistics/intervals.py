"""How sure a curve is: intervals of curves and of differences.

Two questions have different answers:

- *Would the result hold on other problems like these?* A bootstrap over problems answers this. All models share one
  matrix of weights, so that a difference is judged on the same problems (paired). The interval is the percentile
  interval, with levels widened for few problems. The interval holds at each point by itself and is not a band for all
  budgets at once. For statements about several models or budgets together, see `winners`. Where only a few problems
  decide (nearly all pass, nearly all fail, two models nearly alike: `effective_problems` under `FEW`), a bootstrap
  cannot see outcomes that did not occur. The interval is then stretched to Wilson's, which is at least long enough.
  Samples are never resampled with replacement: repeats make k draws look alike, and pass@k comes out too low at large
  k.
- *Would the result hold on these problems with other samples?* The variance over the samples alone answers this. On
  average, r_k^2 exceeds the square of the expected r_k by exactly the variance of r_k, and r_2k is an unbiased estimate
  of that square. So r_k^2 - r_2k is an unbiased estimate of Var(r_k). It exists only where 2k <= n.

Resampling whole problems carries the noise of their samples along, so that the first kind of interval covers both.
Neither covers how a prompt, a judge or a sampling temperature was chosen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isobudget.errors import InputError
from isobudget.statistics.blockwise_weights import BlockwiseWeights, held, problem_blocks
from isobudget.statistics.pass_at_k import failure_curve

Floats = NDArray[np.float64]
Weights = NDArray[np.uint16] | NDArray[np.uint32] | BlockwiseWeights

#: curve points that are computed at once, to bound memory and to stay in the cache
POINTS = 256
#: Up to _KEPT weights (problems times replicates, 60 MB), the last matrix is cached; up to _SMALL weights, some 4 MB,
#: the last eight matrices are.
_KEPT, _SMALL = 30_000_000, 2_000_000
#: below this many effective problems an interval is stretched; chosen by simulation, see docs/estimators.md
FEW = 10


def bootstrap_weights(
    problems: int, replicates: int = 10_000, seed: int = 0
) -> NDArray[np.uint16] | NDArray[np.uint32]:
    """How often each replicate draws each problem: `problems` draws with replacement. All models share one matrix.

    Returns:
        Whole numbers, shape (replicates, problems), equal for equal seeds; every row adds up to `problems`.
    """
    _check_sizes(problems, replicates)
    kind = np.uint16 if problems <= np.iinfo(np.uint16).max else np.uint32
    weights = np.empty((replicates, problems), dtype=kind)
    start = 0
    for block in problem_blocks(problems, replicates, seed):
        weights[start : start + len(block)] = block
        start += len(block)
    return weights


def weights_of(problems: int, replicates: int = 10_000, seed: int = 0) -> Weights:
    """The weights of `bootstrap_weights`, read-only.

    For many problems, the result is a `BlockwiseWeights`, which computes weights only when they are needed.
    """
    _check_sizes(problems, replicates)
    if not held(problems, replicates):
        return BlockwiseWeights(problems, replicates, seed)
    size = problems * replicates
    make = _read_only if size > _KEPT else _kept if size > _SMALL else _kept_small
    return make(problems, replicates, seed)


def _read_only(problems: int, replicates: int, seed: int) -> NDArray[np.uint16] | NDArray[np.uint32]:
    weights = bootstrap_weights(problems, replicates, seed)
    weights.flags.writeable = False
    return weights


_kept, _kept_small = lru_cache(maxsize=1)(_read_only), lru_cache(maxsize=8)(_read_only)


def _check_sizes(problems: int, replicates: int) -> None:
    if problems < 1 or replicates < 1:
        raise InputError(f"a bootstrap needs problems and replicates; got {problems} and {replicates}")


def bootstrap_curve(curves: ArrayLike, weights: Weights, level: float = 0.95) -> tuple[Floats, Floats]:
    """Interval, over problems, of mean success at each point.

    It is the percentile interval, stretched where few problems decide.

    Args:
        curves: shape (problems, points): success of each problem at each k or budget, in [0, 1].
        weights: from `bootstrap_weights`, shape (replicates, problems).
        level: between 0 and 1.

    Returns:
        Low and high, each of shape (points,). NaN where a column holds NaN, and for fewer than two problems.

    Raises:
        InputError: success outside [0, 1], shapes that do not fit, or too few replicates for the level.
    """
    success = np.asarray(curves, dtype=np.float64)
    if success.min(initial=0.0) < -1e-9 or success.max(initial=1.0) > 1 + 1e-9:
        raise InputError("success lies in [0, 1]; for other quantities use bootstrap_mean")
    low, high = bootstrap_mean(success, weights, level)
    few = np.minimum(effective_problems(success), effective_problems(1.0 - success)) < FEW
    return stretched(low, high, few, success.mean(axis=0), len(success), level)


def stretched(
    low: Floats, high: Floats, few: NDArray[np.bool_], mean: Floats, problems: int, level: float
) -> tuple[Floats, Floats]:
    """The interval of mean success, stretched to Wilson's where `few` problems decide; arrays of shape (points,)."""
    wilson_low, wilson_high = _wilson(mean, problems, level)
    low, high = np.where(few, np.minimum(low, wilson_low), low), np.where(few, np.maximum(high, wilson_high), high)
    # rounding of the replicates may leave [0, 1] by a hair, which would be shown as -0.0
    return np.clip(low, 0.0, 1.0) + 0.0, np.clip(high, 0.0, 1.0)


def bootstrap_difference(
    curves: ArrayLike, others: ArrayLike, weights: Weights, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Paired interval of the mean of `curves - others`: two models on the same problems, column by column.

    Each column must be at the same budget for both models. Where few problems tell the models apart, the wins of each
    model get a Wilson interval, and the two intervals are combined by squares (as Newcombe 1998 does with paired
    proportions).
    Shapes and errors are as in `bootstrap_curve`.
    """
    one, other = np.asarray(curves, dtype=np.float64), np.asarray(others, dtype=np.float64)
    if one.shape != other.shape:
        raise InputError(f"two models must be on the same problems and budgets; got {one.shape} and {other.shape}")
    difference = one - other
    if np.abs(difference).max(initial=0.0) > 1 + 1e-9:
        raise InputError("success lies in [0, 1]; for other quantities use bootstrap_mean of the difference")
    low, high = bootstrap_mean(difference, weights, level)
    few_low, few_high = newcombe_difference(difference, level)
    few = effective_problems(difference) < FEW
    return np.where(few, np.minimum(low, few_low), low), np.where(few, np.maximum(high, few_high), high)


def newcombe_difference(difference: Floats, level: float) -> tuple[Floats, Floats]:
    """Interval of the mean of a paired difference, by Wilson's intervals of wins and of losses (Newcombe 1998).

    Args:
        difference: shape (problems, points), in [-1, 1].
        level: between 0 and 1.

    Returns:
        Low and high, each of shape (points,).
    """
    won, lost = np.maximum(difference, 0.0).mean(axis=0), np.maximum(-difference, 0.0).mean(axis=0)
    (won_low, won_high), (lost_low, lost_high) = (_wilson(part, len(difference), level) for part in (won, lost))
    low = won - lost - np.hypot(won - won_low, lost_high - lost)
    return low, won - lost + np.hypot(won_high - won, lost - lost_low)


def bootstrap_mean(values: ArrayLike, weights: Weights, level: float = 0.95) -> tuple[Floats, Floats]:
    """Percentile interval, over problems, of the mean of each column of any quantity: success, cost, a difference.

    The levels are those of `widened_tail`. Replicates are held in float32 as deviations from the mean: their rounding,
    some 1e-7 of the spread, is far below the noise of 10,000 replicates. Arguments and errors are as in
    `bootstrap_curve`.
    """
    matrix = np.asarray(values, dtype=np.float64)
    replicates, problems = weights.shape
    if matrix.ndim != 2 or matrix.shape[0] != problems:
        raise InputError(f"curves must have shape ({problems}, points) to fit the weights, got {matrix.shape}")
    low, high = np.full((2, matrix.shape[1]), np.nan)
    if problems < 2:
        return low, high
    tail = tail_places(replicates, problems, level)
    centre = matrix.mean(axis=0)
    deviations = _deviations_of(weights, compared=False)
    buffer = np.empty((POINTS, replicates), dtype=np.float32)
    for start in range(0, matrix.shape[1], POINTS):
        points = slice(start, start + POINTS)
        means = deviations(matrix[:, points], buffer)
        # With vector instructions a full sort of a row that fits the cache is faster than a selection.
        means.sort(axis=1)
        low[points], high[points] = centre[points] + means[:, tail - 1], centre[points] + means[:, replicates - tail]
    return low, high


def check_level(level: float) -> None:
    """Raise `InputError` unless the level lies between 0 and 1."""
    if not 0 < level < 1:
        raise InputError(f"the level of intervals lies between 0 and 1, such as 0.95, not {level!r}")


def tail_places(replicates: int, problems: int, level: float) -> int:
    """The place of the interval's ends among the sorted replicates, counted from either end: 1 is the outermost.

    Raises:
        InputError: too few replicates for the level.
    """
    check_level(level)
    if (replicates + 1) * (1 - level) / 2 < 1:
        raise InputError(f"{replicates} replicates are too few for level {level}; draw more")
    return max(math.floor((replicates + 1) * widened_tail(problems, level)), 1)


def mean_replicates(values: Floats, weights: Weights) -> NDArray[np.float32]:
    """The deviation of each replicate's mean of each column from the mean of the data.

    Args:
        values: shape (problems, points).
        weights: from `bootstrap_weights`, shape (replicates, problems).

    Returns:
        Shape (points, replicates), NaN where a column holds NaN.
    """
    replicates, points = np.empty((values.shape[1], len(weights)), dtype=np.float32), values.shape[1]
    deviations = _deviations_of(weights)
    # what is not held is drawn once for all points, since they are compared
    step = points if isinstance(weights, BlockwiseWeights) else POINTS
    for start in range(0, points, step):
        deviations(values[:, start : start + step], replicates[start : start + step])
    return replicates


def weighted_means(matrices: Sequence[Floats], weights: Weights) -> list[Floats]:
    """The mean of every column in every replicate, of several matrices of shape (problems, points), paired.

    Returns:
        For each matrix, shape (replicates, points).
    """
    if isinstance(weights, BlockwiseWeights):
        ends = np.cumsum([matrix.shape[1] for matrix in matrices])[:-1]
        return np.split(weights.means(np.concatenate(matrices, axis=1)), ends, axis=1)
    shares = weights.astype(np.float64) / weights.shape[1]
    return [shares @ matrix for matrix in matrices]


#: takes values of shape (problems, points) and a buffer; returns the replicates' means less the mean of the data, shape
#: (points, replicates), in the buffer's first rows
_Deviations = Callable[[Floats, NDArray[np.float32]], NDArray[np.float32]]


def _deviations_of(weights: Weights, *, compared: bool = True) -> _Deviations:
    def of_blocks(values: Floats, buffer: NDArray[np.float32], weights: BlockwiseWeights) -> NDArray[np.float32]:
        out = buffer[: values.shape[1]]
        means = weights.means if compared else weights.means_apart
        out[:] = means(values - values.mean(axis=0), np.float32).T
        return out

    def of_matrix(values: Floats, buffer: NDArray[np.float32], shares: NDArray[np.float32]) -> NDArray[np.float32]:
        deviations = np.ascontiguousarray((values - values.mean(axis=0)).T, dtype=np.float32)
        return np.matmul(deviations, shares, out=buffer[: len(deviations)])

    if isinstance(weights, BlockwiseWeights):
        return partial(of_blocks, weights=weights)
    return partial(of_matrix, shares=_shares(weights))


def effective_problems(values: ArrayLike) -> Floats:
    """The number of problems on which a mean rests: (sum |v|)^2 / sum v^2 per column (Kish); 0 where all are 0.

    For success, it is the number of problems that carry the passes. For 1 - success, it is the number of those that
    carry the failures.

    Args:
        values: shape (problems, points).

    Returns:
        Shape (points,), between 0 and the number of problems.
    """
    size = np.abs(np.asarray(values, dtype=np.float64))
    squares = np.sum(size**2, axis=0)
    return np.asarray(np.sum(size, axis=0) ** 2 / np.where(squares == 0, 1.0, squares))


def widened_tail(problems: int, level: float) -> float:
    """The share of replicates to leave out at either end, less than (1 - level) / 2 for few problems.

    The plain percentile interval of a mean is too short for two reasons: replicates spread by sqrt((P-1)/P) too little,
    and it uses the normal distribution instead of Student's t. The tail Phi(-t sqrt(P/(P-1))) corrects both (Hesterberg
    2015, "What Teachers Should Know About the Bootstrap", on expanded percentile intervals). t is `student_limit`.
    """
    return NormalDist().cdf(-student_limit(problems, level) * math.sqrt(problems / (problems - 1)))


def student_limit(problems: int, level: float) -> float:
    """Two-sided limit of Student's t with problems - 1 degrees of freedom, by its expansion in 1 / (problems - 1)."""
    check_level(level)
    z, freedom = -NormalDist().inv_cdf((1 - level) / 2), problems - 1
    expansion = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return float(z + sum(term / freedom**power for power, term in enumerate(expansion, start=1)))


def fixed_benchmark_variance(n: ArrayLike, c: ArrayLike, k: ArrayLike) -> Floats:
    """Variance of mean pass@k over other samples of the same problems: sum of r_k^2 - r_2k over problems, / problems^2.

    Args:
        n: samples per problem, one number or shape (problems,).
        c: samples that passed, shape (problems,).
        k: one number or shape (K,), at least 1.

    Returns:
        Variances of the shape of k, never negative; NaN where 2k exceeds some n, since no unbiased estimate exists.
    """
    draws = np.asarray(k, dtype=np.int64)
    if draws.size == 0:
        return np.zeros(draws.shape)
    if draws.min() < 1:
        raise InputError(f"k must be 1 or more, got {draws.min()}")
    r = failure_curve(n, c, 2 * int(draws.max()))
    if not len(r):
        return np.full(draws.shape, np.nan)[()]
    variances = np.maximum(r[:, draws - 1] ** 2 - r[:, 2 * draws - 1], 0.0)
    return np.asarray(variances.sum(axis=0) / len(r) ** 2)[()]


def fixed_benchmark_interval(n: ArrayLike, c: ArrayLike, k: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Normal interval of mean pass@k over other samples of the same problems, cut to [0, 1]. NaN where 2k > n."""
    draws = np.asarray(k, dtype=np.int64)
    reach = -NormalDist().inv_cdf((1 - level) / 2) * np.sqrt(fixed_benchmark_variance(n, c, draws))
    centre = 1.0 - failure_curve(n, c, int(draws.max()))[:, draws - 1].mean(axis=0)
    return np.maximum(centre - reach, 0.0), np.minimum(centre + reach, 1.0)


def _wilson(mean: Floats, problems: int, level: float) -> tuple[Floats, Floats]:
    """Wilson's score interval of a proportion. It is rather too long for values strictly between 0 and 1."""
    z = -NormalDist().inv_cdf((1 - level) / 2)
    mean = np.clip(mean, 0.0, 1.0)
    centre = (mean + z * z / (2 * problems)) / (1 + z * z / problems)
    reach = z / (1 + z * z / problems) * np.sqrt(mean * (1 - mean) / problems + (z / (2 * problems)) ** 2)
    return np.maximum(centre - reach, 0.0), np.minimum(centre + reach, 1.0)


def _shares(weights: NDArray[np.unsignedinteger]) -> NDArray[np.float32]:
    """Each problem's share in each replicate, shape (problems, replicates)."""
    shares = weights.T.astype(np.float32)
    shares /= weights.shape[1]
    return shares
