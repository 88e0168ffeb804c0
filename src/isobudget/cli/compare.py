"""`isobudget compare`: two models with their numbers of samples, or the same models in two runs."""

from __future__ import annotations

from typing import Annotated

import typer

from isobudget.cli.options import (
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
    one_form,
    stated,
)


def compare(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE... NAME@K NAME@K", help="Run folders or files of results, and two models; or two sources."
        ),
    ],
    k: Annotated[int, typer.Option(min=1, help="Samples of each problem, where two sources are compared.")] = 1,
    benchmark: BenchmarkOption = None,
    costs: CostsOption = None,
    tokens_per_second: RateOption = None,
    usd_per_gpu_hour: HourOption = None,
    gpus: GpusOption = None,
    level: LevelOption = 0.95,
    replicates: Annotated[
        int, typer.Option(min=100, max=1_000_000, help="Bootstrap replicates over problems.")
    ] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap and of the test.")] = 0,
    from_: FromOption = None,
    form: FormatOption = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Compare two models on the same problems: success, paired difference with p-value, power, and prices.

    Examples:

        isobudget compare counts.jsonl 7b@5 34b@1 --costs paper

        isobudget compare runs/before runs/after
    """
    given = stated(locals())
    from isobudget import api
    from isobudget.cli.show import print_results
    from isobudget.report.tables.terminal import print_grids, print_text

    chosen = one_form(as_json, as_csv, form)
    compared = api.compare(**given)
    if not print_results(compared, chosen):
        print_grids(compared.grids())
        print_text(f"{compared!r}\n")
