"""`isobudget show`, and the output of all commands: JSON, CSV, notes, paths of figures.

Results go to stdout, progress and notes to stderr, so that ``--json`` can be piped.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from isobudget.cli.declared import of_api
from isobudget.cli.options import JsonOption
from isobudget.grid import json_value

if TYPE_CHECKING:
    from pathlib import Path

    from isobudget.grid import Grid


@of_api("show", run=typer.Argument(metavar="RUN"), task=typer.Argument(metavar="TASK"), model=typer.Option(metavar="M"))
def show(given: dict[str, Any], as_json: JsonOption = False) -> None:
    """Print the programs that a run recorded for a task, with their verdicts; without TASK, the run's tasks.

    Example:

        isobudget show example quickstart/3 --passed
    """
    from isobudget import api

    shown = api.show(**given)
    if as_json:
        print_json(shown.to_dict())
    else:
        print(shown, end="")


def print_json(value: Any) -> None:
    """Print a value as JSON on stdout; NaN, which JSON lacks, is null."""
    print(json.dumps(json_value(value), indent=2, allow_nan=False))


def print_csv(records: Sequence[Mapping[str, Any]]) -> None:
    """Print records with equal keys as CSV with a heading on stdout, see `isobudget.report.markup.csv_text`."""
    from isobudget.report.markup import csv_text

    sys.stdout.write(csv_text(records))


def print_results(results: Any, form: str, grids: Callable[[], Sequence[Grid]] | None = None) -> bool:
    """Print a command's results as JSON, CSV, Markdown or LaTeX; False for a table, which the command prints itself.

    Notes on what was left out of the sources go to stderr, if the form cannot contain them. `grids` gives the tables,
    if the results have none.
    """
    if form == "table":
        return False
    if form == "json":
        print_json(results.to_dict())
    elif form == "csv":
        print_csv(results.to_records())
    else:
        from isobudget.report.markup import latex, markdown

        print("\n\n".join(map(markdown if form == "markdown" else latex, (grids or results.grids)())))
        return True
    for note in getattr(results, "notes", ()):
        print(f"note: {note}", file=sys.stderr)
    return True


def print_saved(paths: Iterable[Path], form: str) -> None:
    """Print the paths of written figures: below a table, otherwise to stderr."""
    for path in paths:
        print(f"figure: {path}", file=sys.stdout if form == "table" else sys.stderr)
