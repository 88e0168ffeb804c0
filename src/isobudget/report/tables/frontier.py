"""The terminal's tables of the frontier: the policy to use at each budget of a comparison, and the policy's draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from isobudget.grid import Grid, headed, interval, percent, with_unit
from isobudget.policies.choose import PlanRow
from isobudget.report.tables.plan import NAMES, gain_cells
from isobudget.solving.sentence import ahead_notes, shown_steps

NOTE = (
    "Shown: the simplest policy within noise of the best, unless another does as well for less. Success is measured "
    "on problems that the policy was not learned on. Budgets: spending per problem, on average. gain: points over the "
    "best single model with fixed k at the same budget. All but fixed k stop at the first pass."
)


def frontier_grids(benchmark: str, rows: Sequence[PlanRow], level: float, short: Mapping[str, str]) -> list[Grid]:
    """Two tables with one row per budget: the success of the policies, and their draws.

    Args:
        benchmark: name of the benchmark, empty if not stated.
        rows: rows from `policies.frontier.frontier`.
        level: confidence level of the intervals.
        short: a short label for each model.
    """
    shown = f"{level:.0%}"
    cells = [
        (
            with_unit(row.budget, row.unit),
            NAMES[row.policy],
            percent(row.success),
            interval(row.low, row.high),
            *gain_cells(row),
        )
        for row in rows
    ]
    steps = [
        (with_unit(row.budget, row.unit), "" if row.schedule is None else shown_steps(row.schedule, dict(short)))
        for row in rows
    ]
    title = headed(benchmark, "the policy to use at each budget")
    columns = ("Budget", "policy", "solves", shown, "gain", shown)
    return [
        Grid(title, columns, tuple(cells), notes=(NOTE, *ahead_notes(rows))),
        Grid(headed(benchmark, "what it runs, in this order"), ("Budget", "draws"), tuple(steps), words=(1,)),
    ]
