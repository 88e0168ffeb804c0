"""`isobudget curves`: success against budget of several models, from a run or from counts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isobudget.cli.options import (
    BenchmarkOption,
    CsvOption,
    JsonOption,
    LevelOption,
    SharePromptOption,
    SimultaneousOption,
    one_form,
    stated,
)


def curves(
    source: Annotated[
        Path, typer.Argument(metavar="RUN-or-COUNTS.jsonl", help="A run folder, or a COUNTS file (may be gzipped).")
    ],
    unit: Annotated[str, typer.Option(help="Unit of the budgets: flops, seconds, tokens, usd or joules.")] = "flops",
    costs: Annotated[
        str | None,
        typer.Option(metavar="FILE.toml", help="Costs file, see docs/costs.md; or `paper` for the paper's Table 1."),
    ] = None,
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
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Compare models at equal budget: each gets as many samples as the budget buys.

    A COUNTS file has JSON lines `{"model", "task_id", "n", "c"}` or `{"model", "task_id", "passed": [0, 1, ...]}`, or
    one line per graded sample, `{"task_id", "passed": true}`. Without `--costs`, models whose names are known
    architectures are priced in flops.

    Example:

        isobudget curves counts.jsonl --costs paper --unit seconds
    """
    given = stated(locals())
    from isobudget import api
    from isobudget.cli.show import print_csv, print_json
    from isobudget.report.tables.comparison import comparison_grids
    from isobudget.report.tables.power import power_line
    from isobudget.report.tables.sentence import winner_sentence
    from isobudget.report.tables.terminal import print_grids, print_text

    one_form(as_json, as_csv)
    comparisons = api.curves(**given)
    if as_json:
        print_json(comparisons.to_dict())
    elif as_csv:
        print_csv(comparisons.to_records())
    else:
        for comparison in comparisons:
            print_grids(comparison_grids(comparison))
            print_text("\n".join(filter(None, (winner_sentence(comparison), power_line(comparison)))) + "\n")
