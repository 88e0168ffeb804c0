"""`isobudget report`: the tables, figures and page of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isobudget.cli.options import (
    SOURCES_HELP,
    CostsOption,
    FromOption,
    GpusOption,
    HourOption,
    JsonOption,
    RateOption,
    SharePromptOption,
    SimultaneousOption,
)


def report(
    run: Annotated[list[str], typer.Argument(metavar="RUN|FILE...", help=SOURCES_HELP, show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Folder for the report.", show_default="RUN/report, reports/NAME of files"),
    ] = None,
    unit: Annotated[
        list[str] | None,
        typer.Option(
            help="Unit of the budgets: flops, seconds, device_seconds, tokens or joules. Repeatable.",
            show_default="flops, device_seconds",
        ),
    ] = None,
    costs: CostsOption = None,
    tokens_per_second: RateOption = None,
    usd_per_gpu_hour: HourOption = None,
    gpus: GpusOption = None,
    from_: FromOption = None,
    simultaneous: SimultaneousOption = None,
    share_prompt: SharePromptOption = None,
    as_json: JsonOption = False,
) -> None:
    """Report on a run, or files of results: which model to use at which budget, as tables, figures, JSON and a page.

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
            costs=costs,
            tokens_per_second=tokens_per_second,
            usd_per_gpu_hour=usd_per_gpu_hour,
            gpus=gpus,
            from_=from_,
            simultaneous=simultaneous,
            share_prompt=share_prompt,
            progress=progress,
        )
    if as_json:
        typer.echo(made.json.read_text(encoding="utf-8"))
    else:
        print_report(made)
