"""`isobudget run`: a study from samples to report."""

from __future__ import annotations

from typing import Annotated

import typer

from isobudget.cli.generate import generated_dict, print_failures
from isobudget.cli.options import JsonOption, ModelOption, NOption, OutOption, ProblemsOption, StudyArgument


def run(
    study: StudyArgument,
    out: OutOption = None,
    model: ModelOption = None,
    n: NOption = None,
    problems: ProblemsOption = None,
    unsafe: Annotated[bool, typer.Option("--unsafe", help="Judge even where samples cannot be confined.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a study: draw samples, judge them, compare the models at equal budget, write the report.

    Only what is missing is done: a stopped run goes on, a finished one is only shown, a larger n adds samples.

    Examples: `isobudget run quickstart`, or
    `isobudget run humaneval --model smollm2-135m -n 10 --problems 20 --out runs/he`
    """
    from isobudget.cli.show import TerminalProgress, interruptible, print_json
    from isobudget.report import build_report, print_report
    from isobudget.stages.generate import generate
    from isobudget.stages.judging import judge_run
    from isobudget.study import load_study

    plan = load_study(study, models=model, n=n, problems=problems)
    with interruptible(), TerminalProgress() as progress:
        made, done = generate(plan, out, progress)
        judge_run(made, limits=plan.judge.limits(), workers=plan.judge.workers, unsafe=unsafe, progress=progress)
    report = build_report(made)
    if as_json:
        print_json(generated_dict(made, done) | {"page": str(report.page), "sentences": report.sentences})
    else:
        print_report(report)
    if print_failures(done):
        raise typer.Exit(1)
