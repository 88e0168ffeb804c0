"""All pairs of models at all pairs of sample counts, tested together: leads that hold at any price.

`winners` tests the models at fixed budgets. But a reader who varies prices and budgets may compare any k of one model
with any k of another. So the limit is taken over all of these differences at once,

    T* = max over pairs and over k_i, k_j of |D*_ij(k_i, k_j) - D_ij(k_i, k_j)| / s_ij(k_i, k_j),

in words: a lead that is clear by this limit is clear with all comparisons that a reader could make tested together.
This test is stricter than that of a table's row. As in `winners`, the limit is widened for few problems, and the
interval is stretched to Newcombe's where few problems decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from isobudget.statistics.intervals import Weights, mean_replicates
from isobudget.statistics.winners import difference_ends, limits_of

Floats = NDArray[np.float64]


def pair_intervals(success: Sequence[Floats], weights: Weights, level: float = 0.95) -> list[tuple[Floats, Floats]]:
    """Intervals of the lead of each pair's first model over its second one, at every two numbers of samples.

    Args:
        success: for each model, shape (problems, numbers of samples), the same problems in the same rows.
        weights: from `bootstrap_weights`, shape (replicates, problems).
        level: confidence that no clear lead is a false one.

    Returns:
        Low and high ends for each pair, in the order of `combinations`. Each has one row for every number of samples of
        the first model and one column for every number of the second. NaN for fewer than two problems.
    """
    problems, pairs = len(success[0]), list(combinations(range(len(success)), 2))
    if problems < 2:
        shapes = [(success[one].shape[1], success[other].shape[1]) for one, other in pairs]
        return [(np.full(shape, np.nan), np.full(shape, np.nan)) for shape in shapes]
    replicates = [mean_replicates(matrix, weights) for matrix in success]
    largest = np.zeros(len(weights), dtype=np.float32)
    errors = [_spread(replicates[one], replicates[other], largest) for one, other in pairs]
    limits = limits_of(largest[np.newaxis], problems, level)
    return [
        _ends(success[one], success[other], error, limits) for (one, other), error in zip(pairs, errors, strict=True)
    ]


def _spread(one: NDArray[np.float32], other: NDArray[np.float32], largest: NDArray[np.float32]) -> Floats:
    """Standard errors of all differences of two models.

    In each replicate, `largest` is raised to the largest standardized difference.
    """
    errors = np.empty((len(one), len(other)))
    for at, own in enumerate(one):
        moved = own - other
        errors[at] = moved.std(axis=1)
        scale = np.where(errors[at] > 0, errors[at], np.inf).astype(np.float32)
        np.fmax(largest, (np.abs(moved) / scale[:, np.newaxis]).max(axis=0), out=largest)
    return errors


def _ends(one: Floats, other: Floats, errors: Floats, limits: Floats) -> tuple[Floats, Floats]:
    """The ends of every difference of two models, computed row by row to save memory."""
    bounds = np.repeat(limits, errors.shape[1], axis=1)
    ends = [difference_ends(one[:, at, np.newaxis] - other, error, bounds) for at, error in enumerate(errors)]
    return np.stack([low for low, _ in ends]), np.stack([high for _, high in ends])
