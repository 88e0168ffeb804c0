"""Prints tables on a terminal, and states the meanings of their symbols."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from isobudget.grid import Grid, column_widths, percent, printable

if TYPE_CHECKING:
    from rich.console import Console

    from isobudget.curves import Point

NOT_AFFORDED = "cannot afford one sample"
CAPPED = "budget buys more than was recorded: no lead over this model is clear"
UNCERTAIN = "k above half the recorded samples: unbiased, but rests on few samples"
#: meanings of the marks of `point_cell`
POINT_SYMBOLS = {"-": NOT_AFFORDED, ">": CAPPED, "?": UNCERTAIN}


def legend(rows: Iterable[Iterable[str]], symbols: dict[str, str]) -> tuple[str, ...]:
    """One line with the meaning of each symbol that begins or ends a cell."""
    cells = [cell for row in rows for cell in row]
    return tuple(
        f"{symbol}  {meaning}"
        for symbol, meaning in symbols.items()
        if any(cell.startswith(symbol) or cell.endswith(symbol) for cell in cells)
    )


def point_cell(point: Point) -> str:
    """Success in percent and k, with the symbols of `POINT_SYMBOLS`: `>38.8 (20)?`."""
    if point.k == 0:
        return "-"
    return f"{'>' * point.capped}{percent(point.success)} ({point.k:,}){'' if point.trusted else '?'}"


@contextlib.contextmanager
def without_trailing_blanks(console: Console) -> Iterator[None]:
    """Strip the spaces that end lines, of padded tables and wrapped text, from everything printed in this context."""
    with console.capture() as captured:
        yield
    console.file.write(re.sub(r"[ \t]+$", "", captured.get(), flags=re.MULTILINE))
    console.file.flush()


def print_grids(grids: Sequence[Grid], console: Console | None = None) -> None:
    """Print tables to `console`, by default standard output; marked cells are bold on a terminal, else have a star.

    Notes below each table explain its marks. A table that is too wide is replaced by its narrow form; no number is
    broken across lines.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    console = console or Console(highlight=False)
    best = "bold: best of its row" if console.is_terminal else "*  best of its row"
    for wide in grids:
        grid = _fitting(_starred(wide, console.is_terminal), console.width)
        widths = column_widths(grid, console.width)
        table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        for x, column in enumerate(grid.columns):
            width = None if widths is None else widths[x]
            heading = Text(column if width is None else _wrapped(column, width))
            table.add_column(heading, justify="right" if x else "left", overflow="fold", width=width)
        for y, row in enumerate(grid.rows):
            texts = row if widths is None else map(_wrapped, row, widths)
            table.add_row(*(_cell(text, (y, x) in grid.marked, console.is_terminal) for x, text in enumerate(texts)))
        with without_trailing_blanks(console):
            console.print(Text(printable(grid.title), style="bold"))
            console.print(table)
            for note in (*grid.notes, *grid.legend, *([best] if grid.marked else [])):
                console.print(Padding(Text(printable(note), style="dim"), (0, 0, 0, 2)))
            console.print()


def _fitting(grid: Grid, width: int) -> Grid:
    """The grid, or its narrow form if the grid is too wide."""
    while grid.narrow is not None and column_widths(grid, width) is None:
        grid = grid.narrow
    return grid


def _starred(grid: Grid, terminal: bool) -> Grid:
    """The grid with printable text, and a star before marked cells if they cannot be bold; also in its narrow form."""
    rows = tuple(
        tuple("*" * ((y, x) in grid.marked and not terminal) + printable(text) for x, text in enumerate(row))
        for y, row in enumerate(grid.rows)
    )
    narrow = None if grid.narrow is None else _starred(grid.narrow, terminal)
    return replace(grid, rows=rows, columns=tuple(map(printable, grid.columns)), narrow=narrow)


def _wrapped(text: str, width: int) -> str:
    """The text in lines of this width, broken after a space, hyphen, slash or underscore if possible."""
    lines = [""]
    for part in re.split(r"(?<=[-_/ ])", text):
        if len(lines[-1]) + len(part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.rstrip() for line in lines if line)


def grids_text(grids: Sequence[Grid]) -> str:
    """The text that `print_grids` writes if the output is no terminal, 100 columns wide."""
    from rich.console import Console

    console = Console(file=io.StringIO(), highlight=False, width=100)
    print_grids(grids, console)
    return console.file.getvalue().rstrip()  # type: ignore[attr-defined,no-any-return]


def print_text(text: str) -> None:
    """Print a paragraph to standard output, wrapped to the terminal, without interpreting markup."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    with without_trailing_blanks(console):
        console.print(Text(printable(text)))


def _cell(text: str, marked: bool, terminal: bool) -> Any:
    from rich.text import Text

    return Text(text, style="bold green") if marked and terminal else Text(text)
