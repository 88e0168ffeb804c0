"""Two models at the same budget: the paired difference, its interval, and the smallest detectable one.

See `statistics.power`. The part of a difference that is due to chance in the samples can be estimated only for pass@k
up to half the recorded samples of both models. Elsewhere it is NaN, and nothing is claimed about more samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isobudget.curves.curve import TESTS, Bootstrap, Curve
from isobudget.statistics.intervals import bootstrap_difference
from isobudget.statistics.power import Power, paired_power, sampling_variance

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Difference:
    """Two models at one budget.

    Attributes:
        budget: per problem.
        model, other: labels; the difference is the success of `model` less that of `other`.
        k, k_other: samples that the budget pays for.
        difference: in [-1, 1].
        low, high: its paired interval over problems, for this pair and budget alone.
        power: which difference this comparison can detect.
        capped: whether one of the two models has fewer samples than the budget pays for.
    """

    budget: float
    model: str
    other: str
    k: int
    k_other: int
    difference: float
    low: float
    high: float
    power: Power
    capped: bool

    @property
    def clear(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0 or self.high < 0


def differences(cheap: Curve, dear: Curve, budgets: Sequence[float], bootstrap: Bootstrap) -> tuple[Difference, ...]:
    """The success of the more expensive model less the cheaper one's, at each budget that buys a sample of both.

    Empty if there is only one problem.
    """
    problems = len(cheap.task_ids)
    points = [(cheap.at(budget), dear.at(budget)) for budget in budgets]
    points = [pair for pair in points if all(point.k for point in pair)]
    if problems < 2 or not points:
        return ()
    one, other = (
        np.stack([curve.matrix[:, pair[at].k - 1] for pair in points], axis=1) for at, curve in enumerate((cheap, dear))
    )
    low, high = bootstrap_difference(other, one, bootstrap.weights(problems), bootstrap.level)
    return tuple(
        Difference(
            of_cheap.budget,
            dear.label,
            cheap.label,
            of_dear.k,
            of_cheap.k,
            float((other - one)[:, at].mean()),
            float(low[at]),
            float(high[at]),
            paired_power((other - one)[:, at], _noise(cheap, of_cheap.k) + _noise(dear, of_dear.k), bootstrap.level),
            of_cheap.capped or of_dear.capped,
        )
        for at, (of_cheap, of_dear) in enumerate(points)
    )


def _noise(curve: Curve, k: int) -> Floats:
    """Variance of each problem's success over its samples, shape (problems,); NaN where it cannot be estimated."""
    if curve.selection != TESTS or 2 * k > curve.k_max:
        return np.full(len(curve.task_ids), math.nan)
    return sampling_variance(1.0 - curve.matrix[:, k - 1], 1.0 - curve.matrix[:, 2 * k - 1])
