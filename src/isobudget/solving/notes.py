"""Notes for readers of a plan: few problems, mixtures, budgets that are not met, and why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from isobudget.grid import counted, listed, with_unit
from isobudget.policies.arms import Arm
from isobudget.policies.choose import SLACK, affords
from isobudget.policies.learn import Learned, Policy
from isobudget.solving.amounts import cheapest_arm
from isobudget.solving.recorded_arms import Recorded

#: from which part of its budget on a policy is said to spend it
_SPENT = 0.99
#: budgets that are named one by one
_FEW = 3
#: of fewer problems a plan says that they are few
_PROBLEMS = 20
#: policies that draw from one model; batches of `doubling` end before or behind a budget anyway
_OF_ONE_MODEL = (Policy.FIRST_PASS,)
_ENDED = "all recorded samples"
_DEARER = (
    "Where a policy spends more than the budget, it was learned on problems that need less than those it was tried on: "
    "its gain is not a gain at this budget, and it is not recommended."
)
_MIXED = (
    "Where the last step states a share of the problems, two neighbouring schedules are mixed, so that the budget is "
    "met on average."
)


def plan_notes(recorded: Recorded, learned: Mapping[Policy, Sequence[Learned]], unit: str) -> list[str]:
    """The notes of a plan, each only where it is true.

    Args:
        recorded: what it was made from.
        learned: by policy, one entry per budget.
        unit: of the budgets.
    """
    arms, rows = recorded.arms, [row for own in learned.values() for row in own if row.draws]
    notes = []
    if len(arms) == 1:
        notes.append(f"Only {arms[0].name} was given: there are no sizes to mix, only when to stop.")
    if all(np.all(arm.c == arm.n) for arm in arms):
        notes.append(f"Every sample passed: one sample of {cheapest_arm(arms)} solves everything.")
    if not all(row.draws for own in learned.values() for row in own):
        cheapest = with_unit(min(arm.first_draw for arm in arms), unit)
        notes.append(
            f"Where a policy shows -, the budget does not pay for its first draw; one sample of {cheapest_arm(arms)}, "
            f"the cheapest, costs {cheapest}."
        )
    if len(recorded.task_ids) < _PROBLEMS:
        few = counted(len(recorded.task_ids), "problem")
        notes.append(f"Learned from {few} only: expect other problems to differ a lot.")
    schedules = [one for row in rows for one in (row.schedule, *(row.by_label or {}).values()) if one is not None]
    notes += [_MIXED] if any(schedule.last_share < 1 for schedule in schedules) else []
    notes += unspent_notes(rows, arms, unit)
    notes += other_model_notes(rows, unit)
    return notes if all(map(affords, rows)) else [*notes, _DEARER]


def unspent_notes(rows: Sequence[Learned], arms: Sequence[Arm], unit: str) -> list[str]:
    """Which policies spend less than their budget, where and why; one sentence per policy and reason."""
    budgets_by_reason: dict[tuple[Policy, str], list[float]] = {}
    for row in rows:
        if float(row.spent.mean()) < _SPENT * row.budget:
            budgets_by_reason.setdefault((row.policy, _why(row, arms)), []).append(row.budget)
    of_policy = {policy: sum(row.policy is policy for row in rows) for policy, _ in budgets_by_reason}
    names_by_reason: dict[tuple[str, str], list[str]] = {}
    for (policy, why), budgets in budgets_by_reason.items():
        names_by_reason.setdefault((_where(budgets, of_policy[policy], unit), why), []).append(_named(policy))
    return [
        f"Spending stays below the budget with {listed(names)} {where}: {why}."
        for (where, why), names in names_by_reason.items()
    ]


def other_model_notes(rows: Sequence[Learned], unit: str) -> list[str]:
    """For policies of one model, where the measurement used other models than the policy; one sentence per policy.

    What the schedule of all problems spends on them then differs from what the folds spent.
    """
    budgets_by_policy: dict[Policy, list[float]] = {}
    for row in rows:
        if row.policy in _OF_ONE_MODEL and abs(float(row.spent.mean()) / row.own_cost - 1) > SLACK:
            budgets_by_policy.setdefault(row.policy, []).append(row.budget)
    of_policy = {policy: sum(row.policy is policy for row in rows) for policy in budgets_by_policy}
    return [
        f"The numbers of {_named(policy)} {_where(budgets, of_policy[policy], unit)} are from more than one model: "
        "learned on some of the problems, it runs another model than learned on all of them."
        for policy, budgets in budgets_by_policy.items()
    ]


def _named(policy: Policy) -> str:
    name = policy.replace("_", " ")
    return f"the policy {name}" if name.startswith("by ") else name


def _why(row: Learned, arms: Sequence[Arm]) -> str:
    """Why a policy spends less than its budget."""
    schedules = [row.schedule] if row.schedule is not None else list((row.by_label or {}).values())
    most = {arm.name: int(arm.n.min()) for arm in arms}
    ended = [name for name in most if any(one.counts().get(name, 0) >= most[name] for one in schedules)]
    of = f" of {listed(ended)}" if 0 < len(ended) < len(most) else ""
    if row.policy is Policy.FIXED_K:
        return f"{_ENDED}{of} are drawn" if ended else "another whole sample does not fit in it"
    if float(row.success.min()) > 1 - 1e-9:
        return "every problem passes for less"
    if row.own_cost >= _SPENT * row.budget:
        return "problems that it was not learned on cost it less"
    if row.schedule is None:
        return "its orders of draws end before that"
    return f"{_ENDED}{of} are drawn"


def _where(budgets: Sequence[float], every: int, unit: str) -> str:
    if len(budgets) <= _FEW:
        return f"at {listed([with_unit(budget, unit) for budget in budgets])}"
    return "at every budget" if len(budgets) == every else f"at {len(budgets)} of {every} budgets"
