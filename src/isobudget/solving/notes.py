"""Notes for readers of a plan: on few problems, on mixtures, and on budgets that are not spent or are exceeded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from isobudget.grid import counted, listed, with_unit
from isobudget.policies.arms import Arm
from isobudget.policies.choose import SLACK, affords
from isobudget.policies.learn import Learned, Policy
from isobudget.solving.amounts import cheapest_arm
from isobudget.solving.recorded_arms import Recorded

#: a policy that spends at least this share of its budget counts as spending it
_SPENT = 0.99
#: maximum number of budgets that a note names individually
_FEW = 3
#: a plan from fewer problems has a note on their number
_PROBLEMS = 20
#: policies that draw from one model; not `doubling`, whose batches miss a budget anyway
_OF_ONE_MODEL = (Policy.FIRST_PASS,)
_ENDED = "all recorded samples"
_DEARER = (
    "A policy that spends more than the budget was learned on problems that cost less than those on which it was "
    "measured. Its gain does not hold at this budget, so it is not recommended."
)
_MIXED = (
    "Where the last step states a share of the problems, two neighbouring schedules are mixed, so that the budget is "
    "met on average."
)


def plan_notes(recorded: Recorded, learned: Mapping[Policy, Sequence[Learned]], unit: str) -> list[str]:
    """The notes that apply to a plan.

    Args:
        recorded: the recorded results from which the plan was made.
        learned: by policy, one entry per budget.
        unit: unit of the budgets.
    """
    arms, rows = recorded.arms, [row for own in learned.values() for row in own if row.draws]
    notes = []
    if len(arms) == 1:
        notes.append(f"Only {arms[0].name} was given: a policy can choose when to stop, but not another model.")
    if all(np.all(arm.c == arm.n) for arm in arms):
        notes.append(f"Every sample passed: one sample of {cheapest_arm(arms)} solves everything.")
    if not all(row.draws for own in learned.values() for row in own):
        cheapest = with_unit(min(arm.first_draw for arm in arms), unit)
        notes.append(
            f"Where a policy shows -, the budget does not pay for the first draw. One sample of {cheapest_arm(arms)}, "
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
    """Which policies spend less than their budget, at which budgets, and why.

    Policies with the same reason at the same budgets share a sentence.
    """
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
    """Notes on policies of one model that use different models in the folds and in the final schedule.

    A note is one sentence on one policy. The policy is recognized by its spending: its schedules in the folds spent
    clearly more or less than its schedule learned on all problems.
    """
    budgets_by_policy: dict[Policy, list[float]] = {}
    for row in rows:
        if row.policy in _OF_ONE_MODEL and abs(float(row.spent.mean()) / row.own_cost - 1) > SLACK:
            budgets_by_policy.setdefault(row.policy, []).append(row.budget)
    of_policy = {policy: sum(row.policy is policy for row in rows) for policy in budgets_by_policy}
    return [
        f"The numbers of {_named(policy)} {_where(budgets, of_policy[policy], unit)} are from more than one model: "
        "when it is learned from a part of the problems, the policy chooses another model than when it is learned from "
        "all problems."
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
        return f"{_ENDED}{of} are drawn" if ended else "another whole sample does not fit"
    if float(row.success.min()) > 1 - 1e-9:
        return "every problem passes for less"
    if row.own_cost >= _SPENT * row.budget:
        return "problems that were not used for learning cost less"
    if row.schedule is None:
        return "the orders of draws end earlier"
    return f"{_ENDED}{of} are drawn"


def _where(budgets: Sequence[float], every: int, unit: str) -> str:
    if len(budgets) <= _FEW:
        return f"at {listed([with_unit(budget, unit) for budget in budgets])}"
    return "at every budget" if len(budgets) == every else f"at {len(budgets)} of {every} budgets"
