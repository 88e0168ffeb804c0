"""Makes schedules: simple ones by name, the greedy and the optimal one from tables.

`greedy` draws next from the arm with the most success per cost on the problems that have not passed yet,

    index of arm a = E[S p_a] / E[S cost_a]        expectation over problems, S = chance that nothing has passed

`optimal` uses the fact that success depends only on the number of draws from each arm, not on their order. For each
point in the lattice of these numbers it finds the cheapest order (by dynamic programming), and then the best point that
a budget covers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from isobudget.errors import InputError
from isobudget.policies.arms import Floats, Ints, Table
from isobudget.policies.evaluate import Path, mean_walk, met, path_schedule, walk
from isobudget.policies.schedule import Schedule, Stop

#: most points of the lattice of `optimal`
_MOST_STATES = 400_000


def fixed_k(arm: str, k: int) -> Schedule:
    """Always exactly k samples of one arm, as in the paper."""
    return Schedule(((arm, k),), Stop.NEVER)


def first_pass(arm: str, k: int) -> Schedule:
    """Up to k samples of one arm, until one passes."""
    return Schedule(((arm, k),))


def doubling(arm: str, k: int) -> Schedule:
    """Up to k samples of one arm in batches of 1, 1, 2, 4, ...

    So there are few waits, and at most about twice as many samples as would have been needed one by one.
    """
    batches, total = [], 0
    while total < k:
        batches.append(min(max(total, 1), k - total))
        total += batches[-1]
    return Schedule(tuple((arm, batch) for batch in batches), batched=True)


def cascade(stages: Sequence[tuple[str, int]]) -> Schedule:
    """For each stage (arm, count) in order, up to `count` samples of the arm, until one passes."""
    return Schedule(tuple(stages))


def greedy(tables: Sequence[Table], names: Sequence[str], budget: float | None = None) -> Schedule | None:
    """The greedy schedule, up to a budget on average over problems, or to the end of the tables.

    Args:
        tables: tables of the arms, recorded or shrunk, on the same problems.
        names: names of the arms.
        budget: expected cost per problem, met exactly by a mixture; None for the whole order.

    Returns:
        The schedule; None where the budget does not pay for one draw.
    """
    path = greedy_path(tables, budget)
    last, share = (len(path), 0.0) if budget is None else met(mean_walk(walk(tables, path))[0], budget)
    return path_schedule(path, tables, names, last, share)


def greedy_path(tables: Sequence[Table], budget: float | None = None, first: int | None = None) -> Path:
    """The order in which `greedy` draws, up to twice the budget, so that the budget can be met on other problems, too.

    The first draw is one that the budget pays for. With `first`, it is instead the first step of the table with this
    index.
    """
    most = [len(table.points) - 1 for table in tables]
    at = [0] * len(tables)
    survival = [table.survival[0] for table in tables]
    arms: list[int] = []
    to: list[int] = []
    spent = 0.0
    while budget is None or spent <= 2 * budget:
        open_arms = [arm for arm, row in enumerate(at) if row < most[arm]]
        if first is not None and not arms:
            open_arms = [first]
        elif budget is not None and not arms:
            open_arms = [arm for arm in open_arms if affords_first(tables[arm], budget)]
        indices = [_gain_and_cost(tables[arm], at[arm], _product(survival, arm)) for arm in open_arms]
        if not indices:
            break
        best = max(range(len(indices)), key=lambda place: _index(*indices[place]))
        gain, cost = indices[best]
        if gain <= 0:
            break
        arm = open_arms[best]
        spent += cost
        at[arm] += 1
        survival[arm] = tables[arm].survival[at[arm]]
        arms.append(arm)
        to.append(at[arm])
    return Path(np.array(arms, dtype=np.int64), np.array(to, dtype=np.int64))


def _index(gain: float, cost: float) -> float:
    """Success per cost; a draw that costs nothing comes first if it gains anything."""
    return gain / cost if cost > 0 else math.copysign(math.inf, gain) if gain else 0.0


def affords_first(table: Table, budget: float) -> bool:
    """Whether a budget pays for the first draw of an arm."""
    return len(table.points) > 1 and bool(table.spent[1].mean() <= budget * (1 + 1e-9))


def _product(survival: Sequence[Floats], arm: int) -> Floats:
    """The chance that no other arm has passed."""
    others = [values for other, values in enumerate(survival) if other != arm]
    return others[0] if len(others) == 1 else np.multiply.reduce(others or [np.ones_like(survival[arm])])


def _gain_and_cost(table: Table, row: int, others: Floats) -> tuple[float, float]:
    """The success that the next step of an arm adds, and its cost, as means over problems."""
    gain, cost = table.survival[row] - table.survival[row + 1], table.spent[row + 1] - table.spent[row]
    return float(gain @ others) / len(gain), max(float(cost @ others) / len(cost), 1e-300)


def optimal(tables: Sequence[Table], names: Sequence[str], budget: float) -> Schedule | None:
    """The schedule with the highest success that spends at most a budget on average; up to three arms.

    The schedule is optimal on the lattice of the tables' rows, thinned to at most 400,000 points, and never a mixture.

    Returns:
        The schedule; None where the budget does not pay for one draw.

    Raises:
        InputError: more than three arms.
    """
    path = optimal_paths(tables, [budget])[0]
    return path_schedule(path, tables, names, len(path), 0.0)


def optimal_paths(tables: Sequence[Table], budgets: Sequence[float], *, mixed: bool = False) -> list[Path]:
    """The order of the optimal schedule for each budget, all on the same lattice.

    An order is empty if its budget pays for no draw. With `mixed`, a schedule may end with a draw that the budget pays
    for on only a share of the problems.
    """
    if len(tables) > 3:
        raise InputError(f"the optimal policy is computed for up to three arms, not {len(tables)}; choose with --arms")
    rows = [_thinned_rows(table, len(tables)) for table in tables]
    thinned = [Table(one.points[own], one.survival[own], one.spent[own]) for one, own in zip(tables, rows, strict=True)]
    success, cost, back = _lattice(thinned)
    paths = []
    for budget in budgets:
        affordable = _mixed_success(success, cost, back, budget) if mixed else _within(success, cost, budget)
        best = np.flatnonzero(affordable >= affordable.max() - 1e-15)
        path = _backwards(back, int(best[np.argmin(cost.ravel()[best])]))
        to = [rows[arm][row] for arm, row in zip(path.arm, path.to, strict=True)]
        paths.append(Path(path.arm, np.array(to, dtype=np.int64)))
    return paths


def _within(success: Floats, cost: Floats, budget: float) -> Floats:
    """Success at the points that a budget pays for, -1 at the others."""
    return np.where(cost <= budget * (1 + 1e-9), success, -1.0)


def _mixed_success(success: Floats, cost: Floats, back: Ints, budget: float) -> Floats:
    """Like `_within`, but if a budget pays for the last step on a share of the problems, success with that share."""
    mixed = _within(success, cost, budget)
    places = np.indices(success.shape).reshape(success.ndim, -1)
    last = back.ravel()
    for arm in range(success.ndim):
        here = places[:, last == arm]
        now, before = tuple(here), tuple(here[axis] - (axis == arm) for axis in range(success.ndim))
        # the first draw is not made for some problems only
        open_ = (cost[before] <= budget) & (cost[now] > budget * (1 + 1e-9)) & (here.sum(axis=0) > 1)
        now, before = (tuple(axis[open_] for axis in point) for point in (now, before))
        share = (budget - cost[before]) / (cost[now] - cost[before])
        mixed[now] = success[before] + share * (success[now] - success[before])
    return mixed


def _thinned_rows(table: Table, arms: int) -> Ints:
    """Rows of the table, few enough that the lattice of all arms is not too large."""
    most = int(_MOST_STATES ** (1 / arms))
    return np.unique(np.linspace(0, len(table.points) - 1, most).round().astype(np.int64))


def _lattice(tables: Sequence[Table]) -> tuple[Floats, Floats, Ints]:
    """Success, least cost, and the arm of the last step (-1 at the start), for every point of the lattice."""
    shape = tuple(len(table.points) for table in tables)
    success = 1.0 - _expected([table.survival for table in tables])
    steps = [_step_cost(tables, arm) for arm in range(len(tables))]
    cost, back = np.full(shape, np.inf), np.full(shape, -1, dtype=np.int64)
    cost[(0,) * len(shape)] = 0.0
    places = np.indices(shape).reshape(len(shape), -1)
    layers = places.sum(axis=0)
    order = np.argsort(layers, kind="stable")
    bounds = np.searchsorted(layers[order], np.arange(layers.max() + 2))
    for layer in range(1, int(layers.max()) + 1):
        states = places[:, order[bounds[layer] : bounds[layer + 1]]]
        for arm in range(len(tables)):
            there = states[:, states[arm] > 0]
            before = tuple(there[axis] - (axis == arm) for axis in range(len(shape)))
            tried, now = cost[before] + steps[arm][before], tuple(there)
            better = tried < cost[now]
            cost[now] = np.where(better, tried, cost[now])
            back[now] = np.where(better, arm, back[now])
    return success, cost, back


def _step_cost(tables: Sequence[Table], arm: int) -> Floats:
    """The mean cost of one more step of an arm, from every point; as many rows as there are steps."""
    parts = [np.diff(one.spent, axis=0) if at == arm else one.survival for at, one in enumerate(tables)]
    return _expected(parts)


def _expected(parts: Sequence[Floats]) -> Floats:
    """Mean over problems of the product of one row of each part, for all combinations of rows."""
    problems = parts[0].shape[1]
    left = parts[0]
    for part in parts[1:-1]:
        left = (left[:, np.newaxis] * part[np.newaxis]).reshape(-1, problems)
    if len(parts) == 1:
        return np.asarray(left.mean(axis=1))
    return np.asarray((left @ parts[-1].T / problems).reshape(tuple(len(part) for part in parts)))


def _backwards(back: Ints, state: int) -> Path:
    at = list(np.unravel_index(state, back.shape))
    arms, to = [], []
    while any(at):
        arm = int(back[tuple(at)])
        arms.append(arm)
        to.append(int(at[arm]))
        at[arm] -= 1
    return Path(np.array(arms[::-1], dtype=np.int64), np.array(to[::-1], dtype=np.int64))
