"""`isobudget compact`: merges many small parts into few large ones."""

from __future__ import annotations

from typing import Any

import typer

from isobudget.cli.declared import of_api
from isobudget.cli.options import JsonOption


@of_api("compact", run=typer.Argument(metavar="RUN"))
def compact(given: dict[str, Any], as_json: JsonOption = False) -> None:
    """Merge the many small parts of a run into a few large ones, which are faster to read.

    The old parts move to `.superseded`. The merge may be stopped at any time: the next command that writes to the run
    completes it.

    Example: `isobudget compact runs/mine`
    """
    from isobudget import api
    from isobudget.cli.progress import TerminalProgress
    from isobudget.cli.show import print_json

    with TerminalProgress(quiet=as_json) as progress:
        made = api.compact(**given, progress=progress)
    if as_json:
        print_json(made.to_dict())
    else:
        print(made)
