"""`isobudget view`: the page of a run while it goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def view(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder; another process may be writing it.")],
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port on this machine; 0: any that is free.")] = 8765,
    unit: Annotated[
        list[str] | None,
        typer.Option(
            help="Unit of the budgets: flops, seconds, device_seconds, tokens or joules. Repeatable.",
            show_default="flops, device_seconds",
        ),
    ] = None,
    texts: Annotated[
        str,
        typer.Option(metavar="N|all", help="Failed outputs of each problem and model that can be opened, as `report`."),
    ] = "3",
) -> None:
    """Watch a run in the browser: its report's page, live, with progress, spending and errors.

    Only this machine can see it. Nothing is changed, and nothing is served once it is interrupted; `isobudget report`
    writes the page into files.

    Example: `isobudget view runs/quickstart`
    """
    from isobudget import api

    given = {"port": port, "texts": texts, **({"unit": tuple(unit)} if unit else {})}
    api.view(run, **given, ready=lambda address: typer.echo(f"{run}: {address} (Ctrl-C ends it)"))
