"""Models at equal budget: which is best at each budget, what each needs for a success, and where the winner flips.

All curves are on the same problems and in the same unit; budgets are per problem.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isobudget.costs.budget import Written
from isobudget.costs.cost import Unit
from isobudget.curves.best import Best, best_at
from isobudget.curves.beyond import Beyond
from isobudget.curves.crossings import Crossing, find_crossings
from isobudget.curves.curve import Bootstrap, Curve, Point
from isobudget.curves.defaults import default_budgets, default_targets
from isobudget.curves.difference import Difference, differences
from isobudget.curves.flips import Flip, find_flips
from isobudget.curves.pairs import check_models, pairs_looked_at, pairs_note
from isobudget.curves.recommendation import Segment, clearly_worse, recommend
from isobudget.curves.stopping import FIXED
from isobudget.errors import InputError
from isobudget.grid import counted, json_value, picked
from isobudget.results import Shown

#: most models that the text of a comparison names
_FEW = 4
_BANDS = ("success", "low", "high")


@dataclass(frozen=True, slots=True)
class Reach:
    """The samples and budget that each model needs for a given success.

    Attributes:
        success: the target, in [0, 1].
        k: label -> fewest samples that reach the target; None if the recorded samples do not reach it.
        budget: label -> what these samples cost per problem; NaN if `k` is None.
    """

    success: float
    k: dict[str, int | None]
    budget: dict[str, float]

    @property
    def cheapest(self) -> str | None:
        """The model that reaches the success at the lowest cost; None if none does."""
        reached = {label: budget for label, budget in self.budget.items() if not math.isnan(budget)}
        return min(reached, key=lambda label: reached[label]) if reached else None

    def saving(self, label: str) -> float:
        """The share of a model's cost that the cheapest model saves, in [0, 1]; NaN if the model's `budget` is NaN."""
        return math.nan if self.cheapest is None else 1 - self.budget[self.cheapest] / self.budget[label]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Comparison(Shown):
    """Models at equal budget on one benchmark.

    Attributes:
        benchmark: name of the benchmark, empty if not stated.
        unit: unit of all costs and budgets.
        curves: cheapest sample first.
        budgets: rising, per problem.
        best: one per budget.
        flips: for every pair and every k of the more expensive model; for very many models see `curves.pairs`.
        bootstrap: how the intervals were computed.
        notes: notes for the user, such as problems that were left out.
        beyond: extrapolations, if they were requested; nothing else here depends on them.
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
        """When sampling stops, the same for all models: `fixed` or `first-pass`."""
        return self.curves[0].stop

    @property
    def simultaneous(self) -> bool:
        """Whether tables call a lead clear only if it is clear with all budgets tested together; by default not."""
        return bool(self.bootstrap.simultaneous)

    def clear_against(self, best: Best) -> tuple[str, ...]:
        """The models that tables call clearly worse at one of the budgets, see `simultaneous`."""
        return clearly_worse(best, self.simultaneous)

    def recommendation(self) -> tuple[Segment, ...]:
        """Which model to use from which budget on; see `curves.recommendation`.

        Leads are tested with all budgets together, unless the bootstrap states `simultaneous=False`.
        """
        return recommend(self.curves, self.best, self.bootstrap.simultaneous is not False)

    def differences(self) -> tuple[Difference, ...]:
        """For two models: at every budget, the more expensive one's success less the other's; else empty."""
        if len(self.curves) != 2:
            return ()
        return differences(*self.curves, self.budgets, self.bootstrap)

    def curve(self, label: str) -> Curve:
        """The curve with that label; an `InputError` lists the labels."""
        by_label = {curve.label: curve for curve in self.curves}
        if label not in by_label:
            raise InputError(f"no curve {label!r}; curves: {', '.join(by_label)}")
        return by_label[label]

    def points(self, budget: float) -> dict[str, Point]:
        """The point of every model at one budget, by label."""
        return {curve.label: curve.at(budget) for curve in self.curves}

    def reach(self, targets: Sequence[float] | None = None) -> tuple[Reach, ...]:
        """What each model needs for each success in `targets`; by default for round steps of the recorded success."""
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
        """Every budget at which the lead changes between two models, within the recorded samples of both."""
        return find_crossings(self.curve(one), self.curve(other))

    def all_crossings(self) -> dict[tuple[str, str], tuple[Crossing, ...]]:
        """The crossings of every pair of models, cheaper sample first; for very many models see `curves.pairs`."""
        pairs = pairs_looked_at([curve.label for curve in self.curves], self.best)
        return {pair: self.crossings(*pair) for pair in pairs}

    def __repr__(self) -> str:
        models, problems = len(self.curves), len(self.curves[0].task_ids)
        about = f"{self.benchmark}: " if self.benchmark else ""
        size = f"{counted(models, 'model')} at {counted(len(self.budgets), 'budget')} in {self.unit}"
        labels = [curve.label for curve in self.curves[:_FEW]] + [f"{models - _FEW} more"] * (models > _FEW)
        return f"{about}{size}, {counted(problems, 'problem')}: {', '.join(labels)}"

    def to_dict(self) -> dict[str, Any]:
        """All estimates as plain values for JSON: NaN is None, success is in [0, 1].

        The keys are:

        - `benchmark`, `unit`, `stop`, `level`, `simultaneous`, `notes`: as in the comparison and its bootstrap;
        - by label: `models` (k, cost, success, low, high), `selection`, and `costs` (what a sample costs, with its
          source, and the k up to which the curve is trustworthy);
        - one entry per budget: `best`, `clear_against` (as `simultaneous` says), `clear_at_all_budgets` and `reasons`;
        - `recommendation`: which model to use from which budget on;
        - `differences`: of two models, at every budget;
        - `flips` and `crossings`: of pairs of models;
        - `reach`: what each model needs for a success, and what the cheapest model saves.

        Guesses beyond the samples are not among them, see `beyond_json`.
        """
        curves = self.curves
        whole = {
            "benchmark": self.benchmark,
            "unit": str(self.unit),
            "stop": self.stop,
            "selection": {curve.label: curve.selection for curve in curves},
            "models": {curve.label: picked(curve, "k", "cost", *_BANDS) for curve in curves},
            "costs": {curve.label: _cost(curve) for curve in curves},
            "best": [picked(best, "budget", "model", "k", *_BANDS) for best in self.best],
            "clear_against": [self.clear_against(best) for best in self.best],
            "clear_at_all_budgets": [best.clear_at_all_budgets for best in self.best],
            "simultaneous": self.simultaneous,
            "recommendation": [_recommended(segment) for segment in self.recommendation()],
            "differences": [_difference(one) for one in self.differences()],
            "reasons": [best.reason for best in self.best],
            "flips": [picked(flip, *flip.__slots__) for flip in self.flips],
            "reach": [_reach(reach) for reach in self.reach()],
            "crossings": [
                {"models": pair, "budget": crossing.budget, "leader": crossing.leader}
                for pair, crossings in self.all_crossings().items()
                for crossing in crossings
            ],
            "level": self.bootstrap.level,
            "notes": self.notes,
        }
        plain: dict[str, Any] = json_value(whole)
        return plain


def compare(
    curves: Sequence[Curve],
    *,
    budgets: Sequence[float] | Written | None = None,
    benchmark: str = "",
    bootstrap: Bootstrap | None = None,
    notes: Sequence[str] = (),
    beyond: Sequence[Beyond] = (),
) -> Comparison:
    """Compare models at equal budget.

    Args:
        curves: one or more, on the same problems in the same order, in one unit, with different labels.
        budgets: per problem, or as they were written; by default powers of two of the cheapest sample, see
            `default_budgets`.
        benchmark: name of the benchmark.
        bootstrap: how intervals are computed; use the same for the curves.
        notes, beyond: stored in the result.

    Raises:
        InputError: the curves do not fit together, or a budget is not a positive number.
    """
    ordered = tuple(sorted(curves, key=lambda curve: curve.price.cost(1)))
    _check(ordered)
    bootstrap = bootstrap or Bootstrap()
    if isinstance(budgets, Written):
        costs = np.concatenate([curve.cost for curve in ordered])
        prices = {curve.label: curve.price for curve in ordered}
        budgets, budget_note = budgets.among(ordered[0].price.cost(1), costs, prices)
        notes = (*notes, *budget_note)
    chosen = tuple(sorted(set(default_budgets(ordered) if budgets is None else budgets)))
    for budget in chosen:
        if not (math.isfinite(budget) and budget > 0):
            raise InputError(f"a budget must be a positive number, not {budget!r}")
    best = best_at(ordered, chosen, bootstrap)
    labels, unit = [curve.label for curve in ordered], ordered[0].unit
    flips = find_flips(ordered, bootstrap, pairs_looked_at(labels, best))
    notes = (*notes, *pairs_note(labels, best))
    return Comparison(benchmark, unit, ordered, chosen, best, flips, bootstrap, tuple(notes), tuple(beyond))


def common_tasks(task_ids: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The problems that all models have, in the first model's order; empty if there are none."""
    if not task_ids:
        return ()
    shared = set(task_ids[0]).intersection(*task_ids[1:])
    return tuple(task for task in task_ids[0] if task in shared)


def _check(curves: Sequence[Curve]) -> None:
    if not curves:
        raise InputError("nothing to compare: no model has a curve")
    check_models(len(curves))
    first = curves[0]
    for curve in curves[1:]:
        if curve.unit != first.unit:
            raise InputError(f"cannot compare {first.label} in {first.unit} with {curve.label} in {curve.unit}")
        if curve.stop != first.stop:
            stops = f"{first.label} (stop: {first.stop}) with {curve.label} (stop: {curve.stop})"
            raise InputError(f"cannot compare {stops}")
        if curve.task_ids != first.task_ids:
            advice = "compare them on the problems that both have"
            raise InputError(
                f"{first.label} and {curve.label} are not on the same problems in the same order; {advice}"
            )
    labels = [curve.label for curve in curves]
    if len(set(labels)) != len(labels):
        raise InputError(f"two curves have the same label: {', '.join(sorted(labels))}")


def _cost(curve: Curve) -> dict[str, Any]:
    cost = (
        picked(curve.price, "per_sample", "per_problem", "source")
        | {"prompt": curve.price.prompt_said}
        | {"trusted_k": curve.trusted_k}
    )
    return cost if curve.stop == FIXED else cost | {"samples_charged": curve.charged.samples[:-1]}


def _recommended(segment: Segment) -> dict[str, Any]:
    budgets = {"from": segment.start, "to": segment.rows[-1].budget}
    ends = {"first": segment.first, "last": segment.last}
    points = {name: picked(point, "budget", "k", "success") for name, point in ends.items()}
    unclear = [
        {"budget": budget, "models": models, "ahead": segment.ahead.get(budget)}
        for budget, models in segment.unclear_against.items()
        if models
    ]
    return {"model": segment.model, **budgets, **points, "not_clear": unclear}


def _difference(difference: Difference) -> dict[str, Any]:
    names = ("budget", "model", "other", "k", "k_other", "difference", "low", "high")
    return picked(difference, *names) | {"power": picked(difference.power, *difference.power.__slots__)}


def _reach(reach: Reach) -> dict[str, Any]:
    saving = {label: reach.saving(label) for label, budget in reach.budget.items() if not math.isnan(budget)}
    return picked(reach, "success", "cheapest", "k", "budget") | {"saving": saving}
