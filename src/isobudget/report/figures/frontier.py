"""Plots the frontier: the success of each policy at each budget, one line per policy with its interval."""

from __future__ import annotations

import math

import numpy as np

from isobudget.grid import counted, headed
from isobudget.policies.choose import PlanRow
from isobudget.report.figures.parts import RING, Line, Panel, Plot, PlotPoint
from isobudget.report.figures.style import style_at
from isobudget.report.tables.plan import NAMES, plan_scale
from isobudget.solving.plan import Plan


def frontier_plot(plan: Plan) -> Plot:
    """One panel with a line per policy; for a single budget, a point per policy."""
    scale, unit = plan_scale(plan)
    rings = tuple(
        PlotPoint("recommended", RING, style_at(0), row.budget / scale, 100 * row.success) for row in plan.recommended
    )
    panel = Panel(f"{unit.replace('_', ' ')} per problem, on average", _lines(plan, scale), rings)
    title = headed(plan.benchmark, counted(plan.problems, "problem"))
    caption = (
        f"{title}: share solved by each policy against spending per problem, on average, on problems that it was not "
        f"learned on. Bands: {plan.level:.0%} intervals over problems. Rings: recommended. {plan.sentence}"
    )
    return Plot("frontier", title, "problems solved, %", (panel,), caption)


def _lines(plan: Plan, scale: float) -> tuple[Line, ...]:
    lines = []
    for policy in dict.fromkeys(row.policy for row in plan.rows):
        rows = [row for row in plan.rows if row.policy == policy and not math.isnan(row.success)]
        if rows:
            lines.append(_line(policy, rows, scale))
    return tuple(lines)


def _line(policy: str, rows: list[PlanRow], scale: float) -> Line:
    x = np.array([row.budget / scale for row in rows])
    low, y, high = (100 * np.array([getattr(row, name) for row in rows]) for name in ("low", "success", "high"))
    places, every = np.arange(len(rows)), len(rows)
    return Line(NAMES[policy], style_at(list(NAMES).index(policy)), x, y, places, every, every, low, high)
