"""Rank-score@k: the chance that the best-scored of k random samples is right, when no test may choose.

With the n samples of a problem in rank order, best first, and pass_i 1 if the one at place i passed:

    rank-score@k = sum_{i=1}^{n-k+1} w_ki pass_i,    w_ki = C(n-i, k-1) / C(n, k)        (the paper, section 2)

By recurrence w_k1 = k/n, w_k,i+1 = w_ki (n-i-k+1) / (n-i): no binomial is ever formed, so nothing overflows. Whole
curves are a matrix of weights times the samples in rank order. As the formula is linear, samples with equal scores in
random order get their exact expectation when each of them is replaced by the mean of its group.

The formula holds only for a score that each sample has by itself, whichever others were drawn: hence `SampleScores`.
For selectors that look at the whole set (majority, agreement), see `isobudget.statistics.prefixes`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isobudget.errors import InputError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: number of k whose weights, and of problems whose samples, are computed at once: sized for the processor's cache
BLOCK = 64
#: weights that add up to less than this are left out of a curve
NEGLIGIBLE = 1e-20


@dataclass(frozen=True, slots=True, eq=False)
class SampleScores:
    """A score of each sample that does not depend on which others were drawn, such as its mean log-probability.

    Attributes:
        higher_is_better: float64, shape (n,) or (problems, n). Infinities are allowed; NaN only for discarded samples.

    Use `SampleScores.lower_is_better` for losses. A selector that looks at the whole set has no
    `SampleScores`: the sample that it chooses from k is not the best-ranked of the k, so rank-score@k would be wrong.
    """

    higher_is_better: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "higher_is_better", np.asarray(self.higher_is_better, dtype=np.float64))

    @classmethod
    def lower_is_better(cls, values: ArrayLike) -> Self:
        """Create from values where less is better: a mean negative log-likelihood, as in the paper, section 5."""
        return cls(-np.asarray(values, dtype=np.float64))


def rank_score_at_k(passed_in_rank_order: ArrayLike, k: int) -> float:
    """Rank-score@k of one problem (the paper, section 2).

    Args:
        passed_in_rank_order: shape (n,), best-ranked first; 0 or 1, or the mean of its tie group.
        k: at least 1.

    Returns:
        The chance that the best-ranked of k random samples is right; NaN where k > n.
    """
    places = np.asarray(passed_in_rank_order, dtype=np.float64)
    if places.ndim != 1 or k < 1:
        raise InputError(f"rank-score@k needs one row of samples and k of 1 or more; got shape {places.shape}, k = {k}")
    if k > len(places):
        return math.nan
    weights = _weights(len(places), k, k, len(places))
    return float(weights[0] @ places)


def rank_score_curve(
    passed: ArrayLike,
    scores: SampleScores,
    discarded: ArrayLike | None = None,
    drop: bool = False,
    k_max: int | None = None,
) -> Floats:
    """Rank-score@k of one problem for k = 1..k_max, from samples in any order. See `rank_score_curves`.

    Args:
        passed: shape (n,).
        scores: of shape (n,).
        discarded, drop: as in `rank_score_curves`.
        k_max: by default n.

    Returns:
        Shape (k_max,).
    """
    rows = np.asarray(passed)[np.newaxis]
    marked = None if discarded is None else np.asarray(discarded)[np.newaxis]
    curve: Floats = rank_score_curves(rows, _one_row(scores), discarded=marked, drop=drop, k_max=k_max)[0]
    return curve


def rank_score_curves(
    passed: ArrayLike,
    scores: SampleScores,
    n: ArrayLike | None = None,
    discarded: ArrayLike | None = None,
    drop: bool = False,
    k_max: int | None = None,
) -> Floats:
    """Rank-score@k of many problems for k = 1..k_max, from samples in any order, ties by their exact expectation.

    Args:
        passed: shape (problems, n_max), whether each sample passed.
        scores: of the same shape.
        n: samples of each problem, shape (problems,); later entries of a row are ignored. By default n_max.
        discarded: same shape; samples that the ranker sets aside (in the paper, those cut off at the length limit).
            They rank after all others, as one tie group: they cost a draw, and are chosen only if nothing else was.
        drop: leave discarded samples out altogether, as the paper words it. n and k then count kept samples only, so a
            model that is often cut off looks better than it is.
        k_max: by default n_max.

    Returns:
        Shape (problems, k_max); NaN where k exceeds the problem's n (with `drop`: its kept samples).

    Raises:
        InputError: shapes that do not fit, or a kept sample whose score is NaN.
        TypeError: scores that are not `SampleScores`.
    """
    right = np.asarray(passed).astype(np.float64)
    values, held, kept = _masks(right, scores, n, discarded)
    places = _in_rank_order(right, values, held, kept)
    width = (kept if drop else held).sum(axis=1)
    k_max = right.shape[1] if k_max is None else k_max
    curves = np.full((len(right), k_max), np.nan)
    for size in np.unique(width[width > 0]):
        rows = np.flatnonzero(width == size)
        curves[rows, : min(size, k_max)] = _curves_of_size(places[rows, :size], min(int(size), k_max))
    return curves


def pad(lists: Sequence[Sequence[float]]) -> tuple[Floats, NDArray[np.int64]]:
    """Lists of unequal length as one matrix (rows, longest), filled with 0 after their ends, and the lists' lengths."""
    lengths = np.array([len(row) for row in lists], dtype=np.int64)
    matrix = np.zeros((len(lists), int(lengths.max(initial=0))))
    for row, values in zip(matrix, lists, strict=True):
        row[: len(values)] = values
    return matrix, lengths


def _one_row(scores: SampleScores) -> SampleScores:
    _must_be_scores(scores)
    return SampleScores(scores.higher_is_better[np.newaxis])


def _must_be_scores(scores: object) -> None:
    if not isinstance(scores, SampleScores):
        raise TypeError(
            "rank-score needs SampleScores, a score per sample that does not depend on the others drawn, not "
            f"{type(scores).__name__}. Wrap an array in SampleScores(higher_is_better=...) or "
            "SampleScores.lower_is_better(...); for a selector that looks at the whole set use "
            "isobudget.statistics.prefixes.prefix_curve."
        )


def _masks(
    right: Floats, scores: SampleScores, n: ArrayLike | None, discarded: ArrayLike | None
) -> tuple[Floats, Bools, Bools]:
    """Scores, which entries are samples, and which of these are not discarded; all of shape (problems, n_max)."""
    _must_be_scores(scores)
    values = scores.higher_is_better
    sizes = np.full(len(right), right.shape[-1]) if n is None else np.asarray(n)
    aside = np.zeros(right.shape, dtype=bool) if discarded is None else np.asarray(discarded, dtype=bool)
    if right.ndim != 2 or values.shape != right.shape or aside.shape != right.shape or sizes.shape != right.shape[:1]:
        raise InputError(
            "passed, scores and discarded must have the same shape (problems, n_max), and n must have the shape "
            f"(problems,); got {right.shape}, {values.shape} and {aside.shape}, and n of shape {sizes.shape}"
        )
    if np.any(sizes > right.shape[1]) or np.any(sizes < 0):
        raise InputError(f"n must lie between 0 and {right.shape[1]}, the width of the matrix")
    held = np.arange(right.shape[1]) < sizes[:, np.newaxis]
    kept = held & ~aside
    undefined = np.argwhere(kept & np.isnan(values))
    if len(undefined):
        problem, sample = undefined[0]
        raise InputError(f"sample {sample} of problem {problem} has no score (NaN); give one, or mark it as discarded")
    return values, held, kept


def _in_rank_order(right: Floats, values: Floats, held: Bools, kept: Bools) -> Floats:
    """The success of the samples, best-ranked first, each as the mean of its tie group.

    Discarded samples follow as one group, then padding.
    """
    places = np.empty_like(right)
    for start in range(0, len(right), BLOCK):
        rows = slice(start, start + BLOCK)
        keys = np.where(kept[rows], -values[rows], np.nan)
        order = np.argsort(keys, axis=1) + right.shape[1] * np.arange(len(keys))[:, np.newaxis]
        places[rows] = _tie_means(right[rows].ravel().take(order), keys.ravel().take(order))
    if kept.all():
        return places
    aside = held & ~kept
    mean_aside = np.sum(right * aside, axis=1) / np.maximum(aside.sum(axis=1), 1)
    behind = np.arange(right.shape[1]) >= kept.sum(axis=1)[:, np.newaxis]
    return np.where(behind, mean_aside[:, np.newaxis], places)


def _tie_means(places: Floats, keys: Floats) -> Floats:
    """Each entry of a row replaced by the mean over the entries with the same key; keys are sorted within rows."""
    first = np.ones(keys.shape, dtype=bool)
    np.not_equal(keys[:, 1:], keys[:, :-1], out=first[:, 1:])
    starts = np.flatnonzero(first)
    if len(starts) == keys.size:
        return places
    lengths = np.diff(starts, append=keys.size)
    return np.repeat(np.add.reduceat(places.ravel(), starts) / lengths, lengths).reshape(places.shape)


def _curves_of_size(places: Floats, k_max: int) -> Floats:
    """Rank-score@1..k_max of problems with equally many samples: (problems, n) to (problems, k_max).

    The places after the first i weigh C(n-i, k) / C(n, k) <= exp(-i k/n) together, so few places matter at large k.
    """
    n = places.shape[1]
    curves = np.empty((len(places), k_max))
    for first in range(1, k_max + 1, BLOCK):
        last = min(first + BLOCK - 1, k_max)
        width = min(n, math.ceil(-math.log(NEGLIGIBLE) * n / first))
        curves[:, first - 1 : last] = places[:, :width] @ _weights(n, first, last, width).T
    return curves


def _weights(n: int, k_first: int, k_last: int, width: int) -> Floats:
    """w_ki for k = k_first..k_last and places i = 1..width, shape (k's, width), by the recurrence over i."""
    k = np.arange(k_first, k_last + 1, dtype=np.float64)[:, np.newaxis]
    i = np.arange(1, width, dtype=np.float64)
    weights = np.empty((len(k), width))
    weights[:, :1] = k / n
    weights[:, 1:] = np.maximum(n - i - k + 1, 0.0) / (n - i)
    return np.multiply.accumulate(weights, axis=1, out=weights)
