"""`isobudget passk`: pass@k per benchmark and model from a COUNTS file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isobudget.cli.options import JsonOption


def passk(
    counts: Annotated[
        Path,
        typer.Argument(
            metavar="COUNTS",
            help="JSON lines with model, task_id, and n and c or passed, or one per graded sample; may be gzipped.",
        ),
    ],
    k: Annotated[str, typer.Option(help="Values of k, separated by commas.")] = "1,10,100",
    as_json: JsonOption = False,
) -> None:
    """Print pass@k with 95% intervals over problems, for each benchmark and model.

    Example: `isobudget passk counts.jsonl --k 1,5,10`
    """
    from isobudget import api
    from isobudget.cli.show import print_json

    results = api.passk(counts, k)
    if as_json:
        print_json(results.to_dict())
    else:
        print(results)
