"""`isobudget curves`: success against budget of several models, from a run or from counts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isobudget.cli.options import BenchmarkOption, LevelOption

if TYPE_CHECKING:
    from isobudget.curves import Comparison


def curves(
    source: Annotated[
        Path, typer.Argument(metavar="RUN-or-COUNTS.jsonl", help="A run folder, or a COUNTS file (.gz too).")
    ],
    unit: Annotated[
        str, typer.Option(help="What budgets are counted in: flops, seconds, tokens, usd or joules.")
    ] = "flops",
    costs: Annotated[
        str | None,
        typer.Option(metavar="FILE.toml", help="What a sample costs, see docs/costs.md; or `paper` for its Table 1."),
    ] = None,
    budgets: Annotated[
        str | None,
        typer.Option(
            help="Per problem, in the unit, or with an x in samples of the cheapest model: `1e12,5e12` or `1x,4x`."
        ),
    ] = None,
    benchmark: BenchmarkOption = None,
    select: Annotated[
        str, typer.Option(help="How one of k samples is chosen: by tests, or in a run by the model's own likelihood.")
    ] = "tests",
    stop: Annotated[
        str,
        typer.Option(
            help="fixed: k samples are always charged, as in the paper. first-pass: budgets are expected spending."
        ),
    ] = "fixed",
    charge: Annotated[
        list[str] | None,
        typer.Option(
            metavar="judge|scoring",
            help="Charge judging or scoring too; free by default, as in the paper. Repeatable.",
            show_default=False,
        ),
    ] = None,
    ranker_architecture: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="With --charge scoring in flops: the model that scores. Its own likelihood costs a model nothing.",
        ),
    ] = None,
    extrapolate: Annotated[
        int | None,
        typer.Option(metavar="K", help="Guess pass@k beyond the samples up to this k; no verdict uses it."),
    ] = None,
    level: LevelOption = 0.95,
    replicates: Annotated[
        int, typer.Option(min=100, max=1_000_000, help="Bootstrap replicates over problems.")
    ] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; success is in [0, 1].")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print all points of all curves as CSV.")] = False,
) -> None:
    """Which model to use at which budget: success of every model at the most samples that it affords.

    A COUNTS file has JSON lines `{"model", "task_id", "n", "c"}` or `{"model", "task_id", "passed": [0, 1, ...]}`, or
    one line per graded sample, `{"task_id", "passed": true}`. Without `--costs`, a model whose name is a known
    architecture is counted in flops.

    Example:

        isobudget curves counts.jsonl --costs paper --unit seconds
    """
    import json

    from isobudget.analysis.compare import curves as compare
    from isobudget.costs.cost import parse_unit
    from isobudget.curves import Bootstrap
    from isobudget.grid import to_csv
    from isobudget.report.json.comparison import comparison_json
    from isobudget.report.tables.comparison import curve_records

    if as_json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv", param_hint="--csv")
    found = compare(
        source,
        parse_unit(unit),
        costs=costs,
        budgets=budgets,
        benchmark=benchmark,
        selection=select,
        stop=stop,
        charge=charge or (),
        ranker=ranker_architecture,
        extrapolate=extrapolate,
        bootstrap=Bootstrap(level, replicates, seed),
    )
    if as_json:
        plain = [comparison_json(comparison) for comparison in found]
        named = {comparison.benchmark: value for comparison, value in zip(found, plain, strict=True)}
        typer.echo(json.dumps(plain[0] if len(plain) == 1 else {"benchmarks": named}))
    elif as_csv:
        typer.echo(to_csv([record for comparison in found for record in curve_records(comparison)]), nl=False)
    else:
        _print(found)


def _print(comparisons: list[Comparison]) -> None:
    from rich.console import Console

    from isobudget.grid import print_grids
    from isobudget.report.tables.comparison import comparison_grids
    from isobudget.report.tables.sentence import winner_sentence

    for comparison in comparisons:
        print_grids(comparison_grids(comparison))
        Console(highlight=False).print(winner_sentence(comparison) + "\n", markup=False)
