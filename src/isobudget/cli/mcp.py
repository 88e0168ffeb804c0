"""`isobudget mcp`: tools for coding agents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def mcp(
    project: Annotated[
        Path, typer.Option(help="The project's folder; paths that agents name lie below it.", show_default="here")
    ] = Path(),
    allow_apply: Annotated[
        bool, typer.Option("--allow-apply", help="Let `solve` write what passed into the project.")
    ] = False,
) -> None:
    """Serve `solve`, `judge` and `plan` to coding agents, by the Model Context Protocol over standard streams.

    What is said over the streams is the protocol's JSON; there is no `--json`.

    Example: `isobudget mcp --project .`, as the command of a server in an agent's settings.
    """
    from isobudget import api

    api.mcp(project, allow_apply=allow_apply)
