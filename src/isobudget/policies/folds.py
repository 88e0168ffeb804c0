"""Folds: the problems on which a policy is learned, those left out, and the results of an order of draws on both."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from isobudget.policies.arms import Floats, Ints
from isobudget.policies.evaluate import Walk

#: number of folds; least problems that all repeats together leave out, in sum; most repeats
_FOLDS, _LEFT_OUT, _MOST_REPEATS = 5, 600, 6
#: with this many problems or more, two thirds are enough to learn from
_MANY, _FOLDS_OF_MANY = 2000, 3

#: training problems and those left out
Split = tuple[Ints, Ints]


@dataclass(frozen=True, slots=True, eq=False)
class LeftOut:
    """The costs of one fold's order of draws: `trained`, `total` and `walked`.

    `trained` is the mean cost of each prefix on the training problems, and `total` is its total cost on the problems
    left out. `walked` is the walk on the problems left out.
    """

    trained: Floats
    total: Floats
    walked: Walk


def folds(problems: int, seed: int) -> Iterator[Split]:
    """The training problems and the problems left out, for each fold of each repeat."""
    rng = np.random.default_rng(seed)
    parts = min(_FOLDS_OF_MANY if problems >= _MANY else _FOLDS, problems)
    for _ in range(min(max(math.ceil(_LEFT_OUT / problems), 1), _MOST_REPEATS)):
        order = rng.permutation(problems)
        for out in np.array_split(order, parts):
            yield np.setdiff1d(order, out), np.sort(out)


def places(folds: Sequence[LeftOut], budget: float) -> list[float]:
    """The numbers of steps of each fold's order (with a fraction) that together spend the budget on average."""
    tried = budget * np.linspace(0.5, 2.0, 301)
    problems = sum(fold.walked.spent.shape[1] for fold in folds)
    pooled = np.sum([np.interp(tried, fold.trained, fold.total) for fold in folds], axis=0) / problems
    chosen = float(np.interp(budget, np.maximum.accumulate(pooled), tried))
    return [float(np.interp(chosen, fold.trained, np.arange(len(fold.trained)))) for fold in folds]


def between(values: Floats, place: float) -> Floats:
    """Row `place` of the values, interpolated between two rows if it is not a whole number."""
    row = min(int(place), len(values) - 2)
    share = place - row
    return np.asarray((1 - share) * values[row] + share * values[row + 1])
