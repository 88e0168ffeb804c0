"""A table as data, and how it is put on a terminal or into CSV.

Rooms build `Grid`s of finished text; the command line prints them. Figures and pages are a matter of `report`.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of finished text.

    Attributes:
        title: what it shows.
        columns: headings; the first is left-aligned, the others right.
        rows: one text per column.
        marked: (row, column) of the cells to stand out, such as the best of a row.
        notes: lines below the table.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    marked: frozenset[tuple[int, int]] = frozenset()
    notes: tuple[str, ...] = field(default=())


def with_note(grids: Sequence[Grid], note: str) -> list[Grid]:
    """The grids with a note that holds for all of them below the last."""
    return [*grids[:-1], *(replace(last, notes=(*last.notes, note)) for last in grids[-1:])]


def print_grids(grids: Sequence[Grid]) -> None:
    """Print tables to standard output, bold where marked if it is a terminal, with a star where it is not."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for grid in grids:
        table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        for place, column in enumerate(grid.columns):
            table.add_column(Text(column), justify="right" if place else "left", overflow="fold")
        for y, row in enumerate(grid.rows):
            table.add_row(*(_cell(text, (y, x) in grid.marked, console.is_terminal) for x, text in enumerate(row)))
        console.print(Text(grid.title, style="bold"))
        console.print(table)
        for note in grid.notes:
            console.print(Padding(Text(note, style="dim"), (0, 0, 0, 2)))
        console.print()


def _cell(text: str, marked: bool, terminal: bool) -> Any:
    from rich.text import Text

    if marked:
        return Text(text, style="bold green") if terminal else Text("*" + text)
    return Text(text)


def to_csv(records: Sequence[Mapping[str, Any]]) -> str:
    """Records with equal keys as CSV with a heading; NaN and None are empty."""
    if not records:
        return ""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(records[0]), lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerow({key: "" if _missing(value) else value for key, value in record.items()})
    return out.getvalue()


def json_value(value: Any) -> Any:
    """The value with NaN and infinities, which JSON lacks, as None; in mappings and sequences throughout."""
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def amount(value: float) -> str:
    """A positive number in at most three significant digits, with a power of ten beyond the everyday range."""
    if math.isnan(value):
        return "-"
    if value == 0 or 0.01 <= abs(value) < 100_000:
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:.2e}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))
