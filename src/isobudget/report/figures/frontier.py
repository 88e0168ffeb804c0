"""The frontier: what each policy achieves at each budget, one line a policy with its band over problems."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from isobudget.errors import InputError
from isobudget.grid import counted
from isobudget.report.figures.style import INK, cut, drawing, dress, model_style, saved, set_title
from isobudget.report.tables.plan import NAMES, plan_scale
from isobudget.solving.plan import Plan

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: formats, by the ending of the file
FORMATS = ("svg", "pdf", "png")


def frontier_format(name: str) -> str:
    """The format of a file of that name.

    Raises:
        InputError: the ending is none of those that can be drawn.
    """
    ending = name.rpartition(".")[2].lower()
    if ending not in FORMATS:
        raise InputError(f"{name}: a figure ends in .svg, .pdf or .png")
    return ending


def draw_frontier(plan: Plan, kind: str = "svg") -> bytes:
    """The figure as the contents of a file.

    Args:
        plan: with two budgets or more to make lines; one budget gives points.
        kind: `svg`, `pdf` or `png`.

    Raises:
        MissingExtraError: Matplotlib is not installed.
    """
    with drawing("frontier"):
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine

        figure = Figure(figsize=(5.6, 3.9), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06))
        panel = figure.subplots()
        scale, unit = plan_scale(plan)
        _lines(panel, plan, scale)
        dress(panel, f"{unit} per problem, on average")
        panel.set_ylabel("problems solved, %")
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:,.4g}")
        panel.legend(frameon=False, loc="lower right")
        title = f"{plan.benchmark or 'Plan'}: {counted(plan.problems, 'problem')}"
        set_title(figure, cut(title, 60), 11)
        return saved(figure, kind)


def _lines(panel: Axes, plan: Plan, scale: float) -> None:
    policies = list(dict.fromkeys(row.policy for row in plan.rows))
    for policy in policies:
        rows = [row for row in plan.rows if row.policy == policy and not math.isnan(row.success)]
        colour, marker = model_style(policy, list(NAMES))
        x = [row.budget / scale for row in rows]
        low, high = [100 * row.low for row in rows], [100 * row.high for row in rows]
        panel.fill_between(x, low, high, color=colour, alpha=0.4 / max(3, len(policies)), linewidth=0)
        success = [100 * row.success for row in rows]
        panel.plot(x, success, color=colour, marker=marker, markersize=4.8, linewidth=1.7, label=NAMES[policy])
    panel.plot(
        [row.budget / scale for row in plan.recommended],
        [100 * row.success for row in plan.recommended],
        label="recommended",
        linestyle="none",
        marker="o",
        markersize=10,
        markerfacecolor="none",
        markeredgecolor=INK,
    )
