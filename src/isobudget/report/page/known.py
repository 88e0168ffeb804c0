"""The page's tables of a run of which nothing can be compared: success by samples, as `isobudget passk` has it."""

from __future__ import annotations

from collections.abc import Iterator

from isobudget.report.known import Known
from isobudget.report.page.tables import Cell, PageTable
from isobudget.report.tables.passk import passk_grid


def success_tables(known: Known) -> Iterator[PageTable]:
    """A table for each benchmark that has judged samples: pass@k of its models."""
    for benchmark, results in known.success.items():
        grid = passk_grid(results)
        rows = tuple(tuple(map(Cell, row)) for row in grid.rows)
        yield PageTable(f"Success by samples: {benchmark}", grid.columns, rows, "\n".join(grid.notes))
