"""The stops of a page's sliders over budgets and prices, and the differences of models at each of them.

A page without Python behind it shows a comparison at any budget and at other prices. Its data is computed here once.
For each model, there are at most `MOST` numbers of samples; every k if there are no more. For each unit, there are the
budgets at which the slider stops; each of them pays for one of these numbers of every model. For every two models,
there is the interval of their difference: at the recorded prices, with the models of a budget tested together (as in
tables), and at any price, with everything that can be reached tested together (`statistics.pairs`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from isobudget.costs.cost import Unit
from isobudget.curves.compare import Comparison
from isobudget.curves.curve import Bootstrap, Curve
from isobudget.statistics.pairs import pair_intervals
from isobudget.statistics.winners import lead_intervals

Floats = NDArray[np.float64]

#: most numbers of samples of a model
MOST = 64
#: pairs of numbers of samples, over all pairs of models, that a page can hold; and the fewest numbers of a model
_MOST_PAIRED, _FEWEST = 60_000, 16
#: replicates of the test for any price: its limit is a maximum over very many differences, for which these suffice
_MOST_REPLICATES = 1000
#: most budgets of a slider if every k of every model is kept
_MOST_BUDGETS = 128


@dataclass(frozen=True, slots=True, eq=False)
class Sliders:
    """Everything that the sliders of one benchmark can show.

    Attributes:
        labels: the models, in the order of the pairs.
        k: numbers of samples by label, rising.
        budgets: by unit, per problem, rising.
        rows: by unit, low and high ends of the difference of every pair at each budget, shape (pairs, budgets): the
            first model's success less the second's, NaN where one of them affords no sample.
        anywhere: low and high ends of the same difference for every pair. Each has one row for every number of samples
            of the first model and one column for every number of the second.
    """

    labels: tuple[str, ...]
    k: dict[str, NDArray[np.int64]]
    budgets: dict[Unit, tuple[float, ...]]
    rows: dict[Unit, tuple[Floats, Floats]]
    anywhere: list[tuple[Floats, Floats]]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The labels of every pair."""
        return list(combinations(self.labels, 2))


def sliders(comparisons: Mapping[Unit, Comparison]) -> Sliders:
    """The sliders for comparisons of the same models and problems, one comparison per unit, at least one."""
    first = next(iter(comparisons.values()))
    labels, curves = tuple(curve.label for curve in first.curves), first.curves
    most = numbers_of_samples(len(curves))
    all_k = all(curve.k_max <= most for curve in curves)
    per_unit = _MOST_BUDGETS if all_k else (most - 3) // len(comparisons)
    budgets = {unit: _budgets(one, per_unit) for unit, one in comparisons.items()}
    k = {curve.label: _numbers(curve, most, comparisons, budgets) for curve in curves}
    bootstrap = first.bootstrap
    few = Bootstrap(bootstrap.level, min(bootstrap.replicates, _MOST_REPLICATES), bootstrap.seed)
    reached = [curve.matrix[:, k[curve.label] - 1] for curve in curves]
    anywhere = pair_intervals(reached, few.weights(len(first.curves[0].task_ids)), few.level)
    rows = {unit: _rows(one, labels, budgets[unit]) for unit, one in comparisons.items()}
    return Sliders(labels, k, budgets, rows, anywhere)


def numbers_of_samples(models: int) -> int:
    """The most numbers of samples that are kept for each model, given the number of models."""
    pairs = max(models * (models - 1) // 2, 1)
    return max(_FEWEST, min(MOST, math.isqrt(_MOST_PAIRED // pairs)))


def _budgets(comparison: Comparison, most: int) -> tuple[float, ...]:
    """At most `most` budgets: those of the comparison, and some at which a model affords one more sample.

    The first and the last budget at which a model affords one more sample are included.
    """
    steps = np.unique(np.concatenate([curve.cost for curve in comparison.curves])).tolist()
    own = {*_spaced(comparison.budgets, most - 2), steps[0], steps[-1]}
    return tuple(sorted({*own, *_spaced(steps, most - len(own))}))


def _spaced(values: Sequence[float], most: int) -> list[float]:
    """At most this many of the rising positive values, evenly spaced on a logarithmic scale, including both ends."""
    if len(values) <= most:
        return list(values)
    if most < 2:
        return []
    wanted = np.geomspace(values[0], values[-1], most)
    places = np.unique(np.abs(np.log(np.asarray(values))[np.newaxis] - np.log(wanted)[:, np.newaxis]).argmin(axis=1))
    return [values[at] for at in places.tolist()]


def _numbers(
    curve: Curve, most: int, comparisons: Mapping[Unit, Comparison], budgets: Mapping[Unit, Sequence[float]]
) -> NDArray[np.int64]:
    """The numbers of samples that are kept for a curve: every k, if there are at most `most`.

    Otherwise 1, the numbers that the budgets pay for, the trusted k, and the last k.
    """
    if curve.k_max <= most:
        return curve.k
    paid = {comparisons[unit].curve(curve.label).at(budget).k for unit, own in budgets.items() for budget in own}
    return np.array(sorted({1, curve.trusted_k, curve.k_max, *paid} - {0}), dtype=np.int64)


def _rows(comparison: Comparison, labels: Sequence[str], budgets: Sequence[float]) -> tuple[Floats, Floats]:
    """The intervals at the recorded prices, by the rule of the comparison's tables."""
    stack = []
    for label in labels:
        curve = comparison.curve(label)
        k = np.array([curve.at(budget).k for budget in budgets])
        stack.append(np.where(k > 0, curve.matrix[:, np.maximum(k, 1) - 1], math.nan))
    bootstrap = comparison.bootstrap
    low, high = lead_intervals(np.stack(stack), bootstrap.weights(stack[0].shape[0]), bootstrap.level)
    return low[int(comparison.simultaneous)], high[int(comparison.simultaneous)]
