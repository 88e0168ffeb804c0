"""`isobudget curves`: success against budget of several models, from a run or from counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from isobudget.cli.declared import of_api
from isobudget.cli.grouped import in_groups
from isobudget.errors import InputError

if TYPE_CHECKING:
    from isobudget.curves import Comparison
    from isobudget.grid import Grid


@in_groups(
    {
        "Options": "unit budgets benchmark select stop charge ranker_architecture extrapolate from_",
        "Prices": "costs tokens_per_second usd_per_gpu_hour gpus completion_tokens",
        "How it is counted": "level replicates seed simultaneous share_prompt",
        "Output": "figure panel width font as_plot as_frontier form as_json as_csv",
    },
    stop="fixed, or first-pass: until a sample passes",
    select="by tests, or by the model's own likelihood",
    budgets="1e12,5e12 in the unit, or 1x,4x cheapest samples",
    unit="flops, seconds, tokens, usd, joules, ...",
    panel="k, or a unit; repeatable (k, flops, seconds)",
    as_frontier="Show which policy to use at each budget as well",
    width="text, column, neurips, ..., or 89mm",
    font="Font and size, such as times,9",
    from_="Format of the files, see docs/importing.md",
    simultaneous="Test all budgets together",
    share_prompt="Charge a problem's prompt once",
)
@of_api(
    "curves",
    source=typer.Argument(metavar="SOURCE..."),
    charge=typer.Option(metavar="judge|scoring"),
    ranker_architecture=typer.Option(metavar="NAME"),
    extrapolate=typer.Option(metavar="K"),
)
def curves(
    given: dict[str, Any],
    form: str,
    as_frontier: Annotated[
        bool,
        typer.Option("--frontier", help="Show which policy to use at each budget as well, as `isobudget plan` does."),
    ] = False,
    as_plot: Annotated[bool, typer.Option("--plot", help="Plot success against budget on the terminal.")] = False,
) -> None:
    """Compare models at equal budget: each gets as many samples as the budget buys.

    Without prices, models whose names are known architectures are priced in flops. In full: docs/api.md, `curves`.

    Example: `isobudget curves example --unit flops`
    """
    from isobudget import api
    from isobudget.cli.show import print_results, print_saved
    from isobudget.report.on_terminal import print_basis, print_plot
    from isobudget.report.tables.comparison import comparison_grids
    from isobudget.report.tables.labels import said_of
    from isobudget.report.tables.sentence import headline
    from isobudget.report.tables.terminal import print_grids, print_text

    if as_frontier and (form != "table" or given.get("charge") or given["select"] != "tests"):
        raise InputError(
            "--frontier adds a table of policies, which stop at a passing test and are charged for generation only; it "
            "cannot be combined with --json, --csv (isobudget plan has them), --charge or --select likelihood"
        )
    if as_plot and form != "table":
        raise InputError("--plot draws on the terminal; it cannot be combined with --json, --csv or another --format")
    comparisons = api.curves(**given)
    if not print_results(comparisons, form):
        sentences = said_of((one.benchmark, headline(one)) for one in comparisons)
        for comparison, sentence in zip(comparisons, sentences, strict=True):
            print_text(f"{sentence}\n")
            if as_plot:
                print_plot(comparison)
            print_grids(comparison_grids(comparison))
            if as_frontier:
                print_grids(_frontier(comparison, given))
            print_basis(comparison)
    print_saved(comparisons.saved, form)


def _frontier(comparison: Comparison, given: dict[str, Any]) -> list[Grid]:
    """The table of policies at the comparison's budgets, planned from the same source."""
    from isobudget import api
    from isobudget.report.tables.frontier import frontier_grids
    from isobudget.report.tables.labels import short_labels

    prices = ("costs", "tokens_per_second", "usd_per_gpu_hour", "gpus", "completion_tokens", "share_prompt")
    same = {name: given[name] for name in (*prices, "from_", "level", "replicates", "seed") if name in given}
    made = api.plan(
        given["source"], budget=comparison.budgets, benchmark=comparison.benchmark, unit=comparison.unit, **same
    )
    return frontier_grids(comparison.benchmark, made.recommended, made.level, short_labels(list(made.prices)))
