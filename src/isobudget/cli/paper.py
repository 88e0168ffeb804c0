"""`isobudget paper`: the paper's tables, and what they say at equal budget."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from isobudget.costs.cost import Unit
    from isobudget.grid import Grid
    from isobudget.paper import PassTable


class Part(StrEnum):
    """What to print: a table by its number, or what follows from them."""

    COSTS = "1"
    HUMANEVAL = "2"
    MBPP = "3"
    APPS = "4"
    BUDGET = "budget"
    FLIPS = "flips"


class BudgetUnit(StrEnum):
    """The units that the paper counts in."""

    FLOPS = "flops"
    SECONDS = "seconds"


def paper(
    table: Annotated[
        list[Part] | None,
        typer.Option(help="Only this: a table by number, `budget` or `flips`. May be repeated. Default: all."),
    ] = None,
    benchmark: Annotated[
        str | None,
        typer.Option(help="Only this benchmark: humaneval, mbpp, apps, or one split such as apps-interview."),
    ] = None,
    unit: Annotated[
        BudgetUnit | None, typer.Option(help="Equal-budget tables in this unit only. Default: both.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV; needs one --table.")] = False,
) -> None:
    """Print the paper's Tables 1-4, the equal-budget tables that follow from them, and where the verdict flips.

    Table 1 stands beside our own count of the same flops. Between published k, pass@k is interpolated in log k and
    marked with ~.

    Example: what each model reaches on HumanEval for the flops of one 70B sample, half of it, twice of it, ...

        isobudget paper --table budget --benchmark humaneval --unit flops
    """
    import json

    from isobudget.costs.cost import Unit
    from isobudget.errors import InputError
    from isobudget.grid import json_value, print_grids, to_csv
    from isobudget.paper import pass_tables

    if as_json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv", param_hint="--csv")
    parts = tuple(table or Part)
    units = (Unit(unit.value),) if unit else (Unit.FLOPS, Unit.SECONDS)
    tables = pass_tables(benchmark)
    if as_json:
        typer.echo(json.dumps(json_value({_KEYS[part]: _records(part, tables, units) for part in parts}), indent=1))
    elif as_csv:
        if len(parts) != 1:
            raise InputError("CSV holds one table; choose it with --table 1, 2, 3, 4, budget or flips")
        typer.echo(to_csv(_records(parts[0], tables, units)), nl=False)
    else:
        print_grids([grid for part in parts for grid in _grids(part, tables, units)])


_KEYS = {
    Part.COSTS: "table_1",
    Part.HUMANEVAL: "table_2",
    Part.MBPP: "table_3",
    Part.APPS: "table_4",
    Part.BUDGET: "equal_budget",
    Part.FLIPS: "flips",
}


def _grids(part: Part, tables: tuple[PassTable, ...], units: tuple[Unit, ...]) -> list[Grid]:
    from isobudget.grid import with_note
    from isobudget.paper import cost_table, equal_budget, paper_flips
    from isobudget.report.tables import paper as grids

    if part is Part.COSTS:
        return [grids.cost_grid(cost_table())]
    if part is Part.BUDGET:
        found = [grid for table in tables for unit in units for grid in grids.budget_grids(equal_budget(table, unit))]
        return with_note(found, grids.BUDGET_NOTE)
    if part is Part.FLIPS:
        return with_note([grids.flip_grid(table, paper_flips(table)) for table in tables], grids.FLIP_NOTE)
    return [grids.pass_grid(table) for table in tables if str(table.table) == part.value]


def _records(part: Part, tables: tuple[PassTable, ...], units: tuple[Unit, ...]) -> list[dict[str, Any]]:
    from isobudget.paper import equal_budget, paper_flips
    from isobudget.report.tables import paper as grids

    if part is Part.COSTS:
        return grids.cost_records()
    if part is Part.BUDGET:
        return grids.budget_records([row for table in tables for unit in units for row in equal_budget(table, unit)])
    if part is Part.FLIPS:
        return grids.flip_records([flip for table in tables for flip in paper_flips(table)])
    return grids.pass_records([table for table in tables if str(table.table) == part.value])
