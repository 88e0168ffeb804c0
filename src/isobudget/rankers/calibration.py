"""Calibration: how well a ranker can predict whether the sample that it chooses is right.

The ranker's signal is its score of the sample that it chooses among k, or the share of the drawn samples that agree
with that sample. A rising step function turns the signal into a probability. It is fitted by isotonic regression on
other problems (cross-fitted by problem), so that no problem is predicted from itself. Only chosen samples are fitted
and predicted, each weighed by its chance to be the chosen one of k. Thus the likeliest of many samples is compared with
the likeliest of many samples of other problems.

    Brier = mean (p - right)^2          reference: p is the mean share right of the other problems, whatever the signal
    ECE   = sum over bins |mean p - share right| x weight of the bin     (10 bins of equal width; Guo et al. 2017)

All problems have equal weight. A single problem cannot be cross-fitted: its results are NaN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isobudget.rankers.base import Floats

BINS = 10
FOLDS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """The samples of one problem that a ranker may choose among k.

    Attributes:
        signal: shape (m,), the ranker's score of each; higher is better, NaN if it has none.
        right: shape (m,), the chance that each is right: in [0, 1], since a choice may be a tie of several samples.
        weight: shape (m,), chance of each to be the choice; adds up to 1.
    """

    signal: Floats
    right: Floats
    weight: Floats


@dataclass(frozen=True, slots=True)
class Bin:
    """One row of a reliability table.

    Attributes:
        low, high: the row holds the predictions in [low, high).
        predicted: mean of these predictions.
        right: share of the predicted samples that are right.
        weight: weight of the row.
    """

    low: float
    high: float
    predicted: float
    right: float
    weight: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """How well the probabilities of chosen samples match their verdicts.

    Attributes:
        k: number of samples drawn.
        brier, brier_reference: see the module.
        ece: expected calibration error.
        bins: the bins that are not empty.
        problems: number of problems that were predicted.
    """

    k: int
    brier: float
    brier_reference: float
    ece: float
    bins: tuple[Bin, ...]
    problems: int


def isotonic(signal: Floats, target: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Weighted isotonic regression: the rising step function with the least squared error (pool adjacent violators).

    Targets of equal signals are averaged first, because a signal has one value. Arguments have shape (m,) and are
    finite, with weights above 0. Returns the highest signal of each step, in rising order, and the value of each step.
    """
    levels, place = np.unique(signal, return_inverse=True)
    masses = np.bincount(place, weights=weight)
    means = np.bincount(place, weights=weight * target) / masses
    steps: list[list[float]] = []
    for level in zip(levels.tolist(), means.tolist(), masses.tolist(), strict=True):
        steps.append(list(level))
        while len(steps) > 1 and steps[-2][1] >= steps[-1][1]:
            end, value, mass = steps.pop()
            _, below, below_mass = steps[-1]
            total = mass + below_mass
            steps[-1] = [end, (value * mass + below * below_mass) / total, total]
    return np.array([step[0] for step in steps]), np.array([step[1] for step in steps])


def calibrate(problems: Sequence[Chosen], k: int, folds: int = FOLDS) -> Calibration:
    """Cross-fit, and compare the predictions with the samples' verdicts.

    Problem i is in fold i mod `folds`, and is predicted from all other folds. `k`, the number of samples drawn, is only
    recorded.
    """
    folds = min(folds, len(problems))
    if folds < 2:
        return Calibration(k, math.nan, math.nan, math.nan, (), 0)
    fold = np.arange(len(problems)) % folds
    predicted, reference = [], []
    fits = [_fit([one for one, at in zip(problems, fold, strict=True) if at != out]) for out in range(folds)]
    for one, at in zip(problems, fold, strict=True):
        ends, values, unknown, base = fits[at]
        known = ~np.isnan(one.signal)
        guess = np.full(len(one.signal), unknown)
        if len(ends):  # above the last end, the last step
            guess[known] = values[np.minimum(np.searchsorted(ends, one.signal[known]), len(ends) - 1)]
        predicted.append(guess)
        reference.append(np.full(len(one.signal), base))
    right = np.concatenate([one.right for one in problems])
    weight = np.concatenate([one.weight for one in problems]) / len(problems)
    guesses = np.concatenate(predicted)
    bins = _bins(guesses, right, weight)
    ece = sum(one.weight * abs(one.predicted - one.right) for one in bins)
    # E (p - right)^2 where a tie's mean success stands for its members: the variance within it is part of both
    squares = [right * (1 - p) ** 2 + (1 - right) * p**2 for p in (guesses, np.concatenate(reference))]
    brier, base = (float(weight @ values) for values in squares)
    return Calibration(k, brier, base, float(ece), bins, len(problems))


def _fit(problems: Sequence[Chosen]) -> tuple[Floats, Floats, float, float]:
    """The ends and values of the steps, the probability of samples without a signal, and the mean over all samples."""
    signal, right, weight = (
        np.concatenate([getattr(one, name) for one in problems]) for name in ("signal", "right", "weight")
    )
    base = float(np.average(right, weights=weight)) if weight.sum() > 0 else math.nan
    known = ~np.isnan(signal) & (weight > 0)
    ends, values = isotonic(signal[known], right[known], weight[known]) if known.any() else (np.zeros(0), np.zeros(0))
    rest = np.isnan(signal) & (weight > 0)
    unknown = float(np.average(right[rest], weights=weight[rest])) if rest.any() else base
    return ends, values, unknown, base


def _bins(guess: Floats, right: Floats, weight: Floats) -> tuple[Bin, ...]:
    place = np.minimum((guess * BINS).astype(np.int64), BINS - 1)
    bins = []
    for at in range(BINS):
        held = (place == at) & (weight > 0)
        mass = float(weight[held].sum())
        if mass > 0:
            mean_guess, mean_right = (float(np.average(row[held], weights=weight[held])) for row in (guess, right))
            bins.append(Bin(at / BINS, (at + 1) / BINS, mean_guess, mean_right, mass))
    return tuple(bins)
