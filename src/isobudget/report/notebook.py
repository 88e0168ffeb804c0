"""Shows results in a notebook: the verdict and a small table as HTML, a figure, flat rows.

The HTML stays small for a result of any size. Texts may come from untrusted files, so all are escaped. There is no
script and no style sheet: tables have the notebook's own style, light or dark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import singledispatch
from html import escape
from typing import Any

from isobudget.analysis.compare_two import Compared
from isobudget.analysis.passk import PassAtK, passk_records
from isobudget.curves import Comparison, Curve
from isobudget.errors import InputError
from isobudget.grid import Grid, counted, json_value, printable
from isobudget.ranking.rank import BenchmarkRanking
from isobudget.report.figures.comparison import ComparisonFigure, comparison_plot
from isobudget.report.figures.frontier import frontier_plot
from isobudget.report.figures.parts import Plot
from isobudget.report.figures.passk import passk_plots
from isobudget.report.figures.picture import Picture
from isobudget.report.figures.ranking import ranking_plots
from isobudget.report.json.comparison import point_records
from isobudget.report.json.ranking import ranking_records
from isobudget.report.tables.compared import compared_grid, compared_record, verdict
from isobudget.report.tables.comparison import equal_budget_table
from isobudget.report.tables.passk import passk_grid
from isobudget.report.tables.plan import plan_grids
from isobudget.report.tables.ranking import ranking_grids
from isobudget.report.tables.sentence import headline
from isobudget.results import Results
from isobudget.solving.plan import Plan

#: most tables that are shown, and most rows of each
_MOST_TABLES, _MOST_ROWS = 3, 24


@singledispatch
def html_of(thing: Any) -> str:
    """The HTML of a result in a notebook, a few kilobytes."""
    return f"<pre>{escape(printable(repr(thing)[:4000]))}</pre>"


@html_of.register
def _(thing: Comparison) -> str:
    return _paragraph(headline(thing)) + _table(equal_budget_table(thing))


@html_of.register
def _(thing: Plan) -> str:
    return _paragraph(thing.sentence) + _table(plan_grids(thing)[0])


@html_of.register
def _(thing: Compared) -> str:
    return _paragraph(verdict(thing)) + _table(compared_grid(thing))


@html_of.register
def _(thing: PassAtK) -> str:
    return _table(passk_grid([thing]))


@html_of.register
def _(thing: BenchmarkRanking) -> str:
    return _tables(ranking_grids(thing)[: len(thing.models)])


@html_of.register
def _(thing: Results) -> str:  # type: ignore[type-arg]
    kinds = {type(one) for one in thing}
    if kinds & {Comparison, Compared, BenchmarkRanking}:
        shown = [html_of(one) for one in thing[:_MOST_TABLES]]
        return "".join(shown) + _more(len(thing) - len(shown), "result")
    return _tables(thing.grids()) or html_of(repr(thing))


def _tables(grids: Sequence[Grid]) -> str:
    return "".join(map(_table, grids[:_MOST_TABLES])) + _more(len(grids) - _MOST_TABLES, "table")


def _table(grid: Grid) -> str:
    """A table with its title above and its notes below; marked cells are bold."""
    head = "".join(f'<th scope="col">{_text(text)}</th>' for text in grid.columns)
    rows = "".join(f"<tr>{''.join(_cells(grid, y))}</tr>" for y in range(min(len(grid.rows), _MOST_ROWS)))
    notes = "".join(f"<br>{_text(note)}" for note in (*grid.notes, *grid.legend))
    more = _more(len(grid.rows) - _MOST_ROWS, "row")
    return (
        f"<table><caption><b>{_text(grid.title)}</b></caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
        f"</table>{more}<small>{notes.removeprefix('<br>')}</small>"
    )


def _cells(grid: Grid, y: int) -> Iterable[str]:
    for x, text in enumerate(grid.rows[y]):
        shown = f"<b>{_text(text)}</b>" if (y, x) in grid.marked else _text(text)
        yield f"<td>{shown}</td>" if x else f'<th scope="row">{shown}</th>'


def _paragraph(text: str) -> str:
    return f"<p>{'<br>'.join(map(_text, text.splitlines()))}</p>"


def _more(count: int, thing: str) -> str:
    return f"<p>… and {counted(count, thing)} more</p>" if count > 0 else ""


def _text(text: str) -> str:
    return escape(printable(text))


# figures --------------------------------------------------------------------------------------------------------------

_PLOTS: Mapping[type, Callable[[Any], Mapping[str, Plot]]] = {
    Comparison: lambda one: {"": comparison_plot(ComparisonFigure({one.unit: one}))},
    Plan: lambda one: {"": frontier_plot(one)},
    PassAtK: lambda one: passk_plots([one]),
    BenchmarkRanking: lambda one: ranking_plots([one]),
}


def picture_of(thing: Any) -> Picture:
    """The figure of a result.

    Raises:
        InputError: the result has no figure, or is a collection of results with several figures.
    """
    plots = thing.plots() if isinstance(thing, Results) else _PLOTS.get(type(thing), lambda _: {})(thing)
    if not plots:
        raise InputError("this result has no figure")
    if len(plots) > 1:
        raise InputError(f"this result has several figures: {', '.join(plots)}; choose one by name: figures()[NAME]")
    return Picture(next(iter(plots.values())))


def pictures_of(thing: Results[Any]) -> dict[str, Picture]:
    """The figures of several results, by their names."""
    return {name: Picture(plot) for name, plot in thing.plots().items()}


def records_of(thing: Any) -> list[dict[str, Any]]:
    """The flat rows of a single result, as its command writes them."""
    rows: Mapping[type, Callable[[Any], Any]] = {
        Comparison: point_records,
        Compared: lambda one: [compared_record(one)],
        PassAtK: lambda one: passk_records([one]),
        BenchmarkRanking: ranking_records,
        Curve: _curve_records,
    }
    made: list[dict[str, Any]] = json_value(rows[type(thing)](thing))
    return made


def _curve_records(curve: Curve) -> list[dict[str, Any]]:
    columns = (curve.k, curve.cost, curve.success, curve.low, curve.high)
    names = ("k", "cost", "success", "low", "high")
    return [json_value(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]
