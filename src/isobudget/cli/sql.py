"""`isobudget sql`: ask a run by SQL."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isobudget.cli.options import CsvOption, FormatOption, JsonOption, one_form


def sql(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    query: Annotated[str, typer.Argument(metavar="QUERY", help="One statement of DuckDB's SQL.")],
    form: FormatOption = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Ask a run by SQL (DuckDB): tables samples, greedy, verdicts, problems and scores; passed is 0 or 1.

    Example: `isobudget sql runs/mine "select model, avg(passed) from samples group by model"`
    """
    from isobudget import api
    from isobudget.cli.show import print_results
    from isobudget.report.tables.terminal import print_grids

    chosen = one_form(as_json, as_csv, form)
    results = api.sql(run, query)
    if not print_results(results, chosen):
        print_grids(results.grids())
