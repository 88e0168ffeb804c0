"""`isobudget passk`: pass@k per benchmark and model, from run folders and files of results."""

from __future__ import annotations

from typing import Any

import typer

from isobudget.cli.declared import of_api


@of_api("passk", counts=typer.Argument(metavar="SOURCE..."))
def passk(given: dict[str, Any], form: str) -> None:
    """Print pass@k with its interval over problems, for each benchmark and model.

    Example: `isobudget passk example --k 1,5,10`
    """
    from isobudget import api
    from isobudget.cli.show import print_results, print_saved
    from isobudget.report.tables.terminal import print_grids

    results = api.passk(**given)
    if not print_results(results, form):
        print_grids(results.grids())
    print_saved(results.saved, form)
