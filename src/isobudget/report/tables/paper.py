"""The paper's tables and the results derived from them, for printing and as flat records for CSV and JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import groupby
from typing import Any

from isobudget.costs.cost import Unit
from isobudget.errors import InputError
from isobudget.grid import Grid, picked, ratio, with_notes
from isobudget.paper.equal_budget import (
    DEAREST,
    BudgetCell,
    EqualBudget,
    PaperFlip,
    cost_ratio,
    equal_budget,
    paper_flips,
)
from isobudget.paper.tables import CITATION, CostRow, PassTable, cost_table
from isobudget.report.tables.terminal import NOT_AFFORDED, legend

BUDGET_NOTE = "Cells: pass@k in percent (k)."
FLIP_NOTE = (
    "How many samples of the cheaper model one sample of the other must cost, so that the cheaper one does at least "
    "as well as k samples of the other. flops, time: the ratio of their costs (Table 1; Llama-3 assumed)."
)
#: marks of cells in these tables, and their meanings
BUDGET_SYMBOLS = {
    "-": NOT_AFFORDED,
    "~": "interpolated between published k",
    ">": "above the largest published k, whose pass@k is shown; the row has no best",
}
FLIP_SYMBOLS = {"never": "not reached at the largest published k"}
_BUDGET_NAMES = {Unit.FLOPS: "by flops", Unit.SECONDS: "by wall time"}


#: the parts of `isobudget paper`, and their names in JSON
PARTS = {**{str(number): f"table_{number}" for number in range(1, 5)}, "budget": "equal_budget", "flips": "flips"}


def parse_parts(names: Sequence[str]) -> tuple[str, ...]:
    """The parts with these names; all parts if `names` is empty. Raises `InputError` for an unknown name."""
    wrong = [name for name in names if name not in PARTS]
    if wrong:
        raise InputError(f"no table {wrong[0]!r} of the paper; tables: {', '.join(PARTS)}")
    return tuple(dict.fromkeys(names)) or tuple(PARTS)


def parse_units(name: Unit | str | None) -> tuple[Unit, ...]:
    """The unit with this name; both units of the paper for None. Raises `InputError` for any other unit."""
    units = (Unit.FLOPS, Unit.SECONDS)
    if name is None:
        return units
    if name not in units:
        raise InputError(f"the paper counts in flops and seconds, not in {name!r}")
    return (Unit(name),)


def paper_json(parts: Sequence[str], tables: Sequence[PassTable], units: Sequence[Unit]) -> dict[str, Any]:
    """The records of several parts, by the names of the parts in JSON."""
    return {PARTS[part]: paper_records(part, tables, units) for part in parts}


def paper_rows(parts: Sequence[str], tables: Sequence[PassTable], units: Sequence[Unit]) -> list[dict[str, Any]]:
    """The records of a single part. Raises `InputError` for several: their columns differ."""
    if len(parts) != 1:
        raise InputError("CSV holds one table; choose it with --table 1, 2, 3, 4, budget or flips")
    return paper_records(parts[0], tables, units)


def paper_grids(part: str, tables: Sequence[PassTable], units: Sequence[Unit]) -> list[Grid]:
    """The tables of one part: a table by its number, `budget` or `flips`."""
    if part == "1":
        return [_cost_grid(cost_table())]
    if part == "budget":
        return _budget_grids([row for table in tables for unit in units for row in equal_budget(table, unit)])
    if part == "flips":
        return _explained([_flip_grid(table, paper_flips(table)) for table in tables], FLIP_NOTE, FLIP_SYMBOLS)
    return [_pass_grid(table) for table in tables if str(table.table) == part]


def paper_records(part: str, tables: Sequence[PassTable], units: Sequence[Unit]) -> list[dict[str, Any]]:
    """The flat records of one part."""
    if part == "1":
        return _cost_records()
    if part == "budget":
        return _budget_records([row for table in tables for unit in units for row in equal_budget(table, unit)])
    if part == "flips":
        return _flip_records([flip for table in tables for flip in paper_flips(table)])
    return _pass_records([table for table in tables if str(table.table) == part])


def _cost_grid(rows: Sequence[CostRow]) -> Grid:
    """Table 1, with our closed form beside each published count."""
    note = (
        "ours: closed form of one forward pass over 128 tokens. seconds: about 1,000 samples on a node of 8 A100s at "
        f"the best batch size. Tables 1-4: {CITATION}."
    )
    columns = ("Model", "TFLOPs", "ours", "deviation", "relative", "seconds", "relative")
    return Grid("Table 1. Cost of one sample", columns, tuple(map(_cost_row, rows)), notes=(note,))


def _cost_row(row: CostRow) -> tuple[str, ...]:
    flops = f"{row.flops / 1e12:.2f}", f"{row.our_flops / 1e12:.3f}", f"{row.deviation:+.2%}"
    return row.model, *flops, f"{row.relative_flops:.2f}", f"{row.seconds:,.0f}", f"{row.relative_seconds:.2f}"


def _pass_grid(table: PassTable) -> Grid:
    """One of Tables 2-4."""
    return Grid(
        title=f"Table {table.table}. {table.benchmark}, pass@k in percent",
        columns=("Model", *(f"k={k}" for k in table.k)),
        rows=tuple(
            (model, *(f"{value:.1f}" for value in values), *("" for _ in table.k[len(values) :]))
            for model, values in table.percent.items()
        ),
    )


def _budget_grids(rows: Sequence[EqualBudget]) -> list[Grid]:
    """The equal-budget tables, one per benchmark, unit and family; the last one explains the cells of all."""
    tables = groupby(rows, key=lambda row: (row.benchmark, row.unit, row.family))
    return _explained([_budget_grid(list(members)) for _, members in tables], BUDGET_NOTE, BUDGET_SYMBOLS)


def _explained(grids: list[Grid], note: str, symbols: dict[str, str]) -> list[Grid]:
    marks = (replace(grid, legend=legend((row[1:] for row in grid.rows), symbols)) for grid in grids)
    return with_notes(list(marks), note)


def _budget_grid(rows: Sequence[EqualBudget]) -> Grid:
    first = rows[0]
    models = list(first.cells)
    best = {(y, models.index(row.best) + 1) for y, row in enumerate(rows) if row.best}
    notes = [_llama3_note(first.unit)] if first.family == "Llama-3" else []
    return Grid(
        title=f"{first.benchmark} at equal budget, {_BUDGET_NAMES[first.unit]}, {first.family}",
        columns=(f"Budget in {DEAREST[first.family].split()[-1]} samples", *(model.split()[-1] for model in models)),
        rows=tuple((str(Fraction(row.multiple)), *(_cell_text(cell) for cell in row.cells.values())) for row in rows),
        marked=frozenset(best),
        notes=tuple(notes),
    )


def _llama3_note(unit: Unit) -> str:
    if unit == Unit.FLOPS:
        return "Table 1 has no Llama-3: flops are our count of the same pass."
    return "Table 1 has no Llama-3: 8B taken as 1.07 x Code Llama 7B (the paper's upper figure), 70B as Code Llama 70B."


def _cell_text(cell: BudgetCell) -> str:
    if cell.k == 0:
        return "-"
    if math.isnan(cell.percent):
        return f">{cell.at_least:.1f} ({cell.k:,})"
    return f"{'~' if cell.interpolated else ''}{cell.percent:.1f} ({cell.k:,})"


def _flip_grid(table: PassTable, flips: Sequence[PaperFlip]) -> Grid:
    ks = [k for k in table.k if any(flip.k_dear == k for flip in flips)]
    pairs = list(dict.fromkeys((flip.cheap, flip.dear) for flip in flips))
    by_place = {(flip.cheap, flip.dear, flip.k_dear): flip for flip in flips}
    rows = []
    for cheap, dear in pairs:
        of_pair = [by_place.get((cheap, dear, k)) for k in ks]
        ratios = (
            "" if flip is None else "never" if flip.k_cheap is None else ratio(flip.ratio, ".2f") for flip in of_pair
        )
        now = (ratio(cost_ratio(cheap, dear, unit), ".2f") for unit in (Unit.FLOPS, Unit.SECONDS))
        name = cheap.removeprefix("Code Llama ")
        rows.append((f"{name}/{dear.split()[-1]}", *ratios, *now))
    return Grid(
        title=f"{table.benchmark}: the cost ratio at which the winner flips",
        columns=("Cheap/expensive", *(f"k={k}" for k in ks), "flops", "time"),
        rows=tuple(rows),
    )


def _cost_records() -> list[dict[str, Any]]:
    """Table 1 as flat records."""
    names = ("model", "flops", "our_flops", "deviation", "relative_flops", "seconds", "relative_seconds")
    return [picked(row, *names) for row in cost_table()]


def _pass_records(tables: Sequence[PassTable]) -> list[dict[str, Any]]:
    """Tables 2-4 as flat records, one per published number."""
    return [
        {"table": table.table, "benchmark": table.benchmark, "model": model, "k": k, "percent": value}
        for table in tables
        for model, values in table.percent.items()
        for k, value in zip(table.k, values, strict=False)
    ]


def _budget_records(rows: Sequence[EqualBudget]) -> list[dict[str, Any]]:
    """Equal-budget results as flat records, one per model and budget."""
    return [
        {"benchmark": row.benchmark, "unit": str(row.unit), "samples_of_70b": row.multiple, "budget": row.budget}
        | {"model": model, **picked(cell, "k", "percent", "interpolated")}
        | {"best": model == row.best, "reason": cell.reason}
        for row in rows
        for model, cell in row.cells.items()
    ]


def _flip_records(flips: Sequence[PaperFlip]) -> list[dict[str, Any]]:
    """Flips as flat records, including the paper's cost ratios."""
    return [
        {
            **picked(flip, "benchmark", "cheap", "dear", "k_dear", "k_cheap", "ratio"),
            "ratio_by_flops": cost_ratio(flip.cheap, flip.dear, Unit.FLOPS),
            "ratio_by_seconds": cost_ratio(flip.cheap, flip.dear, Unit.SECONDS),
            "reason": flip.reason,
        }
        for flip in flips
    ]
