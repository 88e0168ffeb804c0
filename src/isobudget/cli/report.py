"""`isobudget report`: the tables, figures and page of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isobudget.cli.options import JsonOption, SharePromptOption, SimultaneousOption


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder with judged samples.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder for the report.", show_default="RUN/report")
    ] = None,
    unit: Annotated[
        list[str] | None,
        typer.Option(
            help="Unit of the budgets: flops, seconds, device_seconds, tokens or joules. Repeatable.",
            show_default="flops, device_seconds",
        ),
    ] = None,
    simultaneous: SimultaneousOption = None,
    share_prompt: SharePromptOption = None,
    as_json: JsonOption = False,
) -> None:
    """Report on a run: which model to use at which budget, as tables, figures, JSON and one HTML page.

    Nothing is generated or judged. The page is self-contained: no other file, no network.

    Example: `isobudget report runs/quickstart`
    """
    from isobudget import api
    from isobudget.cli.show import TerminalProgress
    from isobudget.report import print_report

    with TerminalProgress(quiet=as_json) as progress:
        made = api.report(
            run,
            out,
            unit or ("flops", "device_seconds"),
            simultaneous=simultaneous,
            share_prompt=share_prompt,
            progress=progress,
        )
    if as_json:
        typer.echo(made.json.read_text(encoding="utf-8"))
    else:
        print_report(made)
