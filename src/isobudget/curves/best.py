"""The best model at each budget, and against which others that is clear.

Ties go to the model with the cheaper sample. A model counts as clearly worse only if the paired interval of the
difference excludes 0 and its recorded samples suffice for the budget.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isobudget.curves.curve import Bootstrap, Curve, Point
from isobudget.statistics.winners import Winner, best_per_budget


@dataclass(frozen=True, slots=True)
class Best:
    """The best model at one budget.

    Attributes:
        budget: per problem.
        model: its label, None if the budget cannot afford one sample of any.
        k, success, low, high: as in `Point`.
        clear_against: models that are clearly worse.
        unclear_against: models that afford a sample and are not clearly worse.
        capped: models that could afford more samples than were recorded.
        reason: why `model` is None, else empty.
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


def best_at(curves: Sequence[Curve], budgets: Sequence[float], bootstrap: Bootstrap) -> tuple[Best, ...]:
    """The best of the curves, cheapest sample first, at each budget."""
    if not budgets:
        return ()
    points = {curve.label: [curve.at(budget) for budget in budgets] for curve in curves}
    success = {curve.label: _columns(curve, points[curve.label]) for curve in curves}
    winners = best_per_budget(success, bootstrap.weights(len(curves[0].task_ids)), bootstrap.level)
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
    # What a capped model would do with the rest of the budget is not known: it is never clearly worse.
    clear = tuple(label for label in winner.clear_against if label not in capped)
    unclear = (*winner.unclear_against, *(label for label in winner.clear_against if label in capped))
    k = points[winner.model].k
    return Best(budget, winner.model, k, winner.success, winner.low, winner.high, clear, unclear, capped)
