"""Models at equal budget: which is best at each, what each needs for a given success, and where the verdict turns.

All curves are on the same problems and in the same unit; budgets are per problem. Ties go to the model with the
cheaper sample. A model counts as clearly worse only if the paired interval of the difference excludes 0 and its
recorded samples suffice for the budget.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isobudget.costs.cost import Unit
from isobudget.curves.beyond import Beyond
from isobudget.curves.curve import Bootstrap, Curve, Point
from isobudget.curves.defaults import default_budgets, default_targets
from isobudget.curves.flips import Flip, find_flips
from isobudget.errors import InputError
from isobudget.grid import json_value
from isobudget.statistics.winners import Winner, best_per_budget

FloatArray = NDArray[np.float64]


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


@dataclass(frozen=True, slots=True)
class Reach:
    """What each model needs for a given success.

    Attributes:
        success: the target, in [0, 1].
        k: label -> fewest samples, None if the recorded ones do not reach it.
        budget: label -> their cost per problem, NaN if k is None.
    """

    success: float
    k: dict[str, int | None]
    budget: dict[str, float]

    @property
    def cheapest(self) -> str | None:
        """The model that gets there at least cost, None if none does."""
        reached = {label: budget for label, budget in self.budget.items() if not math.isnan(budget)}
        return min(reached, key=lambda label: reached[label]) if reached else None

    def saving(self, label: str) -> float:
        """How much of that model's cost the cheapest one saves, in [0, 1]; NaN if either does not get there."""
        return math.nan if self.cheapest is None else 1 - self.budget[self.cheapest] / self.budget[label]


@dataclass(frozen=True, slots=True)
class Crossing:
    """A budget at which one of two models takes the lead from the other."""

    budget: float
    leader: str
    other: str


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Models at equal budget on one benchmark.

    Attributes:
        benchmark: its name, empty if not stated.
        unit: of all costs and budgets.
        curves: cheapest sample first.
        budgets: rising, per problem.
        best: one per budget.
        flips: for every pair and every k of the dearer model.
        bootstrap: how the intervals were computed.
        notes: what a reader has to know, such as problems that were left out.
        beyond: guesses beyond the samples, where they were asked for; nothing else here rests on them.
    """

    benchmark: str
    unit: Unit
    curves: tuple[Curve, ...]
    budgets: tuple[float, ...]
    best: tuple[Best, ...]
    flips: tuple[Flip, ...]
    bootstrap: Bootstrap
    notes: tuple[str, ...] = ()
    beyond: tuple[Beyond, ...] = ()

    @property
    def stop(self) -> str:
        """When drawing stops, the same for all models: `fixed` or `first-pass`."""
        return self.curves[0].stop

    def curve(self, label: str) -> Curve:
        """The curve with that label.

        Raises:
            InputError: there is none.
        """
        for curve in self.curves:
            if curve.label == label:
                return curve
        raise InputError(f"no curve {label!r}; there are: {', '.join(curve.label for curve in self.curves)}")

    def points(self, budget: float) -> dict[str, Point]:
        """Every model at one budget, by label."""
        return {curve.label: curve.at(budget) for curve in self.curves}

    def reach(self, targets: Sequence[float] | None = None) -> tuple[Reach, ...]:
        """What each model needs for each success; by default round steps between the least and the best recorded."""
        chosen = default_targets(self.curves) if targets is None else targets
        return tuple(
            Reach(
                target,
                {curve.label: curve.k_to_reach(target) for curve in self.curves},
                {curve.label: curve.budget_to_reach(target) for curve in self.curves},
            )
            for target in chosen
        )

    def crossings(self, one: str, other: str) -> tuple[Crossing, ...]:
        """Every budget at which the lead changes between two models, as far as both have samples for it."""
        return find_crossings(self.curve(one), self.curve(other))

    def all_crossings(self) -> dict[tuple[str, str], tuple[Crossing, ...]]:
        """The crossings of every pair of models, cheaper sample first."""
        labels = [curve.label for curve in self.curves]
        return {pair: self.crossings(*pair) for pair in combinations(labels, 2)}

    def to_dict(self) -> dict[str, Any]:
        """Curves, verdicts and flips as plain values for JSON: NaN is None, success is in [0, 1]. See `plain`."""
        models = {
            curve.label: {
                "k": curve.k.tolist(),
                "cost": curve.cost.tolist(),
                "success": curve.success.tolist(),
                "low": curve.low.tolist(),
                "high": curve.high.tolist(),
            }
            for curve in self.curves
        }
        fields = ("budget", "model", "k", "success", "low", "high")
        best = [{name: getattr(item, name) for name in fields} for item in self.best]
        flips = [{name: getattr(flip, name) for name in Flip.__slots__} for flip in self.flips]
        plain: dict[str, Any] = json_value({"unit": str(self.unit), "models": models, "best": best, "flips": flips})
        return plain


def compare(
    curves: Sequence[Curve],
    *,
    budgets: Sequence[float] | None = None,
    benchmark: str = "",
    bootstrap: Bootstrap | None = None,
    notes: Sequence[str] = (),
    beyond: Sequence[Beyond] = (),
) -> Comparison:
    """Compare models at equal budget.

    Args:
        curves: one or more, on the same problems in the same order, in one unit, with different labels.
        budgets: per problem; by default powers of two of the cheapest sample, see `default_budgets`.
        benchmark: its name.
        bootstrap: how intervals are computed; use the same for the curves.
        notes, beyond: carried along.

    Raises:
        InputError: the curves do not fit together, or a budget is no positive number.
    """
    ordered = tuple(sorted(curves, key=lambda curve: curve.price.cost(1)))
    _check(ordered)
    bootstrap = bootstrap or Bootstrap()
    chosen = tuple(sorted(set(default_budgets(ordered) if budgets is None else budgets)))
    for budget in chosen:
        if not (math.isfinite(budget) and budget > 0):
            raise InputError(f"a budget must be a positive number, not {budget!r}")
    best = _best(ordered, chosen, bootstrap)
    flips = find_flips(ordered, bootstrap)
    unit = ordered[0].unit
    return Comparison(benchmark, unit, ordered, chosen, best, flips, bootstrap, tuple(notes), tuple(beyond))


def common_tasks(task_ids: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The problems that all of the models have, in the first one's order. Empty if there are none."""
    if not task_ids:
        return ()
    shared = set(task_ids[0]).intersection(*task_ids[1:])
    return tuple(task for task in task_ids[0] if task in shared)


def find_crossings(one: Curve, other: Curve) -> tuple[Crossing, ...]:
    """Where the lead changes, on the exact budgets at which either affords one more sample."""
    start = max(one.cost[0], other.cost[0])
    end = min(one.cost_of_more, other.cost_of_more)
    budgets = np.unique(np.concatenate([one.cost, other.cost]))
    crossings: list[Crossing] = []
    leader = None
    for budget in budgets[(budgets >= start) & (budgets < end)]:
        lead = one.at(budget).success - other.at(budget).success
        ahead = leader if abs(lead) <= 1e-12 else (one.label if lead > 0 else other.label)
        if leader is not None and ahead is not None and ahead != leader:
            crossings.append(Crossing(float(budget), ahead, leader))
        leader = ahead
    return tuple(crossings)


def _check(curves: Sequence[Curve]) -> None:
    if not curves:
        raise InputError("nothing to compare: no model has a curve")
    first = curves[0]
    for curve in curves[1:]:
        if curve.unit is not first.unit:
            raise InputError(f"cannot compare {first.label} in {first.unit} with {curve.label} in {curve.unit}")
        if curve.stop != first.stop:
            raise InputError(
                f"cannot compare {first.label} (stop: {first.stop}) with {curve.label} (stop: {curve.stop})"
            )
        if curve.task_ids != first.task_ids:
            raise InputError(
                f"{first.label} and {curve.label} are not on the same problems in the same order; "
                "compare them on the problems that both have"
            )
    labels = [curve.label for curve in curves]
    if len(set(labels)) != len(labels):
        raise InputError(f"two curves have the same label: {', '.join(sorted(labels))}")


def _best(curves: Sequence[Curve], budgets: Sequence[float], bootstrap: Bootstrap) -> tuple[Best, ...]:
    if not budgets:
        return ()
    points = {curve.label: [curve.at(budget) for budget in budgets] for curve in curves}
    success = {curve.label: _columns(curve, points[curve.label]) for curve in curves}
    winners = best_per_budget(success, bootstrap.weights(len(curves[0].task_ids)), bootstrap.level)
    rows = ({label: row[at] for label, row in points.items()} for at in range(len(budgets)))
    return tuple(_verdict(budget, winner, row) for budget, winner, row in zip(budgets, winners, rows, strict=True))


def _columns(curve: Curve, points: Sequence[Point]) -> FloatArray:
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
