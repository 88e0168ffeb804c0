"""Adds to each recommended row the best policy, if the best policy passes far more than the recommended one.

With few problems, noise is large: the simplest policy within noise of the best may then lie far below the best. Readers
have to know when this happens, so the row names the best policy in `ahead`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from isobudget.policies.choose import PlanRow
from isobudget.policies.learn import Policy

#: a difference in success above which the better policy is named beside the recommended one
FAR = 0.05


def recommended_rows(rows: Sequence[Sequence[PlanRow]], chosen: Sequence[Policy | None]) -> tuple[PlanRow, ...]:
    """The row of the chosen policy at each budget, with `ahead` set. A budget without a chosen policy has no row.

    Args:
        rows: the result of `choose.plan_rows`: the rows of each budget.
        chosen: the result of `choose.recommend`.
    """
    return tuple(
        _with_ahead(next(row for row in own if row.policy == policy), own)
        for own, policy in zip(rows, chosen, strict=True)
        if policy is not None
    )


def _with_ahead(row: PlanRow, rows: Sequence[PlanRow]) -> PlanRow:
    """Add the best policy if it is far ahead; not with a hidden suite, since visible passes do not measure success."""
    best = max((one for one in rows if one.success == one.success), key=lambda one: one.success)
    far = row.hidden_success is None and best.success > row.success + FAR
    return replace(row, ahead=best) if far else row
