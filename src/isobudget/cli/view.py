"""`isobudget view`: shows the page of a running run."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from isobudget.cli.declared import of_api


@of_api(
    "view",
    run=typer.Argument(metavar="RUN"),
    port=typer.Option(min=0, max=65_535),
    unit=Annotated[list[str] | None, typer.Option()],
    texts=typer.Option(metavar="N|all"),
    ready=None,
)
def view(given: dict[str, Any]) -> None:
    """Watch a run in the browser: its report's page, live, with progress, spending and errors.

    Only this machine can see the page. The run is not changed. The page is gone once the command is interrupted;
    `isobudget report` writes the page into files, and `isobudget report --json` its numbers.

    Example: `isobudget view example`
    """
    from isobudget import api

    api.view(**given, ready=lambda address: typer.echo(f"{address} shows the run live; Ctrl-C stops it"))
