"""`isobudget generate`: draw a study's samples, without judging them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from isobudget.cli.options import JsonOption, ModelOption, NOption, OutOption, ProblemsOption, StudyArgument

if TYPE_CHECKING:
    from isobudget.stages.generate import Generated


def generate(
    study: StudyArgument,
    out: OutOption = None,
    model: ModelOption = None,
    n: NOption = None,
    problems: ProblemsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw the samples that a study asks for and the run folder does not have yet.

    Example: `isobudget generate humaneval --model smollm2-135m -n 10 --problems 20 --out runs/he`
    """
    from isobudget.cli.show import TerminalProgress, interruptible, print_json
    from isobudget.stages.generate import generate as draw
    from isobudget.study import load_study

    plan = load_study(study, models=model, n=n, problems=problems)
    with interruptible(), TerminalProgress() as progress:
        run, done = draw(plan, out, progress)
    if as_json:
        print_json(generated_dict(run.path, done))
    else:
        print(f"{done.samples} samples drawn into {run.path}")
        print(f"Judge them with: isobudget judge {run.path}")
    if print_failures(done):
        raise typer.Exit(1)


def generated_dict(run: Path, done: Generated) -> dict[str, object]:
    """What was drawn, for JSON."""
    return {"run": str(run), "drawn": done.samples, "failures": done.failures}


def print_failures(done: Generated) -> bool:
    """Say on stderr which problems could not be generated; whether there are any."""
    if not done.failures:
        return False
    typer.echo(f"{len(done.failures)} problems failed; the same command tries them again:", err=True)
    for task_id, reason in list(done.failures.items())[:10]:
        typer.echo(f"  {task_id}: {reason}", err=True)
    return True
