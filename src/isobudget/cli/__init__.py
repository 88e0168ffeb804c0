"""The command line: one file per command, each a thin wrapper around one call of the Python API.

`main` is the entry point. It turns an `IsobudgetError` into one message and exit code 2, and Ctrl-C into exit code 130.
"""

from __future__ import annotations

import importlib
import sys

import typer

#: command name -> module below this package that defines a function of the same name
COMMANDS = ("run", "generate", "judge", "curves", "passk", "report", "models", "paper", "doctor")


def build_app() -> typer.Typer:
    """The Typer application with every command. Command modules import heavy libraries inside their functions."""
    app = typer.Typer(
        name="isobudget",
        help="For what you can spend: which code model to run, how many times, and when to stop.",
        no_args_is_help=True,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name in COMMANDS:
        module = importlib.import_module(f"isobudget.cli.{name}")
        register = getattr(module, "register", None)
        if register is not None:
            register(app)
        else:
            app.command(name)(getattr(module, name))
    return app


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
