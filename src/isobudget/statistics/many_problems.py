"""The bootstrap over very many problems, many of which are equal: a million problems in megabytes.

The mean of P problems drawn with replacement depends only on how often each distinct value is drawn, which follows a
multinomial distribution with P draws. The interval has the same distribution as that of `intervals.bootstrap_curve`,
but a seed gives other random numbers. If a column has more than 4,096 distinct values, they are first put into as many
bins, and each is replaced by the mean of its bin, which lowers the variance by at most (1 / 4,096)^2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isobudget.statistics.blockwise_weights import kind_blocks
from isobudget.statistics.intervals import FEW, stretched, tail_places

Floats = NDArray[np.float64]

#: most distinct values of a column, and number of replicates that are computed at once
_BINS, _REPLICATES = 4096, 256


def bootstrap_distinct(
    values: ArrayLike, problems: ArrayLike, replicates: int = 10_000, seed: int = 0, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Interval, over problems, of mean success at each point, each column by itself.

    Args:
        values: success in [0, 1] of each group of equal problems, shape (groups, points).
        problems: number of problems in each group, shape (groups,); two or more in all.
        replicates, seed, level: those of the bootstrap.

    Returns:
        Low and high, each of shape (points,); NaN where a column holds NaN.

    Raises:
        InputError: too few replicates for the level.
    """
    success, many = np.asarray(values, dtype=np.float64), np.asarray(problems, dtype=np.int64)
    whole, tail = int(many.sum()), tail_places(replicates, int(many.sum()), level)
    rng = np.random.default_rng(seed)
    low, high = np.full((2, success.shape[1]), np.nan)
    for at, column in enumerate(success.T):
        if not np.isnan(column).any():
            means = np.sort(_means(*_binned(column, many), replicates, rng))
            low[at], high[at] = means[tail - 1], means[replicates - tail]
    mean = many @ success / whole
    few = np.minimum(_effective(success, many), _effective(1.0 - success, many)) < FEW
    return stretched(low, high, few, mean, whole, level)


def _binned(column: Floats, many: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64]]:
    """The distinct values of a column, at most `_BINS`, and the number of problems that have each."""
    values, back = np.unique(column, return_inverse=True)
    if len(values) > _BINS:
        back = np.minimum((column * _BINS).astype(np.int64), _BINS - 1)
    counts = np.bincount(back.ravel(), weights=many)
    sums = np.bincount(back.ravel(), weights=many * column)
    held = counts > 0
    return sums[held] / counts[held], counts[held].astype(np.int64)


def _means(values: Floats, counts: NDArray[np.int64], replicates: int, rng: np.random.Generator) -> Floats:
    """Mean of each replicate, shape (replicates,)."""
    return np.concatenate(
        [block @ values / counts.sum() for block in kind_blocks(counts, replicates, rng, _REPLICATES)]
    )


def _effective(values: Floats, many: NDArray[np.int64]) -> Floats:
    """`intervals.effective_problems` of groups of equal problems."""
    squares = many @ values**2
    return np.asarray((many @ values) ** 2 / np.where(squares == 0, 1.0, squares))
