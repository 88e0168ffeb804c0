"""`isobudget doctor`: what this machine can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isobudget.cli.options import JsonOption

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


def doctor(as_json: JsonOption = False) -> None:
    """Show what this machine can do: extras, the judge's confinement, models. Nothing is changed.

    Example: `isobudget doctor`
    """
    from rich.console import Console
    from rich.text import Text

    from isobudget import api
    from isobudget.cli.show import print_json

    checks = api.doctor()
    if as_json:
        print_json(checks.to_dict())
        return
    console = Console(highlight=False)
    width = max(len(check.name) for check in checks)
    area = ""
    for check in checks:
        if check.area != area:
            area = check.area
            _print(console, Text(f"  {area}", style="bold"))
        mark, style = {True: ("✓", "green"), False: ("–", "yellow"), None: (" ", "")}[check.ok]
        _print(console, Text.assemble((mark, style), f" {check.name:<{width}}  {check.found}"))
        if check.ok is False and check.hint:
            _print(console, Text(f"{'':{width + 4}}{check.hint}", style="dim"))


def _print(console: Console, line: Text) -> None:
    """Print a line without wrapping it: the terminal breaks it where necessary, so that a path can be copied."""
    console.print(line, soft_wrap=True)
