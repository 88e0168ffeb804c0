"""`isobudget check`: whether a run folder is whole."""

from __future__ import annotations

from typing import Annotated

import typer

from isobudget.cli.options import JsonOption


def check(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder, also s3://BUCKET/RUN.")],
    repair: Annotated[
        bool, typer.Option("--repair", help="Repair what is safe. Files move to .superseded; nothing is deleted.")
    ] = False,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="End another writer's lease on a run in an object store.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say whether a run folder is whole, and what to do if it is not: hashes, counts, lost and damaged parts.

    Exits with 1 if anything is found. Nothing is changed without `--repair`.

    Example: `isobudget check runs/mine`
    """
    from isobudget import api
    from isobudget.cli.progress import TerminalProgress
    from isobudget.cli.show import print_json

    with TerminalProgress(quiet=as_json) as progress:
        checked = api.check(run, repair=repair, take_over=take_over, progress=progress)
    if as_json:
        print_json(checked.to_dict())
    else:
        print(checked)
    if not checked.whole:
        raise typer.Exit(1)
