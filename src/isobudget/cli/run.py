"""`isobudget run`: a study from samples to report."""

from __future__ import annotations

from typing import Any

import typer

from isobudget.cli.declared import of_api
from isobudget.cli.generate import print_failures, show_dry_run
from isobudget.cli.grouped import in_groups
from isobudget.cli.options import DryRunOption, JsonOption


@in_groups(
    {},
    backend="llama.cpp, server, vllm or transformers",
    url="Base URL of a server",
    api="API of the server",
)
@of_api("run", n=typer.Option("-n", "--n"), judge=typer.Option(metavar="URL"))
def run(given: dict[str, Any], dry_run: DryRunOption = False, as_json: JsonOption = False) -> None:
    """Run a study: generate samples, judge them, compare the models at equal budget, write the report.

    Only what is missing is done: a stopped run resumes, a finished one is only shown, a larger n adds samples.

    Examples: `isobudget run quickstart`, or `isobudget run paper-code-llama --dry-run`, or
    `isobudget run humaneval --model smollm2-135m -n 10 --problems 20 --out runs/he`
    """
    from isobudget import api
    from isobudget.cli.interrupts import interruptible
    from isobudget.cli.progress import TerminalProgress
    from isobudget.cli.show import print_json
    from isobudget.report import print_report

    if dry_run:
        show_dry_run(given, as_json)
        return
    with interruptible(), TerminalProgress() as progress:
        made = api.run(**given, progress=progress)
    if as_json:
        print_json(made.to_dict())
    else:
        print_report(made.report)
    if print_failures(made.generated):
        raise typer.Exit(1)
