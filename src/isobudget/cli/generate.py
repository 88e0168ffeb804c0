"""`isobudget generate`: generate a study's samples, without judging them."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any

import typer

from isobudget.cli.declared import of_api
from isobudget.cli.grouped import in_groups
from isobudget.cli.options import DryRunOption, JsonOption
from isobudget.grid import counted

if TYPE_CHECKING:
    from isobudget.pipeline.generate import Generated

#: most failures that are listed
_SHOWN = 10


@in_groups(
    {},
    backend="llama.cpp, server, vllm or transformers",
    url="Base URL of a server",
    api="API of the server",
)
@of_api("generate", n=typer.Option("-n", "--n"))
def generate(given: dict[str, Any], dry_run: DryRunOption = False, as_json: JsonOption = False) -> None:
    """Generate the samples that are still missing.

    Example: `isobudget generate humaneval --model smollm2-135m -n 10 --problems 20 --out runs/he`
    """
    from isobudget import api
    from isobudget.cli.interrupts import interruptible
    from isobudget.cli.progress import TerminalProgress
    from isobudget.cli.show import print_json
    from isobudget.grid import printable

    if dry_run:
        show_dry_run(given, as_json)
        return
    with interruptible(), TerminalProgress() as progress:
        made = api.generate(**given, progress=progress)
    if as_json:
        print_json(made.to_dict())
    else:
        for note in made.generated.notes:
            print(printable(note))
        print(f"{counted(made.generated.samples, 'sample')} generated into {made.run.path}")
        print(f"Judge them with: isobudget judge {made.run.path}")
    if print_failures(made.generated):
        raise typer.Exit(1)


def print_failures(done: Generated) -> bool:
    """Print the problems that could not be generated to stderr; returns whether there are any."""
    if not done.failures:
        return False
    typer.echo(f"{counted(len(done.failures), 'problem')} failed; run the same command to try again:", err=True)
    for one in done.failures[:_SHOWN]:
        typer.echo(f"  {one.task_id} of {one.benchmark} with {one.model}: {one.reason}", err=True)
    if len(done.failures) > _SHOWN:
        typer.echo(f"  ... and {len(done.failures) - _SHOWN} more; failures.json in the run folder has all", err=True)
    return True


def show_dry_run(given: dict[str, Any], as_json: bool) -> None:
    """Show what a study would generate and spend."""
    from isobudget import api
    from isobudget.cli.dry_run import print_dry_run
    from isobudget.cli.show import print_json

    taken = signature(api.dry_run).parameters
    plan = api.dry_run(**{name: value for name, value in given.items() if name in taken})
    if as_json:
        print_json(plan.to_dict())
    else:
        print_dry_run(plan)
