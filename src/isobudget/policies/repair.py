"""Repairing as an arm: a draw is a sample and, if its tests fail, up to r repairs of it, one after the other.

A repair needs a failed sample, so it cannot be an arm by itself. The arm is the chain of a sample and its repairs. A
chain passes or fails as a whole, and the chains of one problem are exchangeable. So if c of n recorded chains pass
within r repairs, k chains solve the problem with probability 1 - C(n-c, k) / C(n, k), as for samples. A chain ends when
it passes, so passing and failing chains have separate prices. Everything about schedules (`schedule`, `evaluate`,
`learn`) then applies to repairing. A policy sees the same in replay as live: within a chain the first failing test of
the last sample, and between chains that all of them have failed.

Chains begin with the same samples that the model generates without repairs, so the two arms are compared, never mixed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from isobudget.policies.arms import Arm
from isobudget.policies.learn import Learned, Policy, learn
from isobudget.statistics.intervals import Weights, bootstrap_difference

#: most repairs of one sample
MOST_REPAIRS = 16
_ARM = re.compile(r"(?P<model>.+)\+repair(?P<count>[1-9]\d?)?")


def repairing(model: str, repairs: int) -> str:
    """The name of the arm that repairs a model's failing samples up to this often: ``7b+repair``, ``7b+repair2``."""
    return model if not repairs else f"{model}+repair{repairs if repairs > 1 else ''}"


def split_arm(arm: str, models: Collection[str] = ()) -> tuple[str, int]:
    """The model of an arm, and its number of repairs. The name of a known model is not split."""
    match = None if arm in models else _ARM.fullmatch(arm)
    return (arm, 0) if match is None else (match["model"], int(match["count"] or 1))


@dataclass(frozen=True, slots=True)
class RepairRow:
    """Repairing compared with sampling from scratch at one budget, both until a sample passes; success in [0, 1].

    Attributes:
        arm: the arm that repairs.
        budget, unit: expected spending per problem, the same for both.
        problems: number of problems on which both were recorded.
        anew: success of sampling from scratch; NaN if the recorded samples do not reach the budget, or if the budget
            does not pay for the first draw.
        repaired: success of repairing; NaN in the same cases.
        gain: success of repairing minus success of sampling from scratch; NaN if one of them is.
        gain_low, gain_high: paired interval of `gain` over problems.
    """

    arm: str
    budget: float
    unit: str
    problems: int
    anew: float
    repaired: float
    gain: float
    gain_low: float
    gain_high: float


#: least share of the budget that each of two arms has to spend to be compared
_SPENT = 0.98


def compare_repairs(
    anew: Arm, repaired: Arm, budgets: Sequence[float], weights: Weights, *, level: float, unit: str
) -> list[RepairRow]:
    """Compare repairing with sampling from scratch at equal budget, one row per budget.

    Args:
        anew, repaired: the arms of one model without and with repairs, on the same problems.
        budgets: expected cost per problem.
        weights, level: bootstrap weights and confidence level of the paired intervals over these problems.
        unit: unit of the budgets.
    """
    ways = [learn([arm], budgets, (Policy.FIRST_PASS,))[Policy.FIRST_PASS] for arm in (anew, repaired)]
    rows = []
    for one, other in zip(*ways, strict=True):
        gain = low = high = math.nan
        if _reaches(one) and _reaches(other):
            gain = float(other.success.mean() - one.success.mean())
            sides = [np.clip(way.success, 0.0, 1.0)[:, np.newaxis] for way in (other, one)]
            low, high = (float(end[0]) for end in bootstrap_difference(sides[0], sides[1], weights, level))
        problems = len(one.success)
        rows.append(
            RepairRow(repaired.name, one.budget, unit, problems, _success(one), _success(other), gain, low, high)
        )
    return rows


def _success(way: Learned) -> float:
    return float(way.success.mean()) if _reaches(way) else math.nan


def _reaches(way: Learned) -> bool:
    """Whether the arm spends the budget, rather than running out of recorded samples."""
    return way.draws and float(way.spent.mean()) >= _SPENT * way.budget
