"""The budgets of a plan, in its unit: stated by the user, doublings, or the smallest one that reaches a target."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from isobudget.costs.budget import parse_budget
from isobudget.costs.cost import Unit
from isobudget.errors import InputError
from isobudget.grid import with_unit
from isobudget.policies.arms import Arm
from isobudget.policies.evaluate import evaluate
from isobudget.policies.learn import Learned, Policy, learn
from isobudget.policies.make import cascade
from isobudget.solving.recorded_arms import Recorded

#: the policies of a plan, unless others are named
DEFAULT_POLICIES = (Policy.FIXED_K, Policy.FIRST_PASS, Policy.CASCADE, Policy.GREEDY)
#: maximum number of budgets of a plan for which none is stated
_MOST_BUDGETS = 10


def planned_amounts(
    budgets: Sequence[str | float],
    target: float | None,
    unit: Unit,
    recorded: Recorded,
    policies: Sequence[Policy],
    seed: int,
) -> list[float]:
    """The budgets in the unit, ascending: those stated and the one for the target, else doublings.

    Raises:
        InputError: no budget pays for a sample, or the target is not reached with the recorded samples.
    """
    paid = np.concatenate([recorded.prices[arm.name].costs(int(arm.n.min())) for arm in recorded.arms])
    amounts = stated_amounts(budgets, unit, recorded, paid)
    cheapest = min(arm.first_draw for arm in recorded.arms)
    if amounts and max(amounts) * (1 + 1e-9) < cheapest:
        raise InputError(
            f"no budget pays for a sample: the cheapest, of {cheapest_arm(recorded.arms)}, costs "
            f"{with_unit(cheapest, unit)} a problem, and the largest budget is {with_unit(max(amounts), unit)}"
        )
    if target is not None:
        amounts.append(budget_for(recorded.arms, target, policies, seed))
    return sorted(set(amounts or default_amounts(recorded.arms)))


def stated_amounts(
    budgets: Sequence[str | float], unit: Unit, recorded: Recorded, costs: ArrayLike = ()
) -> list[float]:
    """The budgets in the unit. A budget that equals one of `costs` as displayed stands for that cost (`Budget.of`)."""
    return [parse_budget(str(text)).of(unit, recorded.prices, costs) for text in budgets]


def default_amounts(arms: Sequence[Arm]) -> list[float]:
    """Doublings of the cheapest sample's cost, at most ten.

    They reach up to the mean spending of a cascade over all recorded samples, or up to two samples of the most
    expensive arm if that is more.
    """
    by_price = sorted(arms, key=lambda arm: arm.first_draw)
    everything = evaluate(cascade([(arm.name, int(arm.n.min())) for arm in by_price]), arms)
    end = max(float(everything.spent.mean()), 2 * by_price[-1].first_draw)
    doublings = math.ceil(math.log2(end / by_price[0].first_draw) - 1e-9)
    return [by_price[0].first_draw * 2.0**power for power in range(min(doublings, _MOST_BUDGETS - 1) + 1)]


def budget_for(arms: Sequence[Arm], target: float, policies: Sequence[Policy] = (), seed: int = 0) -> float:
    """The smallest budget, to within 1 %, at which a policy reaches the target on problems that it was not learned on.

    Raises:
        InputError: no policy reaches the target with the recorded samples.
    """
    used = (
        tuple(one for one in policies if one not in (Policy.OPTIMAL, Policy.BY_LABEL, Policy.BY_SHARE))
        or DEFAULT_POLICIES
    )
    low = min(arm.first_draw for arm in arms)
    high = sum(float(arm.price.mean()) * int(arm.n.min()) + arm.shared for arm in arms)
    best = 0.0
    while high > 1.01 * low:
        tried = np.geomspace(low, high, 25)
        success = np.nanmax([_success(rows) for rows in learn(arms, list(tried), used, seed=seed).values()], axis=0)
        best = max(best, float(success.max()))
        reached = np.flatnonzero(success >= target)
        if not len(reached):
            raise InputError(
                f"no policy reaches {100 * target:.6g}% with the recorded samples; the best reaches "
                f"{math.floor(1e4 * best) / 1e4:.2%}. Lower the target, or record more samples"
            )
        first = int(reached[0])
        if not first:
            return float(tried[0])
        low, high = float(tried[first - 1]), float(tried[first])
    return high


def _success(rows: Sequence[Learned]) -> list[float]:
    return [float(row.success.mean()) if row.draws else -1.0 for row in rows]


def cheapest_arm(arms: Sequence[Arm]) -> str:
    """The name of the arm whose sample costs least."""
    return min(arms, key=lambda arm: arm.first_draw).name
