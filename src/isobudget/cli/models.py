"""`isobudget models`: lists the known models, and downloads their weights."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from isobudget.cli.options import JsonOption
from isobudget.cli.usage import Command

app = typer.Typer(invoke_without_command=True, rich_markup_mode="markdown")


def register(parent: typer.Typer) -> None:
    """Add the command group to the application."""
    parent.add_typer(app, name="models")


@app.callback()
def models(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the models known by name; `isobudget models fetch` downloads their weights.

    Example: `isobudget models --json`
    """
    if context.invoked_subcommand is not None:
        return
    from isobudget import api
    from isobudget.cli.show import print_json

    known = api.models()
    if as_json:
        print_json(known.to_dict())
    else:
        _print_table(known.to_records())


@app.command(cls=Command)
def fetch(
    names: Annotated[list[str], typer.Argument(help="Models to fetch.", metavar="NAME...")], as_json: JsonOption = False
) -> None:
    """Fetch weights and check them; weights that are already here are only checked.

    Example: `isobudget models fetch smollm2-135m`
    """
    from isobudget import api
    from isobudget.cli.progress import TerminalProgress
    from isobudget.cli.show import print_json

    with TerminalProgress() as progress:
        paths = {name: str(path) for name, path in api.fetch(names, progress=progress).items()}
    if as_json:
        print_json(paths)
    else:
        for name, path in paths.items():
            print(f"{name}: {path}")


def _print_table(rows: list[dict[str, Any]]) -> None:
    from isobudget.grid import Grid
    from isobudget.models.catalog import user_catalog_path
    from isobudget.report.tables.terminal import print_grids

    cells = []
    for row in rows:
        parameters = f"{row['parameters'] / 1e6:,.0f} M" if row.get("parameters") else "?"
        size = f"{row['bytes'] / 1e6:,.0f} MB" if row.get("bytes") else "?"
        here = f"by {row['backend']}" if "backend" in row else "yes" if row["path"] else "no"
        cells.append((row["name"], parameters, size, row.get("licence", ""), here))
    columns = ("name", "parameters", "size", "licence", "here")
    print_grids([Grid("Known models", columns, tuple(cells), words=(0, 3, 4))])
    print("Fetch weights with: isobudget models fetch NAME")
    print(f"Your own models go into {user_catalog_path()}")
