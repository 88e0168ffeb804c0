"""Prints a report on the terminal.

It prints the verdict in two lines, success at equal budget, the cost ratios at which the winner flips, the basis of the
verdict, policies, rankers and the paths of the files. The tables are those of `isobudget curves`, so that both commands
say the same in the same form; 80 columns suffice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from isobudget.curves import Comparison
from isobudget.grid import Grid, printable
from isobudget.report.build import Report
from isobudget.report.gather import BenchmarkSummary
from isobudget.report.tables.comparison import clear_note, equal_budget_table, flip_table
from isobudget.report.tables.frontier import frontier_grids
from isobudget.report.tables.labels import prompt_note, said_of, short_labels
from isobudget.report.tables.power import power_line
from isobudget.report.tables.ranking import ranking_headline
from isobudget.report.tables.sentence import basis, headline
from isobudget.report.tables.terminal import print_grids, print_text


def print_report(report: Report) -> None:
    """Print the report's sentences and tables, and the paths of its files."""
    comparisons = [one for summary in report.summaries for one in summary.by_tests.values()]
    sentences = said_of((one.benchmark, headline(one)) for one in comparisons)
    for comparison, sentence, grids in zip(comparisons, sentences, _with_each_note_once(comparisons), strict=True):
        print_text(f"{sentence}\n")
        print_grids(grids)
        print_basis(comparison)
    for summary in report.summaries:
        print_grids(_policies(summary))
        if summary.ranking is not None:
            print_text(f"{ranking_headline(summary.ranking)}\n")
    for line in (
        *report.notes,
        f"Page:    {report.page}",
        *(f"Figure:  {path}" for path in report.figures if path.suffix == ".png"),
        f"JSON:    {report.json}",
        f"All figures, as PNG and SVG, are in {report.page.parent}",
    ):
        print(printable(line))


def _policies(summary: BenchmarkSummary) -> list[Grid]:
    """The policy to use at each budget of the first unit, if policies were learned."""
    rows = summary.frontier.get(summary.units[0], ())
    labels = short_labels([curve.model for curve in summary.first.curves])
    return frontier_grids(summary.name, rows, summary.first.bootstrap.level, labels) if rows else []


def print_basis(comparison: Comparison) -> None:
    """Print, below the tables, what the verdict above them is based on."""
    if lines := [line for line in (basis(comparison), power_line(comparison)) if line]:
        print_text("\n".join(lines) + "\n")


def print_plot(comparison: Comparison) -> None:
    """Print success against budget as a text plot; in colour if the terminal supports it.

    Raises:
        MissingExtraError: plotext is not installed.
    """
    from rich.console import Console

    from isobudget.report.figures.comparison import ComparisonFigure, comparison_plot
    from isobudget.report.figures.terminal import terminal_plot

    console = Console()
    plot = comparison_plot(ComparisonFigure({comparison.unit: comparison}))
    print(terminal_plot(plot, console.width, colours=console.is_terminal and not console.no_color), end="\n\n")


def _with_each_note_once(comparisons: Sequence[Comparison]) -> list[list[Grid]]:
    """The tables of each comparison; a note that several share is printed once, below the first.

    The notes say what was left out, and explain a table's marks, how prompts are counted, and how many budgets a clear
    lead covers.
    """
    pages = [[grid for grid in (equal_budget_table(one), flip_table(one)) if grid is not None] for one in comparisons]
    kept = {note for one in comparisons for note in (prompt_note(one), clear_note(one))}
    printed: set[str] = set()
    for comparison, grids in zip(comparisons, pages, strict=True):
        for place, grid in enumerate(grids):
            every = (*comparison.notes, *grid.notes) if place == 0 else grid.notes
            notes = tuple(note for note in every if note not in printed or note in kept)
            printed.update(notes)
            grids[place] = replace(grid, notes=notes)
    return pages
