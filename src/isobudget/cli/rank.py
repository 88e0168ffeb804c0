"""`isobudget rank`: how well rankers pick one of k samples without running tests, and what that costs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from isobudget.cli.declared import of_api
from isobudget.rankers.registry import NAMES


class Api(StrEnum):
    """Calls of a server."""

    COMPLETIONS = "completions"
    CHAT = "chat"


@of_api(
    "rank",
    source=typer.Argument(metavar="SOURCE..."),
    ranker=Annotated[
        list[str] | None, typer.Option("-r", "--ranker", metavar="NAME", help=f"{', '.join(NAMES)}. Repeatable.")
    ],
    model=typer.Option("-m", "--model"),
    api=Annotated[Api | None, typer.Option()],
    key_env=typer.Option(metavar="NAME"),
    setting=typer.Option(metavar="NAME=VALUE"),
    filter=typer.Option(metavar="executable|examples"),
    first=typer.Option(min=1),
    inputs=typer.Option(min=1, max=1000),
    examples=typer.Option(metavar="benchmark|given|none"),
    train=typer.Option(metavar="RUN"),
    orders=typer.Option(min=2, max=100_000),
    k=typer.Option(min=1),
)
def rank(given: dict[str, Any], form: str) -> None:
    """Evaluate rankers: how well they pick one of k samples without running tests (equal budget, AUC, calibration).

    Missing scores are computed and kept in the run folder; run the same command to resume.

    Examples:

        isobudget rank runs/quickstart --ranker own --ranker agreement

        isobudget rank samples.jsonl --problems humaneval --verdicts verdicts.jsonl --ranker agreement --ranker tests

        isobudget rank verdicts.jsonl --ranker order
    """
    from isobudget import api
    from isobudget.cli.progress import TerminalProgress
    from isobudget.cli.show import interruptible, print_results, print_saved
    from isobudget.report.tables.terminal import print_grids

    with interruptible(), TerminalProgress() as progress:
        ranked = api.rank(**given, progress=progress)
    if not print_results(ranked, form):
        print_grids(ranked.grids())
    print_saved(ranked.saved, form)
