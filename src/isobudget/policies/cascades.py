"""The best cascade for a budget: up to three arms, cheapest first, each with its own number of draws.

A cascade ends when a sample passes.

The numbers of draws of all stages but the last are tried on a coarse grid; the last stage draws until the budget is
spent. R(k) is the chance that k draws of an arm all fail, and D(k) the expected spending on them. The stages a and b
leave a problem unsolved with the chance W = R_a R_b. Mean failure and cost after every number of draws of the arm c are
then the matrix products W R_c and W D_c.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from isobudget.policies.arms import Floats, Ints, Table
from isobudget.policies.evaluate import Path
from isobudget.policies.make import affords_first

#: numbers of draws that are tried for the first stage of two, and for each of the first two stages of three
_OF_TWO, _OF_THREE = 24, 9


_Single = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class _Stages:
    """Arms in order, with cost and success for each choice of how far all arms but the last draw.

    `chosen` has the table rows of all arms but the last, shape (choices, stages - 1). `cost` and `success` have the
    shape (choices, rows of the last arm's table).
    """

    arms: tuple[int, ...]
    chosen: Ints
    cost: Floats
    success: Floats

    def at(self, budget: float) -> tuple[float, Ints]:
        """The best choice at a budget: its success, and the rows of all stages, the last one past the budget."""
        within = self.cost <= budget * (1 + 1e-9)
        last = within.sum(axis=1) - 1
        after = np.minimum(last + 1, self.cost.shape[1] - 1)
        choices = np.arange(len(last))
        before = np.maximum(last, 0)
        step = self.cost[choices, after] - self.cost[choices, before]
        share = np.where(step > 0, (budget - self.cost[choices, before]) / np.where(step > 0, step, 1.0), 0.0)
        gain = self.success[choices, after] - self.success[choices, before]
        success = np.where(last >= 0, self.success[choices, before] + np.clip(share, 0, 1) * gain, -1.0)
        best = int(np.argmax(success))
        end = np.searchsorted(self.cost[best], 2 * budget)
        return float(success[best]), np.append(self.chosen[best], max(int(end), 1))


def cascade_paths(tables: Sequence[Table], budgets: Sequence[float]) -> list[Path]:
    """The order of draws of the best cascade for each budget. The last stage of an order goes on past the budget."""
    by_price = sorted(range(len(tables)), key=lambda arm: float(tables[arm].spent[1].mean()))
    # single precision is enough to choose by, and twice as fast
    single = [(table.survival.T.astype(np.float32), table.spent.T.astype(np.float32)) for table in tables]
    ways = [
        _stages(tables, single[arms[-1]], arms)
        for size in range(1, min(len(tables), 3) + 1)
        for arms in combinations(by_price, size)
    ]
    return [_path(tables, ways, budget) for budget in budgets]


def _stages(tables: Sequence[Table], last: tuple[_Single, _Single], arms: tuple[int, ...]) -> _Stages:
    """All choices for arms in this order; `last` has survival and spending of the last arm, a row per problem."""
    problems = tables[0].survival.shape[1]
    rows = [_coarse(tables[arm], _OF_TWO if len(arms) == 2 else _OF_THREE) for arm in arms[:-1]]
    chosen, left, spent = np.zeros((1, 0), dtype=np.int64), np.ones((1, problems)), np.zeros(1)
    for arm, own in zip(arms[:-1], rows, strict=True):
        spent = (spent[:, np.newaxis] + left @ tables[arm].spent[own].T / problems).ravel()
        left = (left[:, np.newaxis] * tables[arm].survival[own]).reshape(-1, problems)
        chosen = np.concatenate([np.repeat(chosen, len(own), axis=0), np.tile(own, len(chosen))[:, np.newaxis]], axis=1)
    shares = (left / problems).astype(np.float32)
    survival, further = last
    return _Stages(arms, chosen, spent[:, np.newaxis] + shares @ further, 1.0 - shares @ survival)


def _coarse(table: Table, most: int) -> Ints:
    """At most this many rows after the first, in geometric progression."""
    rows = len(table.points) - 1
    spaced = np.geomspace(1, rows, most).round().astype(np.int64) if rows else np.zeros(0, dtype=np.int64)
    return np.unique(spaced)


def _path(tables: Sequence[Table], ways: Sequence[_Stages], budget: float) -> Path:
    """The best cascade at a budget, as steps after which the cascade can be cut; empty if the budget buys no draw.

    Stages before the last are cut into doublings, because on other problems the first stage alone may exceed the
    budget.
    """
    usable = [way for way in ways if affords_first(tables[way.arms[0]], budget)]
    best = max(((*way.at(budget), way.arms) for way in usable), key=lambda one: one[0], default=None)
    if best is None:
        return Path(*np.zeros((2, 0), dtype=np.int64))
    _, rows, arms = best
    ends = [min(int(row), len(tables[arm].points) - 1) for arm, row in zip(arms, rows, strict=True)]
    to = [*(_doublings(end) for end in ends[:-1]), np.arange(1, ends[-1] + 1)]
    return Path(np.repeat(arms, [len(own) for own in to]), np.concatenate(to))


def _doublings(end: int) -> Ints:
    return np.array([*(2**power for power in range((end - 1).bit_length())), end], dtype=np.int64)
