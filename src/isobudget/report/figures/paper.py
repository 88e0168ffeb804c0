"""The paper's Figures 2-6, 10 and 11 replotted from its Tables 1-4: pass@k against samples, flops and seconds.

A marker stands for a published number, placed by the costs in Table 1. The dashes between markers show the
interpolation of `paper.equal_budget` at whole k. The paper's bands and stars are not in its tables, so they are missing
here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isobudget.costs.cost import Unit
from isobudget.grid import si_prefix
from isobudget.paper.equal_budget import family_models, sample_price
from isobudget.paper.tables import CITATION, PassTable, pass_tables
from isobudget.report.figures.parts import Line, Panel, Plot, thinned
from isobudget.report.figures.style import model_style
from isobudget.statistics.interpolation import success_between

_UNITS = (None, Unit.FLOPS, Unit.SECONDS)


@dataclass(frozen=True, slots=True)
class PaperFigure:
    """One of the paper's figures.

    Attributes:
        number: figure number in the paper.
        benchmark: benchmark of a table, such as `APPS interview`.
        family: `Code Llama` or `Llama-3`.
    """

    number: int
    benchmark: str
    family: str


#: the figures whose data is in the tables
FIGURES = (
    PaperFigure(2, "HumanEval", "Code Llama"),
    PaperFigure(3, "MBPP", "Code Llama"),
    PaperFigure(4, "APPS introductory", "Code Llama"),
    PaperFigure(5, "APPS interview", "Code Llama"),
    PaperFigure(6, "APPS competition", "Code Llama"),
    PaperFigure(10, "HumanEval", "Llama-3"),
    PaperFigure(11, "MBPP", "Llama-3"),
)


def paper_plots(tables: Sequence[PassTable]) -> dict[str, Plot]:
    """The figures of these tables, by file name without extension."""
    by_name = {table.benchmark: table for table in tables}
    return {
        f"figure-{one.number}": paper_plot(one, by_name[one.benchmark]) for one in FIGURES if one.benchmark in by_name
    }


def paper_plot(figure: PaperFigure, table: PassTable) -> Plot:
    """One figure, from the table of its benchmark."""
    models = family_models(table, figure.family)
    everyone = [model for one in pass_tables() for model in one.percent]
    panels = tuple(_panel(table, models, everyone, unit) for unit in _UNITS)
    assumed = " Llama-3 is not in Table 1: flops are our count, seconds those of Code Llama." * (
        figure.family == "Llama-3"
    )
    caption = (
        f"{figure.family} on {table.benchmark}, pass@k in percent against samples, flops and seconds per problem, as "
        f"in Figure {figure.number} of the paper, drawn from its Tables 1 and {table.table}. {_reach(table, models)} "
        f"Markers: published. Dashes: interpolated between published k. The paper's stars (greedy outputs) are in no "
        f"table.{assumed} {CITATION}."
    )
    return Plot(
        name=f"paper-{figure.number}",
        title=f"{table.benchmark}, {figure.family}: Figure {figure.number} from the tables",
        y_label="problems solved: pass@k, %",
        panels=panels,
        caption=caption,
        key=(("dashed", "interpolated"),),
    )


def _reach(table: PassTable, models: Sequence[str]) -> str:
    """Where each line begins and ends, in words."""
    ends = (
        f"{model} {table.percent[model][0]} at k = 1 to {table.percent[model][-1]} at k = "
        f"{table.k[len(table.percent[model]) - 1]:,}"
        for model in models
    )
    return f"{'; '.join(ends)}."


def _panel(table: PassTable, models: Sequence[str], everyone: Sequence[str], unit: Unit | None) -> Panel:
    prices = {model: 1.0 if unit is None else sample_price(model, unit).per_sample for model in models}
    scale, prefix = si_prefix(max(prices.values()), least=1e6) if unit == Unit.FLOPS else (1.0, "")
    lines = tuple(_line(table, model, everyone, prices[model] / scale) for model in models)
    return Panel("samples of each problem (k)" if unit is None else f"{prefix}{unit} per problem", lines)


def _line(table: PassTable, model: str, everyone: Sequence[str], price: float) -> Line:
    """Published numbers with the interpolation between them; x is k times the price of a sample."""
    published = np.asarray(table.percent[model])
    known = np.asarray(table.k[: len(published)])
    k = np.union1d(thinned(int(known[-1])) + 1, known)
    percent = 100 * success_between(known, published / 100, k)
    marks = np.searchsorted(k, known)
    percent[marks] = published
    return Line(model, model_style(model, everyone), k * price, percent, marks, solid=0, filled=len(k))
