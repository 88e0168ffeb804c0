"""`isobudget mcp`: tools for coding agents."""

from __future__ import annotations

import sys
from typing import Any

import typer

from isobudget.cli.declared import of_api


@of_api("mcp", project=typer.Option(metavar="FOLDER"))
def mcp(given: dict[str, Any]) -> None:
    """Serve `solve`, `judge` and `plan` to coding agents over stdin and stdout, by the Model Context Protocol.

    Both streams carry the protocol's JSON, so there is no `--json`.

    Example: `isobudget mcp --project .`, as the command of a server in an agent's settings.
    """
    from isobudget import api

    if sys.stdin.isatty():
        print(
            "waiting for messages from an agent on standard input (usually the agent starts this command)",
            file=sys.stderr,
        )
    api.mcp(**given)
