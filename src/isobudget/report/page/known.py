"""The page's tables for a run that cannot be compared: success by samples, as in `isobudget passk`."""

from __future__ import annotations

from collections.abc import Iterator

from isobudget.report.known import Known
from isobudget.report.page.tables import Cell, PageTable
from isobudget.report.tables.passk import passk_grid


def success_tables(known: Known) -> Iterator[PageTable]:
    """A table of the models' pass@k for each benchmark with judged samples."""
    for benchmark, results in known.success.items():
        grid = passk_grid(results)
        rows = tuple(tuple(map(Cell, row)) for row in grid.rows)
        yield PageTable(f"Success by samples: {benchmark}", grid.columns, rows, "\n".join(grid.notes))
