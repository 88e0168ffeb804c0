"""`isobudget rank`: how well rankers pick one of k samples without running tests, and what that costs."""

from __future__ import annotations

import typer

from isobudget.cli import rank_options as given
from isobudget.cli.options import BenchmarkOption, JsonOption, LevelOption


def rank(
    source: given.Source,
    ranker: given.Rankers = None,
    model: given.Model = None,
    backend: given.Backend = None,
    url: given.Url = None,
    api: given.ServerApi = None,
    key_env: given.KeyEnv = None,
    setting: given.Settings = None,
    architecture: given.Architecture = None,
    filter_by: given.Filter = None,
    benchmark: BenchmarkOption = None,
    problems: given.Problems = None,
    verdicts: given.Verdicts = None,
    first: given.First = None,
    out: given.Out = None,
    inputs: given.Inputs = 16,
    examples: given.Examples = "benchmark",
    tests: given.Tests = None,
    train: given.Train = None,
    power: given.Power = 1.0,
    orders: given.Orders = 200,
    k: given.K = None,
    figure: given.Figure = None,
    workers: given.Workers = None,
    unsafe: given.Unsafe = False,
    level: LevelOption = 0.95,
    seed: given.Seed = 0,
    as_json: JsonOption = False,
) -> None:
    """Evaluate rankers: how well they pick one of k samples without running tests (equal budget, AUC, calibration).

    Missing scores are computed and kept in the run folder; run the same command to resume.

    Examples:

        isobudget rank runs/quickstart --ranker own --ranker agreement

        isobudget rank samples.jsonl --problems humaneval --verdicts verdicts.jsonl --ranker agreement --ranker tests

        isobudget rank counts.jsonl --ranker order
    """
    from isobudget import api as commands
    from isobudget.cli.show import TerminalProgress, interruptible, print_json
    from isobudget.report.tables.terminal import print_grids

    with interruptible(), TerminalProgress() as progress:
        ranked = commands.rank(
            source,
            ranker or "own",
            model,
            backend=backend,
            url=url,
            api=api,
            key_env=key_env,
            setting=setting or (),
            architecture=architecture,
            filter=filter_by,
            benchmark=benchmark,
            problems=problems,
            verdicts=verdicts,
            first=first,
            out=out,
            inputs=inputs,
            examples=examples,
            tests=tests,
            train=train or (),
            power=power,
            orders=orders,
            k=k,
            figure=figure,
            workers=workers,
            unsafe=unsafe,
            level=level,
            seed=seed,
            progress=progress,
        )
    if as_json:
        print_json(ranked.to_dict())
        return
    print_grids(ranked.grids())
    for path in ranked.to_dict()["figures"]:
        typer.echo(f"figure: {path}")
