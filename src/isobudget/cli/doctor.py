"""`isobudget doctor`: what this machine can do."""

from __future__ import annotations

from isobudget.cli.options import JsonOption


def doctor(as_json: JsonOption = False) -> None:
    """Say what this machine can do: extras, the judge's confinement, models. Nothing is changed.

    Example: `isobudget doctor`
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from isobudget import api
    from isobudget.cli.show import print_json

    checks = api.doctor()
    if as_json:
        print_json(checks.to_dict())
        return
    table = Table("", "what", "found", box=None)
    area = ""
    for check in checks:
        if check.area != area:
            area = check.area
            table.add_row("", f"[bold]{area}[/bold]", "")
        mark = {True: "[green]✓[/green]", False: "[yellow]–[/yellow]", None: " "}[check.ok]
        hint = f"\n[dim]{escape(check.hint)}[/dim]" if check.ok is False and check.hint else ""
        table.add_row(mark, escape(check.name), escape(check.found) + hint)
    Console().print(table)
