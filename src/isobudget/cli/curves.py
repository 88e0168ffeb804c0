"""`isobudget curves`: success against budget of several models, from a run or from counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isobudget.cli.options import (
    SOURCES_HELP,
    BenchmarkOption,
    CostsOption,
    CsvOption,
    FormatOption,
    FromOption,
    GpusOption,
    HourOption,
    JsonOption,
    LevelOption,
    RateOption,
    SharePromptOption,
    SimultaneousOption,
    one_form,
    stated,
)
from isobudget.errors import InputError

if TYPE_CHECKING:
    from isobudget.curves import Comparison
    from isobudget.grid import Grid


def curves(
    source: Annotated[list[str], typer.Argument(metavar="SOURCE...", help=SOURCES_HELP)],
    unit: Annotated[
        str, typer.Option(help="Unit of the budgets: flops, seconds, device_seconds, tokens, usd or joules.")
    ] = "flops",
    costs: CostsOption = None,
    budgets: Annotated[
        str | None,
        typer.Option(help="Budgets per problem: `1e12,5e12` in the unit, or `1x,4x` in samples of the cheapest model."),
    ] = None,
    benchmark: BenchmarkOption = None,
    select: Annotated[
        str,
        typer.Option(help="How one of k samples is chosen: by tests, or (runs only) by the model's own likelihood."),
    ] = "tests",
    stop: Annotated[
        str,
        typer.Option(
            help="fixed: always generate and charge k samples, as in the paper. first-pass: stop at the first sample "
            "that passes; budgets are expected spending."
        ),
    ] = "fixed",
    charge: Annotated[
        list[str] | None,
        typer.Option(
            metavar="judge|scoring",
            help="Charge for judging or scoring as well; free by default, as in the paper. Repeatable.",
            show_default=False,
        ),
    ] = None,
    ranker_architecture: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Architecture of the scoring model (with --charge scoring, in flops). Own likelihood is free.",
        ),
    ] = None,
    extrapolate: Annotated[
        int | None,
        typer.Option(metavar="K", help="Extrapolate pass@k up to this k (beyond n). Not used for recommendations."),
    ] = None,
    level: LevelOption = 0.95,
    replicates: Annotated[
        int, typer.Option(min=100, max=1_000_000, help="Bootstrap replicates over problems.")
    ] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
    simultaneous: SimultaneousOption = None,
    share_prompt: SharePromptOption = None,
    tokens_per_second: RateOption = None,
    usd_per_gpu_hour: HourOption = None,
    gpus: GpusOption = None,
    from_: FromOption = None,
    form: FormatOption = None,
    as_frontier: Annotated[
        bool,
        typer.Option("--frontier", help="Show which policy to use at each budget as well, as `isobudget plan` does."),
    ] = False,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Compare models at equal budget: each gets as many samples as the budget buys.

    Counts are JSON lines (or CSV) `{"model", "task_id", "n", "c"}` or `{"model", "task_id", "passed": [0, 1, ...]}`;
    results of other tools are taken as they are, see docs/importing.md. Without `--costs`, models whose names are known
    architectures are priced in flops.

    Example:

        isobudget curves counts.jsonl --costs paper --unit seconds
    """
    given = stated(locals())
    from isobudget import api
    from isobudget.cli.show import print_results
    from isobudget.report.tables.comparison import comparison_grids
    from isobudget.report.tables.power import power_line
    from isobudget.report.tables.sentence import winner_sentence
    from isobudget.report.tables.terminal import print_grids, print_text

    chosen = one_form(as_json, as_csv, form)
    if as_frontier and (chosen != "table" or charge or select != "tests"):
        raise InputError(
            "--frontier adds a table of policies that stop by tests and pay for generating alone; it does not go with "
            "--json, --csv (isobudget plan has them), --charge or --select likelihood"
        )
    comparisons = api.curves(**given)
    if not print_results(comparisons, chosen):
        for comparison in comparisons:
            print_grids(comparison_grids(comparison))
            if as_frontier:
                print_grids([_frontier(comparison, given)])
            print_text("\n".join(filter(None, (winner_sentence(comparison), power_line(comparison)))) + "\n")


def _frontier(comparison: Comparison, given: Mapping[str, Any]) -> Grid:
    """The policies at the comparison's budgets, from the same source."""
    from isobudget import api
    from isobudget.report.tables.comparison import short_labels
    from isobudget.report.tables.frontier import frontier_grid

    names = ("unit", "costs", "tokens_per_second", "usd_per_gpu_hour", "gpus", "from_", "level", "replicates", "seed")
    same = {name: given[name] for name in names if name in given}
    made = api.plan(given["source"], budget=comparison.budgets, benchmark=comparison.benchmark, **same)
    return frontier_grid(comparison.benchmark, made.recommended, made.level, short_labels(list(made.prices)))
