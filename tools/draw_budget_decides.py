"""Draw docs/budget-decides.png, the picture of the README: APPS introductory by the paper's tables, at equal flops.

    python tools/draw_budget_decides.py

Points are pass@k at the samples that a budget buys; hollow ones are interpolated between published k. The best model at
each budget is named below, as by `isobudget paper --table budget --benchmark apps-introductory --unit flops`.
"""

from __future__ import annotations

from pathlib import Path

from isobudget.costs.cost import Unit
from isobudget.paper.equal_budget import EqualBudget, equal_budget
from isobudget.paper.tables import pass_tables
from isobudget.report.figures.look import Look
from isobudget.report.figures.render import figure_settings
from isobudget.report.figures.style import INK, PAPER, RULE, model_style

OUT = Path(__file__).resolve().parents[1] / "docs" / "budget-decides.png"


def rows() -> tuple[EqualBudget, ...]:
    """The rows of the table at equal flops, one for each budget."""
    (table,) = pass_tables("apps-introductory")
    return equal_budget(table, Unit.FLOPS)


def main() -> None:
    from matplotlib.figure import Figure

    known = rows()
    models = list(known[0].cells)
    with figure_settings("budget-decides", Look(points=9.0)):
        figure = Figure(figsize=(7.2, 4.0), layout="constrained")
        panel = figure.subplots()
        panel.set_xscale("log", base=2)
        panel.grid(True, color=RULE, linewidth=0.6)
        panel.set_xlabel("budget per problem, in samples of the 70B model (flops)")
        for model in models:
            colour, marker = model_style(model, models)
            points = [(row.multiple, cell) for row in known if (cell := row.cells[model]).percent == cell.percent]
            x, y = [at for at, _ in points], [cell.percent for _, cell in points]
            panel.plot(x, y, color=colour, linewidth=1.7)
            for at, cell in points:
                face = PAPER if cell.interpolated else colour
                panel.plot(at, cell.percent, marker=marker, markersize=4.8, color=colour, markerfacecolor=face)
            panel.annotate(
                model.removeprefix("Code Llama "), (x[-1], y[-1]), (6, -3), textcoords="offset points", color=colour
            )
        for row in known:
            if row.best is not None:
                colour, _ = model_style(row.best, models)
                name = row.best.removeprefix("Code Llama ")
                panel.text(row.multiple, -3.7, name, color=colour, ha="center", fontweight="bold")
        panel.set_ylim(-5, 62)
        panel.set_xlim(known[0].multiple / 1.3, known[-1].multiple * 1.7)
        panel.set_xticks([row.multiple for row in known], [_fraction(row.multiple) for row in known])
        panel.set_ylabel("problems solved, in percent (pass@k)")
        panel.set_title("Code Llama on APPS introductory: the best model depends on the budget", fontsize=10)
        panel.annotate("best:", (0, -3.7), (-6, 0), ("axes fraction", "data"), "offset points", color=INK, ha="right")
        figure.savefig(OUT, format="png", facecolor=PAPER, dpi=160)


def _fraction(multiple: float) -> str:
    return f"{multiple:g}" if multiple >= 1 else f"1/{1 / multiple:g}"


if __name__ == "__main__":
    main()
