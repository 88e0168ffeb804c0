"""`isobudget generate`: generate a study's samples, without judging them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from isobudget.cli.options import (
    DryRunOption,
    JsonOption,
    ModelOption,
    NOption,
    OutOption,
    ProblemsOption,
    StudyArgument,
)

if TYPE_CHECKING:
    from isobudget.pipeline.generate import Generated

#: failures that are named one by one
_SHOWN = 10


def generate(
    study: StudyArgument,
    out: OutOption = None,
    model: ModelOption = None,
    n: NOption = None,
    problems: ProblemsOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Generate the samples that a study asks for and the run folder does not have yet.

    Example: `isobudget generate humaneval --model smollm2-135m -n 10 --problems 20 --out runs/he`
    """
    from isobudget.cli.show import TerminalProgress, interruptible, print_json
    from isobudget.pipeline.generate import generate as generate_samples
    from isobudget.study import load_study

    if dry_run:
        show_dry_run(study, out, model, n, problems, as_json)
        return
    plan = load_study(study, models=model, n=n, problems=problems)
    with interruptible(), TerminalProgress() as progress:
        run, done = generate_samples(plan, out, progress)
    if as_json:
        print_json(generated_dict(run.path, done))
    else:
        print(f"{done.samples} samples generated into {run.path}")
        print(f"Judge them with: isobudget judge {run.path}")
    if print_failures(done):
        raise typer.Exit(1)


def generated_dict(run: Path, done: Generated) -> dict[str, object]:
    """What was generated, for JSON."""
    return {"run": str(run), "drawn": done.samples, "failures": [asdict(one) for one in done.failures]}


def print_failures(done: Generated) -> bool:
    """Say on stderr which problems could not be generated; whether there are any."""
    if not done.failures:
        return False
    typer.echo(f"{len(done.failures)} problems failed; the same command tries them again:", err=True)
    for one in done.failures[:_SHOWN]:
        typer.echo(f"  {one.task_id} of {one.benchmark} with {one.model}: {one.reason}", err=True)
    if len(done.failures) > _SHOWN:
        typer.echo(f"  ... and {len(done.failures) - _SHOWN} more; failures.json in the run folder has all", err=True)
    return True


def show_dry_run(
    study: str, out: Path | None, models: list[str] | None, n: int | None, problems: int | None, as_json: bool
) -> None:
    """Show what a study would generate and spend."""
    from isobudget import api
    from isobudget.cli.show import print_dry_run, print_json

    plan = api.dry_run(study, out, models=models, n=n, problems=problems)
    if as_json:
        print_json(asdict(plan) | {"run": str(plan.run), "ready": not plan.missing})
    else:
        print_dry_run(plan)
