"""A report on the terminal: success at equal budget, where the verdict flips, the verdict in words, the files' paths.

The tables are those of `isobudget curves`, so that both commands say the same in the same form; 80 columns suffice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from isobudget.curves import Comparison
from isobudget.grid import Grid, print_grids
from isobudget.report.tables.comparison import comparison_grids
from isobudget.report.tables.sentence import winner_sentence

if TYPE_CHECKING:
    from isobudget.report.build import Report


def equal_budget_table(comparison: Comparison) -> Grid:
    """Success of every model at each budget, the best marked; print it with `isobudget.grid.print_grids`."""
    _, equal_budget, *_ = comparison_grids(comparison)
    return equal_budget


def flip_table(comparison: Comparison) -> Grid | None:
    """The cost ratio at which the verdict on each pair of models flips; None for a single model."""
    return comparison_grids(comparison)[-1] if len(comparison.curves) > 1 else None


def print_report(report: Report) -> None:
    """Print the report's tables, its sentences and where its files are."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    comparisons = [one for summary in report.summaries for one in summary.by_tests.values()]
    for comparison, grids in zip(comparisons, _with_each_note_once(comparisons), strict=True):
        print_grids(grids)
        console.print(Text(winner_sentence(comparison)))
        console.print()
    folder = report.page.parent
    for line in (
        *report.notes,
        f"Page:    {report.page}",
        *(f"Figure:  {path}" for path in report.figures if path.suffix == ".png"),
        f"JSON:    {report.json}",
        f"All figures, as PNG and SVG, are in {folder}",
    ):
        console.print(Text(line), soft_wrap=True)


def _with_each_note_once(comparisons: Sequence[Comparison]) -> list[list[Grid]]:
    """The tables of each comparison; a note that several have stays with the last of them."""
    pages = [[grid for grid in (equal_budget_table(one), flip_table(one)) if grid is not None] for one in comparisons]
    later: set[str] = set()
    for grids in reversed(pages):
        for place in reversed(range(len(grids))):
            notes = tuple(note for note in grids[place].notes if note not in later)
            later.update(notes)
            grids[place] = replace(grids[place], notes=notes)
    return pages
