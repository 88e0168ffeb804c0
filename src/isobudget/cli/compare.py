"""`isobudget compare`: two models with their numbers of samples, or the same models in two runs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from isobudget.cli.declared import of_api


@of_api(
    "compare",
    sources=Annotated[list[str], typer.Argument(metavar="SOURCE... NAME@K NAME@K")],
    k=typer.Option(min=1),
)
def compare(given: dict[str, Any], form: str) -> None:
    """Compare two models on the same problems: success, paired difference with p-value, power, and prices.

    Examples:

        isobudget compare example smollm2-135m@8 qwen2.5-coder-1.5b@1

        isobudget compare runs/before runs/after  # two runs of your own, of one model
    """
    from isobudget import api
    from isobudget.cli.show import print_results
    from isobudget.report.tables.terminal import print_grids, print_text

    compared = api.compare(**given)
    if not print_results(compared, form):
        print_text(f"{compared!r}\n")
        print_grids(compared.grids())
