"""The paper's tables and what follows from them, laid out for printing and as flat records for CSV and JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from isobudget.costs.cost import Unit
from isobudget.grid import Grid
from isobudget.paper.equal_budget import DEAREST, Cell, EqualBudget, PaperFlip, cost_ratio
from isobudget.paper.tables import CITATION, CostRow, PassTable, cost_table

BUDGET_NOTE = (
    "Cells: pass@k in percent (k). ~ interpolated in log k between published k. > k lies beyond the published ones; "
    "the figure is that of the largest. - cannot afford one sample. Best of a row: bold, or * where there is no bold; "
    "none where a model lies beyond what was published."
)
FLIP_NOTE = (
    "The cheap model reaches k samples of the dear one, and wins, while one dear sample costs more than this many "
    "cheap ones; flops and time are what it costs (Table 1; Llama-3 assumed). never: not at the largest published k."
)
_BUDGET_NAMES = {Unit.FLOPS: "by flops", Unit.SECONDS: "by wall time"}


def cost_grid(rows: Sequence[CostRow]) -> Grid:
    """Table 1, our closed form beside each published count."""
    return Grid(
        title="Table 1. Cost of one sample",
        columns=("Model", "TFLOPs", "ours", "deviation", "relative", "seconds", "relative"),
        rows=tuple(
            (
                row.model,
                f"{row.flops / 1e12:.2f}",
                f"{row.our_flops / 1e12:.3f}",
                f"{row.deviation:+.2%}",
                f"{row.relative_flops:.2f}",
                f"{row.seconds:,.0f}",
                f"{row.relative_seconds:.2f}",
            )
            for row in rows
        ),
        notes=(
            "ours: closed form of one forward pass over 128 tokens. "
            "seconds: about 1,000 samples on a node of 8 A100s at the best batch size. "
            f"Tables 1-4: {CITATION}.",
        ),
    )


def pass_grid(table: PassTable) -> Grid:
    """One of Tables 2-4."""
    return Grid(
        title=f"Table {table.table}. {table.benchmark}, pass@k in percent",
        columns=("Model", *(f"k={k}" for k in table.k)),
        rows=tuple(
            (model, *(f"{value:.1f}" for value in values), *("" for _ in table.k[len(values) :]))
            for model, values in table.percent.items()
        ),
    )


def budget_grids(rows: Sequence[EqualBudget]) -> list[Grid]:
    """The equal-budget tables of one benchmark and unit, one per family."""
    by_family = ([row for row in rows if row.family == family] for family in DEAREST)
    return [_budget_grid(members) for members in by_family if members]


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
    if unit is Unit.FLOPS:
        return "Table 1 has no Llama-3: flops are our count of the same pass."
    return "Table 1 has no Llama-3: 8B taken as 1.07 x Code Llama 7B (the paper's upper figure), 70B as Code Llama 70B."


def _cell_text(cell: Cell) -> str:
    if cell.k == 0:
        return "-"
    if math.isnan(cell.percent):
        return f">{cell.at_least:.1f} ({cell.k:,})"
    return f"{'~' if cell.interpolated else ''}{cell.percent:.1f} ({cell.k:,})"


def flip_grid(table: PassTable, flips: Sequence[PaperFlip]) -> Grid:
    """At which cost ratio the verdict flips, for each pair of models, beside the ratios that the paper has."""
    ks = [k for k in table.k if any(flip.k_dear == k for flip in flips)]
    pairs = list(dict.fromkeys((flip.cheap, flip.dear) for flip in flips))
    by_place = {(flip.cheap, flip.dear, flip.k_dear): flip for flip in flips}
    rows = []
    for cheap, dear in pairs:
        found = [by_place.get((cheap, dear, k)) for k in ks]
        ratios = ("" if flip is None else "never" if flip.k_cheap is None else f"{flip.ratio:.2f}" for flip in found)
        now = (f"{cost_ratio(cheap, dear, unit):.2f}" for unit in (Unit.FLOPS, Unit.SECONDS))
        name = cheap.removeprefix("Code Llama ")
        rows.append((f"{name}/{dear.split()[-1]}", *ratios, *now))
    return Grid(
        title=f"{table.benchmark}: the cost ratio at which the verdict flips",
        columns=("Cheap/dear", *(f"k={k}" for k in ks), "flops", "time"),
        rows=tuple(rows),
    )


def cost_records() -> list[dict[str, Any]]:
    """Table 1 as flat records."""
    return [
        {
            "model": row.model,
            "flops": row.flops,
            "our_flops": row.our_flops,
            "deviation": row.deviation,
            "relative_flops": row.relative_flops,
            "seconds": row.seconds,
            "relative_seconds": row.relative_seconds,
        }
        for row in cost_table()
    ]


def pass_records(tables: Sequence[PassTable]) -> list[dict[str, Any]]:
    """Tables 2-4 as flat records, one per published number."""
    return [
        {"table": table.table, "benchmark": table.benchmark, "model": model, "k": k, "percent": value}
        for table in tables
        for model, values in table.percent.items()
        for k, value in zip(table.k, values, strict=False)
    ]


def budget_records(rows: Sequence[EqualBudget]) -> list[dict[str, Any]]:
    """Equal-budget rows as flat records, one per model and budget."""
    return [
        {
            "benchmark": row.benchmark,
            "unit": str(row.unit),
            "samples_of_70b": row.multiple,
            "budget": row.budget,
            "model": model,
            "k": cell.k,
            "percent": cell.percent,
            "interpolated": cell.interpolated,
            "best": model == row.best,
            "reason": cell.reason,
        }
        for row in rows
        for model, cell in row.cells.items()
    ]


def flip_records(flips: Sequence[PaperFlip]) -> list[dict[str, Any]]:
    """Flips as flat records, with the paper's cost ratios beside."""
    return [
        {
            "benchmark": flip.benchmark,
            "cheap": flip.cheap,
            "dear": flip.dear,
            "k_dear": flip.k_dear,
            "k_cheap": flip.k_cheap,
            "ratio": flip.ratio,
            "ratio_by_flops": cost_ratio(flip.cheap, flip.dear, Unit.FLOPS),
            "ratio_by_seconds": cost_ratio(flip.cheap, flip.dear, Unit.SECONDS),
            "reason": flip.reason,
        }
        for flip in flips
    ]


__all__ = [
    "BUDGET_NOTE",
    "FLIP_NOTE",
    "budget_grids",
    "budget_records",
    "cost_grid",
    "cost_records",
    "flip_grid",
    "flip_records",
    "pass_grid",
    "pass_records",
]
