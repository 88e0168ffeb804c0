"""The page's table of the frontier: the policy to use at each budget of a comparison, and the policy's draws."""

from __future__ import annotations

from collections.abc import Sequence

from isobudget.grid import interval, percent, with_unit
from isobudget.policies.choose import PlanRow
from isobudget.report.page.tables import Cell, PageTable
from isobudget.report.tables.frontier import NOTE
from isobudget.report.tables.plan import NAMES, gain_cells
from isobudget.solving.sentence import ahead_in_words, shown_steps


def frontier_table(rows: Sequence[PlanRow], unit: str, level: float) -> PageTable:
    """A table with one row per budget.

    Args:
        rows: rows from `policies.frontier.frontier`, at least one.
        unit: unit of the budgets.
        level: confidence level of the intervals.
    """
    lines = []
    for row in rows:
        gain, around = gain_cells(row)
        success = Cell(f"{percent(row.success)}%", interval(row.low, row.high, "–"))
        steps = "" if row.schedule is None else shown_steps(row.schedule)
        lines.append(
            (
                *(Cell(with_unit(row.budget, unit)), success, Cell(gain or "–", around)),
                *(Cell(NAMES[row.policy], "".join(ahead_in_words(row)), "text"), Cell(steps, kind="text")),
            )
        )
    caption = f"Recommended policies by budget in {unit} per problem"
    note = f"{NOTE} Intervals: {level:.0%}, over problems."
    return PageTable(caption, ("Budget", "Solves", "Gain", "Policy", "Draws"), tuple(lines), note)
