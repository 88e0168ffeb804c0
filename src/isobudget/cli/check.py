"""`isobudget check`: whether a run folder is complete and undamaged."""

from __future__ import annotations

from typing import Any

import typer

from isobudget.cli.declared import of_api
from isobudget.cli.options import JsonOption


@of_api("check", run=typer.Argument(metavar="RUN"))
def check(given: dict[str, Any], as_json: JsonOption = False) -> None:
    """Check whether a run folder is intact: hashes, counts, lost and damaged parts, and what to do about them.

    Exits with 1 if the run has a fault. Nothing is changed without `--repair`.

    Example: `isobudget check example`
    """
    from isobudget import api
    from isobudget.cli.progress import TerminalProgress
    from isobudget.cli.show import print_json

    with TerminalProgress(quiet=as_json) as progress:
        checked = api.check(**given, progress=progress)
    if as_json:
        print_json(checked.to_dict())
    else:
        print(checked)
    if not checked.whole:
        raise typer.Exit(1)
