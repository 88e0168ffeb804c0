"""`isobudget passk`: pass@k per benchmark and model, from run folders and files of results."""

from __future__ import annotations

from typing import Annotated

import typer

from isobudget.cli.options import SOURCES_HELP, CsvOption, FormatOption, FromOption, JsonOption, one_form


def passk(
    counts: Annotated[list[str], typer.Argument(metavar="SOURCE...", help=SOURCES_HELP)],
    k: Annotated[str, typer.Option(help="Values of k, separated by commas.")] = "1,10,100",
    from_: FromOption = None,
    form: FormatOption = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Print pass@k with 95% intervals over problems, for each benchmark and model.

    Example: `isobudget passk counts.jsonl --k 1,5,10`
    """
    from isobudget import api
    from isobudget.cli.show import print_results

    chosen = one_form(as_json, as_csv, form)
    results = api.passk(counts, k, from_=from_)
    if not print_results(results, chosen):
        print(results)
