"""The frontier: the policy to use at each budget, with its success on problems that it was not learned on.

Each point is the simplest policy within noise of the best (`choose.recommend`), so that the frontier may lie a little
below that of the best policies in hindsight. Nothing is interpolated between budgets.
"""

from __future__ import annotations

from collections.abc import Sequence

from isobudget.policies.arms import Arm
from isobudget.policies.choose import PlanRow, plan_rows, recommend
from isobudget.policies.learn import Policy, learn
from isobudget.policies.recommended import recommended_rows
from isobudget.statistics.intervals import Weights


def frontier(
    arms: Sequence[Arm],
    budgets: Sequence[float],
    weights: Weights,
    *,
    level: float,
    unit: str,
    suite: str = "tests",
    seed: int = 0,
) -> tuple[PlanRow, ...]:
    """The recommended policy at each budget, budgets in the order given.

    Args:
        arms: recorded samples on the same problems.
        budgets: expected cost per problem, in the unit of the prices.
        weights: weights of the bootstrap over problems.
        level: confidence level of the intervals.
        unit, suite: stated in the rows.
        seed: seed of the folds.

    Returns:
        One row per budget, without budgets that pay for no sample. Empty if nothing can be learned, because there are
        fewer than two problems or no sample passed.
    """
    if len(arms[0].c) < 2 or not any(arm.c.any() for arm in arms):
        return ()
    learned = learn(arms, budgets, seed=seed)
    rows = plan_rows(learned, learned[Policy.FIXED_K], arms, weights, level=level, unit=unit, suite=suite)
    return recommended_rows(rows, recommend(learned, weights, level=level))
