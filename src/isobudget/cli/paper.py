"""`isobudget paper`: the paper's tables, and what they say at equal budget."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from isobudget.cli.options import CsvOption, JsonOption, one_form


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
        typer.Option(help="Only this: a table by number, `budget` or `flips`. Repeatable.", show_default="all"),
    ] = None,
    benchmark: Annotated[
        str | None,
        typer.Option(help="Only this benchmark: humaneval, mbpp, apps, or one split such as apps-interview."),
    ] = None,
    unit: Annotated[
        BudgetUnit | None, typer.Option(help="Equal-budget tables in this unit only.", show_default="both")
    ] = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Print the paper's Tables 1-4, the equal-budget tables that follow from them, and where the verdict flips.

    Table 1 stands beside our own count of the same flops. Between published k, pass@k is interpolated in log k and
    marked with ~.

    Example: what each model reaches on HumanEval for the flops of one 70B sample, half of it, twice of it, ...

        isobudget paper --table budget --benchmark humaneval --unit flops
    """
    from isobudget.cli.show import print_csv, print_json
    from isobudget.costs.cost import Unit
    from isobudget.errors import InputError
    from isobudget.paper import pass_tables
    from isobudget.report.tables.paper import paper_grids, paper_records
    from isobudget.report.tables.terminal import print_grids

    one_form(as_json, as_csv)
    parts = tuple(table or Part)
    units = (Unit(unit.value),) if unit else (Unit.FLOPS, Unit.SECONDS)
    tables = pass_tables(benchmark)
    if as_json:
        keys = {part: f"table_{part}" if part.isdigit() else str(part) for part in parts} | {
            Part.BUDGET: "equal_budget"
        }
        print_json({keys[part]: paper_records(part, tables, units) for part in parts})
    elif as_csv:
        if len(parts) != 1:
            raise InputError("CSV holds one table; choose it with --table 1, 2, 3, 4, budget or flips")
        print_csv(paper_records(parts[0], tables, units))
    else:
        print_grids([grid for part in parts for grid in paper_grids(part, tables, units)])
