"""`isobudget rank`: how well rankers pick one of k samples without running tests, and what that costs."""

from __future__ import annotations

import typer

from isobudget.cli import rank_options as asked
from isobudget.cli.options import (
    BenchmarkOption,
    CsvOption,
    FormatOption,
    FromOption,
    JsonOption,
    LevelOption,
    one_form,
    stated,
)


def rank(
    source: asked.Source,
    ranker: asked.Rankers = None,
    model: asked.Model = None,
    backend: asked.Backend = None,
    url: asked.Url = None,
    api: asked.ServerApi = None,
    key_env: asked.KeyEnv = None,
    setting: asked.Settings = None,
    architecture: asked.Architecture = None,
    filter: asked.Filter = None,  # noqa: A002
    benchmark: BenchmarkOption = None,
    problems: asked.Problems = None,
    verdicts: asked.Verdicts = None,
    first: asked.First = None,
    out: asked.Out = None,
    inputs: asked.Inputs = 16,
    examples: asked.Examples = "benchmark",
    tests: asked.Tests = None,
    train: asked.Train = None,
    power: asked.Power = 1.0,
    orders: asked.Orders = 200,
    k: asked.K = None,
    figure: asked.Figure = None,
    workers: asked.Workers = None,
    check: asked.Check = True,
    unsafe: asked.Unsafe = False,
    level: LevelOption = 0.95,
    seed: asked.Seed = 0,
    from_: FromOption = None,
    form: FormatOption = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Evaluate rankers: how well they pick one of k samples without running tests (equal budget, AUC, calibration).

    Missing scores are computed and kept in the run folder; run the same command to resume.

    Examples:

        isobudget rank runs/quickstart --ranker own --ranker agreement

        isobudget rank samples.jsonl --problems humaneval --verdicts verdicts.jsonl --ranker agreement --ranker tests

        isobudget rank verdicts.jsonl --ranker order
    """
    given = stated(locals())
    from isobudget import api as commands
    from isobudget.cli.show import TerminalProgress, interruptible, print_results
    from isobudget.report.tables.terminal import print_grids

    chosen = one_form(as_json, as_csv, form)
    with interruptible(), TerminalProgress() as progress:
        ranked = commands.rank(**given, progress=progress)
    if print_results(ranked, chosen):
        return
    print_grids(ranked.grids())
    for path in ranked.to_dict()["figures"]:
        typer.echo(f"figure: {path}")
