"""`isobudget compact`: merges many small parts into few large ones."""

from __future__ import annotations

from typing import Any

import typer

from isobudget.cli.declared import of_api
from isobudget.cli.options import JsonOption


@of_api("compact", run=typer.Argument(metavar="RUN"))
def compact(given: dict[str, Any], as_json: JsonOption = False) -> None:
    """Put the many small parts of a run together into few large ones, which read faster.

    The old ones move to `.superseded`. It may be stopped at any time: the next command that writes goes on.

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
