"""`isobudget prompt`: shows what a model receives for one problem."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from isobudget.cli.declared import of_api
from isobudget.cli.options import JsonOption


@of_api("prompt", target=Annotated[str | None, typer.Argument(metavar="TARGET")], format=typer.Option("-f", "--format"))
def prompt(
    given: dict[str, Any],
    list_formats: Annotated[bool, typer.Option("--list", help="List the prompt formats of isobudget.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show a prompt exactly as a model gets it: plain text unchanged, a conversation with its roles.

    Examples: `isobudget prompt mbpp/11`, `isobudget prompt HumanEval/0 --format chat`, or
    `isobudget prompt mbpp=data/mbpp.jsonl/11 --json` with a copy of MBPP's file in `data`.
    """
    from isobudget import api
    from isobudget.cli.show import print_json

    if list_formats:
        known = api.formats()
        if as_json:
            print_json(known.to_dict())
        else:
            _print_formats(known.to_records())
        return
    if "target" not in given:
        raise typer.BadParameter("is required: BENCHMARK/TASK, such as mbpp/11", param_hint="TARGET")
    shown = api.prompt(**given)
    if as_json:
        print_json(shown.to_dict())
    else:
        sys.stdout.write(str(shown))


def _print_formats(rows: list[dict[str, Any]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table("format", "kind", "extraction", "what the model gets", box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(row["name"], row["kind"], row["extraction"], row["title"])
    Console().print(table)
