"""`isobudget models`: what models are known, and fetching their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from isobudget.cli.options import JsonOption

if TYPE_CHECKING:
    from isobudget.models.catalog import ModelEntry
    from isobudget.study import StatedModel

app = typer.Typer(invoke_without_command=True, rich_markup_mode="markdown")


def register(parent: typer.Typer) -> None:
    """Add the command group to the application."""
    parent.add_typer(app, name="models")


@app.callback()
def models(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the models known by name; `isobudget models fetch` gets their weights.

    Example: `isobudget models --json`
    """
    if context.invoked_subcommand is not None:
        return
    from isobudget.cli.show import print_json
    from isobudget.models.catalog import load_catalog
    from isobudget.study.study import load_declared

    entries, declared = list(load_catalog().values()), load_declared()
    if as_json:
        print_json([*map(_as_dict, entries), *({"name": one.name} | one.settings.facts() for one in declared)])
    else:
        _print_table(entries, declared)


@app.command()
def fetch(
    names: Annotated[list[str], typer.Argument(help="Models to fetch.", metavar="NAME...")], as_json: JsonOption = False
) -> None:
    """Fetch weights and check them; what is here already is only checked.

    Example: `isobudget models fetch smollm2-135m`
    """
    from isobudget.cli.show import TerminalProgress, print_json
    from isobudget.models.catalog import find_model
    from isobudget.models.weights import fetch_weights
    from isobudget.pipeline.progress import fetch_progress

    entries = [find_model(name) for name in names]
    with TerminalProgress() as progress:
        paths = {entry.name: str(fetch_weights(entry, fetch_progress(entry.name, progress))) for entry in entries}
    if as_json:
        print_json(paths)
    else:
        for name, path in paths.items():
            print(f"{name}: {path}")


def _as_dict(entry: ModelEntry) -> dict[str, Any]:
    from isobudget.models.weights import describe_source, local_weights

    here = local_weights(entry)
    return {
        "name": entry.name,
        "title": entry.title,
        "parameters": entry.parameters,
        "bytes": entry.size_bytes,
        "sha256": entry.sha256,
        "licence": entry.licence,
        "prompt_newline": entry.prompt_newline,
        "sources": [describe_source(source) for source in entry.sources],
        "path": str(here) if here else None,
    }


def _print_table(entries: list[ModelEntry], declared: list[StatedModel]) -> None:
    from rich.console import Console
    from rich.table import Table

    from isobudget.models.catalog import user_catalog_path
    from isobudget.models.weights import local_weights

    table = Table("name", "parameters", "size", "licence", "here")
    for entry in entries:
        parameters = f"{entry.parameters / 1e6:,.0f} M" if entry.parameters else "?"
        size = f"{entry.size_bytes / 1e6:,.0f} MB" if entry.size_bytes else "?"
        table.add_row(entry.name, parameters, size, entry.licence, "yes" if local_weights(entry) else "no")
    for one in declared:
        table.add_row(one.name, "?", "?", "", f"by {one.settings.backend}")
    console = Console()
    console.print(table)
    console.print("Fetch weights with: isobudget models fetch NAME", highlight=False)
    console.print(f"Your own models go into {user_catalog_path()}", highlight=False)
