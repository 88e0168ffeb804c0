"""The command line: one file per command, each a thin wrapper around one call of the Python API.

A command's options are those of the function that it calls, see `isobudget.cli.declared`.

`main` is the entry point. It turns an `IsobudgetError` into one message and exit code 2.
"""

from __future__ import annotations

import errno
import importlib
import keyword
import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from isobudget.cli.declared import with_options
from isobudget.cli.usage import Command

#: the system's refusals that name no file: out of processes, memory or descriptors
_NO_MORE = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
#: Python's message when a thread cannot be started
_NO_THREAD = "can't start new thread"
_LIMITS = "see the limits of this shell, ulimit -a, or of its container"
#: command names; the module of the same name in this package defines a function of this name
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
    "mcp",
    "serve",
    "report",
    "view",
    "import",
    "export",
    "sql",
    "check",
    "compact",
    "prompt",
    "models",
    "profile",
    "paper",
    "doctor",
)
#: commands whose function of the API has another name
API_NAMES = {"import": "import_results"}


def build_app(only: str | None = None) -> typer.Typer:
    """The Typer application with every command. Command modules import heavy libraries inside their functions.

    Args:
        only: the command that is about to run: it alone is built. If `only` is not a command, all commands are built,
            with their help and without their options. Either saves most of the start-up time. None: everything.
    """
    app = typer.Typer(
        name="isobudget",
        no_args_is_help=True,
        invoke_without_command=True,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name in [only] if only in COMMANDS else COMMANDS:
        python_name = f"{name}_" if keyword.iskeyword(name) else name
        module = importlib.import_module(f"isobudget.cli.{python_name}")
        command, register = getattr(module, python_name), getattr(module, "register", None)
        if only not in (None, name):
            app.command(name)(_listed(command))
        elif register is not None:
            register(app)
        else:
            app.command(name, cls=Command)(with_options(command))
    return app


def _listed(command: Callable[..., None]) -> Callable[[], None]:
    """A function without options, with the help of a command, to stand for it in the list of commands."""

    def nothing() -> None:
        pass

    nothing.__doc__ = command.__doc__
    return nothing


def _asked() -> str | None:
    """The command with which the arguments begin, or an empty word; None if the shell asks for completions."""
    if any(name.startswith("_ISOBUDGET_") for name in os.environ) or "--install-completion" in sys.argv:
        return None
    return next((word for word in sys.argv[1:2] if not word.startswith("-")), "")


def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    """For what you can spend: which code model to run, how many times, and when to stop.

    Begin with: isobudget report example
    """
    if version:
        from isobudget import __version__

        print(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line and exit."""
    from isobudget.errors import IsobudgetError

    try:
        build_app(_asked())()
    except IsobudgetError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except (OSError, MemoryError, RuntimeError) as error:
        if not (refused := _refused(error)):
            raise
        print(f"error: {refused}", file=sys.stderr)
        sys.exit(2)


def _refused(error: OSError | MemoryError | RuntimeError) -> str:
    """A message if the system refused something, such as a long name or another thread; empty for other errors."""
    if isinstance(error, MemoryError):
        return f"not enough memory{f': {error}' if str(error) else ''} ({_LIMITS})"
    if isinstance(error, RuntimeError):
        return f"the system starts no more threads ({_LIMITS})" if str(error) == _NO_THREAD else ""
    if error.filename is not None:
        return f"{error.filename}: {error.strerror or error}"
    return f"the system refuses more: {error.strerror} ({_LIMITS})" if error.errno in _NO_MORE else ""
