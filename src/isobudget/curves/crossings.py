"""Where the lead changes between two models, among the exact budgets at which either affords one more sample."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from isobudget.curves.curve import Curve


@dataclass(frozen=True, slots=True)
class Crossing:
    """A budget at which one of two models takes the lead from the other."""

    budget: float
    leader: str
    other: str


@dataclass(frozen=True, slots=True)
class Lead:
    """The model that leads at a budget: one of the two, or None for a tie."""

    budget: float
    leader: str | None


def find_crossings(one: Curve, other: Curve) -> tuple[Crossing, ...]:
    """The budgets at which the lead changes, as far as both models have samples."""
    crossings: list[Crossing] = []
    leader = None
    for lead in leads(one, other):
        if lead.leader is None or lead.leader == leader:
            continue
        if leader is not None:
            crossings.append(Crossing(lead.budget, lead.leader, leader))
        leader = lead.leader
    return tuple(crossings)


def leads(one: Curve, other: Curve) -> Iterator[Lead]:
    """The leader at each budget at which either model affords one more sample, as far as both have samples.

    The budgets rise.
    """
    start = max(one.cost[0], other.cost[0])
    end = min(one.cost_of_more, other.cost_of_more)
    budgets = np.unique(np.concatenate([one.cost, other.cost]))
    shared = budgets[(budgets >= start) & (budgets < end)]
    ahead = one.success_at(shared) - other.success_at(shared)
    for budget, lead in zip(shared.tolist(), ahead.tolist(), strict=True):
        yield Lead(budget, None if abs(lead) <= 1e-12 else one.label if lead > 0 else other.label)
