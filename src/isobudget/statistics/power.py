"""The smallest difference between two models that a benchmark can detect, and how much more data would be needed.

Each of P problems gives a difference d_i = a_i - b_i of the models' success, with one variance over problems,

    S^2 = B + W,      B: the true difference varies between problems,      W: chance of the samples within a problem

and the mean has the standard error sqrt(S^2 / P). More problems lower the error of both parts, more samples only that
of W. The variance of 1 - r_k over samples is estimated without bias by r_k^2 - r_2k (see `intervals`), so W is known
where 2k <= n for both models, and B is the rest of S^2. With m times the samples, W becomes W / m to first order. (In
fact it becomes a little less, since the higher orders fall faster, so that the stated need is rather too high than too
low.)

A difference is detected with power 1 - beta if it is z_beta standard errors above the limit of the test at its level,

    detectable = (t_level + z_power) sqrt((B + W) / P)

with Student's t of P - 1 degrees of freedom. Where fewer than about ten problems tell the models apart this is rough.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isobudget.errors import InputError
from isobudget.statistics.intervals import student_limit

Floats = NDArray[np.float64]

#: the default power
POWER = 0.8


@dataclass(frozen=True, slots=True)
class Power:
    """What a paired comparison of two models can detect. Shares are in [0, 1], variances are per problem.

    Attributes:
        difference: mean of the first model's success less the second's.
        error: standard error of `difference` over problems and samples.
        between: variance of the true difference between problems, 0 or more; NaN if `within` is NaN.
        within: variance of a problem's difference by the chance of its samples; NaN if it cannot be estimated.
        detectable: the smallest true difference that is detected with the requested power.
        problems: how many such problems, with as many samples each, would detect a true difference as large as
            `difference`; infinite if `difference` is 0.
        samples: by what factor the samples of each problem must grow to detect such a difference on these problems; 1
            or less if the present ones suffice, infinite if no number does, NaN if `within` is NaN.
    """

    difference: float
    error: float
    between: float
    within: float
    detectable: float
    problems: float
    samples: float


def paired_power(difference: ArrayLike, within: ArrayLike, level: float = 0.95, power: float = POWER) -> Power:
    """The power of a paired comparison of two models, from their differences on the same problems.

    Args:
        difference: of success, first less second model; shape (problems,), two or more.
        within: unbiased estimate of each difference's variance over samples, shape (problems,); NaN if not known.
        level: of the two-sided test.
        power: share of trials in which a true difference of the detectable size is detected.

    Raises:
        InputError: fewer than two problems, or a power outside (0, 1).
    """
    differences = np.asarray(difference, dtype=np.float64)
    problems = len(differences)
    if problems < 2:
        raise InputError("the power of a comparison needs two problems or more")
    if not 0 < power < 1:
        raise InputError(f"a power lies between 0 and 1, such as 0.8; got {power}")
    mean, total = float(differences.mean()), float(differences.var(ddof=1))
    chance = float(np.asarray(within, dtype=np.float64).mean())
    noise = math.nan if math.isnan(chance) else min(max(chance, 0.0), total)
    reach = student_limit(problems, level) + NormalDist().inv_cdf(power)
    error = math.sqrt(total / problems)
    return Power(
        difference=mean,
        error=error,
        between=total - noise,
        within=noise,
        detectable=reach * error,
        problems=problems * (reach * error / mean) ** 2 if mean else math.inf,
        samples=_times(problems * (mean / reach) ** 2 - (total - noise), noise),
    )


def _times(left: float, noise: float) -> float:
    """The factor by which samples must grow until `noise`, their part of the variance, is at most `left`."""
    if math.isnan(noise):
        return math.nan
    return noise / left if left > 0 else math.inf


def sampling_variance(failure: ArrayLike, failure_twice: ArrayLike) -> Floats:
    """Unbiased estimate of the variance of r_k over samples, r_k^2 - r_2k, of each problem; it may be negative.

    Args:
        failure: r_k, shape (problems,).
        failure_twice: r_2k of the same problems.
    """
    return np.asarray(np.square(failure) - np.asarray(failure_twice))
