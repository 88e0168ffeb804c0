"""`isobudget report`: the tables, figures and page of a run."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from isobudget.cli.declared import of_api
from isobudget.cli.options import JsonOption


@of_api(
    "report",
    run=Annotated[list[str], typer.Argument(metavar="RUN|FILE...")],
    unit=Annotated[list[str] | None, typer.Option()],
    texts=typer.Option(metavar="N|all"),
)
def report(given: dict[str, Any], as_json: JsonOption = False) -> None:
    """Report on runs, or files of results: which model to use at which budget, as tables, figures, JSON and a page.

    Nothing is generated or judged. The page needs no network; outputs of models are in texts/ beside it.

    Examples: `isobudget report example`, which needs no model, or `isobudget report runs/quickstart`,
    the run of `isobudget run quickstart`
    """
    from isobudget import api
    from isobudget.cli.progress import TerminalProgress
    from isobudget.report import print_report

    with TerminalProgress(quiet=as_json) as progress:
        made = api.report(**given, progress=progress)
    if as_json:
        typer.echo(made.json.read_text(encoding="utf-8"))
    else:
        print_report(made)
