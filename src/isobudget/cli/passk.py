"""`isobudget passk`: pass@k per benchmark and model, from run folders and files of results."""

from __future__ import annotations

from typing import Any

import typer

from isobudget.cli.declared import of_api
from isobudget.cli.options import CsvOption, FormatOption, JsonOption, one_form


@of_api("passk", counts=typer.Argument(metavar="SOURCE..."))
def passk(
    given: dict[str, Any],
    form: FormatOption = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Print pass@k with its interval over problems, for each benchmark and model.

    Example: `isobudget passk counts.jsonl --k 1,5,10`
    """
    from isobudget import api
    from isobudget.cli.show import print_results

    chosen = one_form(as_json, as_csv, form)
    results = api.passk(**given)
    if not print_results(results, chosen):
        print(results)
