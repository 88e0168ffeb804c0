"""`isobudget serve`: an OpenAI-compatible gateway; its keys, and what was spent."""

from __future__ import annotations

import sys
from collections.abc import Callable
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isobudget.cli.declared import of_api, with_options
from isobudget.cli.options import JsonOption
from isobudget.cli.usage import Command

if TYPE_CHECKING:
    from isobudget.grid import Grid
    from isobudget.results import Results

_KEY_BUDGET = typer.Option(metavar="5usd/day")


def register(parent: typer.Typer) -> None:
    """Add the command group to the application."""
    app = typer.Typer(invoke_without_command=True, rich_markup_mode="markdown")
    app.callback()(_unless_another(with_options(serve)))
    key = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")
    for name, command in (("new", new), ("change", change), ("list", keys)):
        key.command(name, cls=Command)(with_options(command))
    app.add_typer(key, name="key", help="Make, list and change keys.")
    app.command("ledger", cls=Command)(with_options(ledger))
    parent.add_typer(app, name="serve")


@of_api(
    "serve",
    policy=typer.Option(metavar="policy.toml"),
    models=Annotated[str | None, typer.Option(metavar="A,B")],
    port=typer.Option(min=0, max=65535),
    budget=typer.Option(metavar="5usd/day"),
    ledger=typer.Option(metavar="FILE"),
    workers=typer.Option(min=1),
    config=typer.Option(metavar="serve.toml"),
)
def serve(given: dict[str, Any]) -> None:
    """Serve several models with OpenAI's API, within a budget; requests with tests get the first answer that passes.

    `isobudget serve key new NAME` makes keys; without keys, only this machine is served. `isobudget serve ledger` shows
    what was spent. `ledger` and `key list` take `--json`. Ctrl-C stops the gateway: requests in flight get 30 seconds
    to end, and calls that are cut off then are charged as reserved.

    Example: `isobudget serve --policy policy.toml --budget 5usd/day` with a policy written by `plan --write`
    """
    from isobudget import api
    from isobudget.cli.progress import TerminalProgress

    with TerminalProgress() as progress:
        api.serve(**given, progress=progress, on_ready=_tell)


def _tell(url: str) -> None:
    print(f"serving at {url}; ask for the model isobudget/auto", file=sys.stderr, flush=True)


def _unless_another(command: Callable[..., None]) -> Callable[..., None]:
    """The command, run only if no subcommand is given."""

    def called(context: typer.Context, **values: Any) -> None:
        if context.invoked_subcommand is None:
            command(**values)

    own = Parameter("context", Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    parameters = [own, *signature(command).parameters.values()]
    called.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {one.name: one.annotation for one in parameters}
    called.__doc__ = command.__doc__
    return called


@of_api("new_key", budget=_KEY_BUDGET, ledger=typer.Option(metavar="FILE"))
def new(given: dict[str, Any]) -> None:
    """Make a key and print it. It is shown only once, since only its hash is kept.

    Example: `isobudget serve key new alice --budget 5usd/day`
    """
    from isobudget import api
    from isobudget.api.serving import ledger_path

    print(api.new_key(**given))
    place = ledger_path(given.get("ledger"))
    print(f"the key is in {place}; a gateway accepts it if its --ledger is that file", file=sys.stderr)


@of_api("change_key", budget=_KEY_BUDGET, ledger=typer.Option(metavar="FILE"))
def change(given: dict[str, Any]) -> None:
    """Open a closed key, revoke one, or replace its budgets; a running gateway applies the change at once.

    Example: `isobudget serve key change alice budget --budget 10usd/day`
    """
    from isobudget import api

    key = api.change_key(**given)
    print(f"{key['name']}: budgets {key['budgets']}; {key['state']}")


@of_api("keys", ledger=typer.Option(metavar="FILE"))
def keys(given: dict[str, Any], as_json: JsonOption = False) -> None:
    """List the keys with their budgets.

    Example: `isobudget serve key list`
    """
    from isobudget import api
    from isobudget.report.tables.ledger import keys_grid

    _show(api.keys(**given), keys_grid, as_json, "no key yet; isobudget serve key new NAME makes one")


@of_api("ledger", path=Annotated[str | None, typer.Argument(metavar="FILE")])
def ledger(
    given: dict[str, Any],
    same: Annotated[str | None, typer.Option("--ledger", metavar="FILE", help="The same as FILE.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what was spent, by day, key and model, or the calls of one answer. The file is SQLite: SQL works, too.

    Example: `isobudget serve ledger --request 8e057b0bd3bad8e29c6d3384`
    """
    from isobudget import api
    from isobudget.report.tables.ledger import ledger_grid

    if same is not None and given.setdefault("path", same) != same:
        raise typer.BadParameter("two different ledgers are given; name one", param_hint="--ledger")
    _show(api.ledger(**given), lambda rows: ledger_grid(rows, given.get("request")), as_json, "nothing spent yet")


def _show(
    results: Results[dict[str, Any]], grid: Callable[[list[dict[str, Any]]], Grid], as_json: bool, nothing: str
) -> None:
    from isobudget.cli.show import print_json
    from isobudget.report.tables.terminal import print_grids

    rows = results.to_records()
    if as_json:
        print_json(results.to_dict())
    elif not rows:
        print(nothing)
    else:
        print_grids([grid(rows)])
