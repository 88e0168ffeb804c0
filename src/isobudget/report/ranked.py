"""Compares, without tests, a cheaper model's best-ranked sample with a more expensive model's greedy output.

For the price of the expensive model's greedy output, the cheap model affords k samples; the one with the highest
likelihood under the cheap model itself is chosen (rank-score@k, section 2.3 of the paper). The paper found that this
falls short of the expensive model's greedy output. Both models are measured on the same problems, so the interval of
the difference is paired.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from isobudget.analysis.compare_run import Greedy
from isobudget.costs.cost import Unit
from isobudget.curves import Comparison, Curve, Point
from isobudget.report.gather import BenchmarkSummary
from isobudget.statistics.intervals import bootstrap_difference


@dataclass(frozen=True, slots=True)
class RankedAgainstGreedy:
    """One pair of models, compared at the price of one greedy output of the more expensive one.

    Attributes:
        unit: unit of the budget.
        cheap, dear: names of the cheaper and the more expensive model.
        budget: cost of a greedy output of the expensive model, per problem.
        point: the cheap model's rank-score at that budget.
        greedy: success of the expensive model's greedy outputs.
        low, high: interval of `point.success - greedy`, NaN for a single problem.
    """

    unit: Unit
    cheap: str
    dear: str
    budget: float
    point: Point
    greedy: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """The result for the ranked samples: `better`, `worse` or `not clear`."""
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "not clear"


def against_greedy(summary: BenchmarkSummary) -> tuple[RankedAgainstGreedy, ...]:
    """Every pair in every unit in which the cheap model affords a sample; empty if nothing can be compared."""
    return tuple(pair for comparison in summary.by_likelihood.values() for pair in _pairs(comparison, summary.greedy))


def _pairs(comparison: Comparison, greedy: dict[str, Greedy]) -> Iterator[RankedAgainstGreedy]:
    for cheap, dear in combinations(comparison.curves, 2):
        if dear.model in greedy:
            pair = _pair(comparison, cheap, dear.model, greedy[dear.model])
            if pair.point.k > 0:
                yield pair


def _pair(comparison: Comparison, cheap: Curve, dear: str, greedy: Greedy) -> RankedAgainstGreedy:
    budget = greedy.cost[comparison.unit]
    point = cheap.at(budget)
    ranked = cheap.matrix[:, max(point.k, 1) - 1, np.newaxis]
    weights = comparison.bootstrap.weights(len(cheap.task_ids))
    outputs = greedy.passed[:, np.newaxis].astype(np.float64)
    low, high = bootstrap_difference(ranked, outputs, weights, comparison.bootstrap.level)
    ends = float(low[0]), float(high[0])
    return RankedAgainstGreedy(comparison.unit, cheap.model, dear, budget, point, greedy.success, *ends)
