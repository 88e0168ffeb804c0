"""`isobudget paper`: the paper's tables, and the comparison at equal budget that follows from them."""

from __future__ import annotations

from typing import Annotated, Any

from isobudget.cli.declared import of_api
from isobudget.cli.options import one_of


@of_api(
    "paper",
    table=Annotated[list[str] | None, one_of("1", "2", "3", "4", "budget", "flips")],
    unit=Annotated[str | None, one_of("flops", "seconds")],
)
def paper(given: dict[str, Any], form: str) -> None:
    """Print the paper's Tables 1-4, the equal-budget tables that follow from them, and where the winner flips.

    Table 1 is shown with our own count of the same flops. Between published k, pass@k is interpolated and
    marked with ~.

    Example: the success of each model on HumanEval for the flops of one 70B sample, half of them, twice as many, ...

        isobudget paper --table budget --benchmark humaneval --unit flops
    """
    from isobudget import api
    from isobudget.cli.show import print_results, print_saved
    from isobudget.report.tables.terminal import print_grids

    tables = api.paper(**given)
    if not print_results(tables, form):
        print_grids(tables.grids())
    print_saved(tables.saved, form)
