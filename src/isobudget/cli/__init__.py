"""The command line: one file per command, each a thin wrapper around one call of the Python API.

`main` is the entry point. It turns an `IsobudgetError` into one message and exit code 2.
"""

from __future__ import annotations

import importlib
import keyword
import sys
from typing import Annotated

import typer

#: command name -> module below this package that defines a function of the same name
COMMANDS = (
    "run",
    "generate",
    "judge",
    "rank",
    "curves",
    "passk",
    "compare",
    "plan",
    "solve",
    "show",
    "report",
    "import",
    "export",
    "sql",
    "prompt",
    "models",
    "profile",
    "paper",
    "doctor",
)
#: commands whose function of the API has another name
API_NAMES = {"import": "import_results"}


def build_app() -> typer.Typer:
    """The Typer application with every command. Command modules import heavy libraries inside their functions."""
    app = typer.Typer(
        name="isobudget",
        no_args_is_help=True,
        invoke_without_command=True,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name in COMMANDS:
        python_name = f"{name}_" if keyword.iskeyword(name) else name
        module = importlib.import_module(f"isobudget.cli.{python_name}")
        register = getattr(module, "register", None)
        if register is not None:
            register(app)
        else:
            app.command(name)(getattr(module, python_name))
    return app


def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    """For what you can spend: which code model to run, how many times, and when to stop.

    Begin with: isobudget run quickstart
    """
    if version:
        from isobudget import __version__

        print(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line and exit."""
    from isobudget.errors import IsobudgetError

    try:
        build_app()()
    except IsobudgetError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
