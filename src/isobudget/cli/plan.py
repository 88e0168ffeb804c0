"""`isobudget plan`: the best way to spend a budget, learned from recorded results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from isobudget.cli.declared import of_api
from isobudget.cli.grouped import in_groups


@in_groups(
    {},
    budget="8x cheapest samples, 8x:NAME, 60s, 10min, 2h, 0.02usd, 5e13flops; repeatable",
    unit="flops, seconds, device_seconds, tokens, usd or joules",
)
@of_api(
    "plan",
    sources=typer.Argument(metavar="SOURCE..."),
    budget=typer.Option(metavar="8x|8x:NAME|AMOUNT"),
    target=typer.Option(metavar="90%"),
    arms=Annotated[str | None, typer.Option(metavar="A,B")],
    policy=typer.Option(metavar="NAME"),
    hidden=typer.Option(metavar="SOURCE"),
    write=typer.Option(metavar="policy.toml"),
    figure=typer.Option(metavar="FILE"),
)
def plan(given: dict[str, Any], form: str) -> None:
    """Plan how to spend a budget: which models in which order, and when to stop.

    Compares fixed k (always k samples of one model, as in the paper), stopping at the first pass, cascades, and a
    greedy order of several models, on problems that these policies were not learned on. Recommends the simplest policy
    within noise of the best.

    Example:

        isobudget plan example --budget 8x --write policy.toml
    """
    from isobudget import api
    from isobudget.cli.show import print_results, print_saved
    from isobudget.report.tables.plan import plan_grids
    from isobudget.report.tables.terminal import print_grids, print_text

    made = api.plan(**given)
    if not print_results(made, form, lambda: plan_grids(made)):
        print_text(made.sentence + "\n")
        print_grids(plan_grids(made))
    print_saved([Path(given["figure"])] if "figure" in given else [], form)
