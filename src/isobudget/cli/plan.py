"""`isobudget plan`: the best way to spend a budget, learned from recorded results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
    one_form,
    stated,
)


def plan(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE...", help=SOURCES_HELP),
    ],
    unit: Annotated[
        str, typer.Option(help="What budgets are counted in: flops, seconds, device_seconds, tokens, usd or joules.")
    ] = "flops",
    budget: Annotated[
        list[str] | None,
        typer.Option(
            metavar="8x|8x:NAME|AMOUNT",
            help="Spending per problem, on average: samples of the cheapest arm or of NAME, or an amount such as 60s, "
            "0.02usd, 5e13flops. Repeatable.",
            show_default="doublings of the cheapest sample",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(metavar="90%", help="Plan the smallest budget that reaches this success.", show_default=False),
    ] = None,
    costs: CostsOption = None,
    arms: Annotated[
        str | None, typer.Option(metavar="A,B", help="Plan with these models only.", show_default="all")
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="fixed_k, first_pass, doubling, cascade, greedy, optimal, or by_label (problems with a `difficulty`). "
            "Repeatable.",
            show_default="fixed_k, first_pass, cascade, greedy",
        ),
    ] = None,
    benchmark: BenchmarkOption = None,
    hidden: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE",
            help="The same samples judged by hidden tests; SOURCE... then has the visible tests' verdicts. Repeatable.",
            show_default=False,
        ),
    ] = None,
    false_pass_cost: Annotated[
        float,
        typer.Option(help="What a sample that passes the visible tests alone costs, in right answers (with --hidden)."),
    ] = 0.0,
    level: LevelOption = 0.95,
    replicates: Annotated[
        int, typer.Option(min=100, max=1_000_000, help="Bootstrap replicates over problems.")
    ] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the folds and of the bootstrap.")] = 0,
    write: Annotated[
        Path | None,
        typer.Option(metavar="policy.toml", help="Write what is recommended for the one budget.", show_default=False),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(metavar="frontier.svg|pdf|png", help="Draw success against budget.", show_default=False),
    ] = None,
    tokens_per_second: RateOption = None,
    usd_per_gpu_hour: HourOption = None,
    gpus: GpusOption = None,
    share_prompt: SharePromptOption = None,
    from_: FromOption = None,
    form: FormatOption = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Plan how to spend a budget: which models in which order, and when to stop.

    Compares always drawing k samples of one model (the paper), stopping at the first pass, cascades, and a greedy order
    of several models, on problems that they were not learned on; recommends the simplest within noise of the best.

    Example:

        isobudget plan counts.jsonl --costs paper --budget 8x --write policy.toml
    """
    given = stated(locals())
    from isobudget import api
    from isobudget.cli.show import print_results
    from isobudget.report.tables.plan import plan_grids
    from isobudget.report.tables.terminal import print_grids, print_text

    chosen = one_form(as_json, as_csv, form)
    made = api.plan(**given)
    if not print_results(made, chosen, lambda: plan_grids(made)):
        print_grids(plan_grids(made))
        print_text(made.sentence + "\n")
