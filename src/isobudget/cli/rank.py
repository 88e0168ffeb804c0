"""`isobudget rank`: how well rankers pick one of k samples without running tests, and what that costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from isobudget.cli import rank_options as given
from isobudget.cli.options import BenchmarkOption, JsonOption, LevelOption

if TYPE_CHECKING:
    from isobudget.ranking.rank import BenchmarkRanking
    from isobudget.study import StatedModel


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
    from isobudget.cli.show import TerminalProgress, interruptible
    from isobudget.curves import Bootstrap
    from isobudget.ranking.options import RankOptions
    from isobudget.ranking.rank import rank as rank_samples
    from isobudget.report.figures.ranking import check_figure, save_rankings

    if figure is not None:
        check_figure(figure)
    options = RankOptions(
        rankers=tuple(ranker or ["own"]),
        model=_stated(
            model, setting or [], backend=backend, url=url, api=api, key_env=key_env, architecture=architecture
        ),
        filter=filter_by,
        inputs=inputs,
        examples=examples,
        tests=tests,
        train=tuple(train or ()),
        power=power,
        orders=orders,
        k=k,
        seed=seed,
        workers=workers,
        unsafe=unsafe,
        bootstrap=Bootstrap(level, seed=seed),
    )
    with interruptible(), TerminalProgress() as progress:
        found = rank_samples(
            source,
            options,
            benchmark=benchmark,
            problems=problems,
            verdicts=verdicts,
            first=first,
            out=out,
            progress=progress,
        )
    _show(found, [] if figure is None else save_rankings(found, figure), as_json)


def _stated(name: str | None, settings: list[str], **options: str | None) -> StatedModel | None:
    """The model that the options state: those with a name of their own, and any other setting of its backend."""
    from isobudget.backends.registry import backends_with
    from isobudget.errors import InputError
    from isobudget.study import StatedModel, read_setting, stated_model

    given = {field: str(value) for field, value in options.items() if value is not None}
    flags = [f"--{field.replace('_', '-')}" for field in given] + ["--setting"] * bool(settings)
    if name is None:
        if flags:
            raise InputError(f"{' and '.join(flags)} cannot be used without --model: which model is meant?")
        return None
    fields = {"name": name, **dict(map(read_setting, settings)), **given}
    backend = StatedModel.divided(fields)["settings"]["backend"]
    for field in given:
        owners = backends_with(field)
        if field != "backend" and owners and backend not in owners:
            flag = f"--{field.replace('_', '-')}"
            raise InputError(
                f"{flag} cannot be used with --backend {backend}, only with --backend {' or '.join(owners)}"
            )
    return stated_model(fields, f"--model {name}")


def _show(found: list[BenchmarkRanking], drawn: list[Path], as_json: bool) -> None:
    from isobudget.cli.show import print_json
    from isobudget.report.json.ranking import ranking_json
    from isobudget.report.tables.ranking import ranking_grids
    from isobudget.report.tables.terminal import print_grids

    if as_json:
        print_json({"benchmarks": [ranking_json(one) for one in found], "figures": [str(path) for path in drawn]})
        return
    for one in found:
        print_grids(ranking_grids(one))
    for path in drawn:
        typer.echo(f"figure: {path}")
