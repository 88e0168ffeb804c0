"""`isobudget run`: a study from samples to report."""

from __future__ import annotations

from typing import Annotated

import typer

from isobudget.cli.generate import print_failures, show_dry_run
from isobudget.cli.options import (
    CheckOption,
    DryRunOption,
    JsonOption,
    ModelOption,
    NOption,
    OutOption,
    ProblemsOption,
    StudyArgument,
)


def run(
    study: StudyArgument,
    out: OutOption = None,
    model: ModelOption = None,
    n: NOption = None,
    problems: ProblemsOption = None,
    check: CheckOption = True,
    unsafe: Annotated[bool, typer.Option("--unsafe", help="Judge even where samples cannot be confined.")] = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a study: generate samples, judge them, compare the models at equal budget, write the report.

    Only what is missing is done: a stopped run goes on, a finished one is only shown, a larger n adds samples.

    Examples: `isobudget run quickstart`, or `isobudget run paper-code-llama --dry-run`, or
    `isobudget run humaneval --model smollm2-135m -n 10 --problems 20 --out runs/he`
    """
    from isobudget import api
    from isobudget.cli.show import TerminalProgress, interruptible, print_json
    from isobudget.report import print_report

    if dry_run:
        show_dry_run(study, out, model, n, problems, as_json)
        return
    with interruptible(), TerminalProgress() as progress:
        made = api.run(
            study, out, model=model or (), n=n, problems=problems, check=check, unsafe=unsafe, progress=progress
        )
    if as_json:
        print_json(made.to_dict())
    else:
        print_report(made.report)
    if print_failures(made.generated):
        raise typer.Exit(1)
