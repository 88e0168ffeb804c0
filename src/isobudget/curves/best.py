"""The best model at each budget, and the models that are clearly worse.

Of models with equal success, the one that reaches it at the smaller total cost is the best. A model counts as clearly
worse only if the difference is clear with all models tested together (see `statistics.winners`) and its recorded
samples suffice for the budget. Where no model solves anything there is no best one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isobudget.curves.curve import Bootstrap, Curve, Point
from isobudget.statistics.winners import Winner, best_per_budget

#: successes that differ by less are equal
EQUAL = 1e-12


@dataclass(frozen=True, slots=True)
class Best:
    """The best model at one budget.

    Attributes:
        budget: the budget per problem.
        model: label of the best model; None if no model affords a sample, or none solves anything at this budget.
        k, success, low, high: as in `Point`.
        clear_against: models that are clearly worse, all models of this budget judged together.
        unclear_against: models that afford a sample and are not clearly worse than `model`.
        capped: models that could afford more samples than were recorded.
        reason: why `model` is None, else empty.
        clear_at_all_budgets: models in `clear_against` that are also clearly worse when all budgets are tested
            together.
        exhausted: capped models whose success with all recorded samples is below `success`.
    """

    budget: float
    model: str | None
    k: int
    success: float
    low: float
    high: float
    clear_against: tuple[str, ...] = ()
    unclear_against: tuple[str, ...] = ()
    capped: tuple[str, ...] = ()
    reason: str = ""
    clear_at_all_budgets: tuple[str, ...] = ()
    exhausted: tuple[str, ...] = ()

    @property
    def affordable(self) -> tuple[str, ...]:
        """The models that afford a sample, the best first; none where there is no best one."""
        return () if self.model is None else (self.model, *self.clear_against, *self.unclear_against)


def best_at(curves: Sequence[Curve], budgets: Sequence[float], bootstrap: Bootstrap) -> tuple[Best, ...]:
    """The best of the curves, cheapest sample first, at each budget."""
    if not budgets:
        return ()
    points = {curve.label: [curve.at(budget) for budget in budgets] for curve in curves}
    success = {curve.label: _columns(curve, points[curve.label]) for curve in curves}
    spent = {curve.label: [curve.budget_to_reach(point.success) for point in points[curve.label]] for curve in curves}
    winners = best_per_budget(success, bootstrap.weights(len(curves[0].task_ids)), bootstrap.level, spent)
    rows = ({label: row[at] for label, row in points.items()} for at in range(len(budgets)))
    return tuple(_verdict(budget, winner, row) for budget, winner, row in zip(budgets, winners, rows, strict=True))


def _columns(curve: Curve, points: Sequence[Point]) -> NDArray[np.float64]:
    """Success of each problem at each budget, shape (problems, budgets); NaN where no sample is affordable."""
    k = np.array([point.k for point in points])
    return np.where(k > 0, curve.matrix[:, np.maximum(k, 1) - 1], math.nan)


def _verdict(budget: float, winner: Winner, points: dict[str, Point]) -> Best:
    capped = tuple(label for label, point in points.items() if point.capped)
    if winner.model is None:
        return Best(budget, None, 0, math.nan, math.nan, math.nan, reason="cannot afford one sample")
    if winner.success == 0:
        return Best(budget, None, 0, 0.0, winner.low, winner.high, capped=capped, reason="no model solves anything")
    # What a capped model would do with the rest of the budget is not known: it is never clearly worse.
    clear = tuple(label for label in winner.clear_against if label not in capped)
    unclear = (*winner.unclear_against, *(label for label in winner.clear_against if label in capped))
    k, everywhere = points[winner.model].k, tuple(label for label in winner.clear_in_table if label not in capped)
    ends = winner.success, winner.low, winner.high
    exhausted = tuple(label for label in capped if points[label].success < winner.success - EQUAL)
    return Best(budget, winner.model, k, *ends, clear, unclear, capped, "", everywhere, exhausted)
