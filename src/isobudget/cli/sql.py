"""`isobudget sql`: query a run with SQL."""

from __future__ import annotations

from typing import Any

import typer

from isobudget.cli.declared import of_api


@of_api("sql", run=typer.Argument(metavar="RUN"), query=typer.Argument(metavar="QUERY"))
def sql(given: dict[str, Any], form: str) -> None:
    """Query a run with SQL (DuckDB): tables samples, greedy, verdicts, problems and scores; passed is 0 or 1.

    Example: `isobudget sql example "select model, avg(passed) from samples group by model"`
    """
    from isobudget import api
    from isobudget.cli.show import print_results
    from isobudget.report.tables.terminal import print_grids

    results = api.sql(**given)
    if not print_results(results, form):
        print_grids(results.grids())
