"""`isobudget rank`: how well rankers pick one of k samples without running tests, and what that costs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from isobudget.cli.declared import of_api
from isobudget.cli.grouped import in_groups
from isobudget.rankers.registry import NAMES


@in_groups(
    {
        "Options": "ranker inputs examples tests train power filter workers cluster check unsafe orders k level seed",
        "The model that scores": "model backend url api key_env setting architecture",
        "Samples and output": "benchmark problems verdicts first out from_ figure width font form as_json as_csv",
    },
    ranker="own, agreement, ..., see docs/rankers.md",
    filter="Drop samples first: executable or examples",
    examples="benchmark, given or none",
    inputs="Inputs per problem to compare samples on",
    power="Exponent of the sample count (CodeT)",
    orders="Random orders for set rankers",
    check="Judge the references of your own problems first",
    unsafe="Run samples even without confinement",
    k="Samples to choose from for calibration",
    seed="Seed of inputs, orders and bootstrap",
    api="completions, or chat, which only writes tests",
    backend="llama.cpp, server, vllm or transformers",
    url="Base URL of a server",
    figure="Plot each model's rankers: .svg, .pdf or .png",
    width="text, column, neurips, ..., or 89mm",
    font="Font and size, such as times,9",
    from_="Format of the files, see docs/importing.md",
)
@of_api(
    "rank",
    source=typer.Argument(metavar="SOURCE..."),
    ranker=Annotated[
        list[str] | None, typer.Option("-r", "--ranker", metavar="NAME", help=f"{', '.join(NAMES)}. Repeatable.")
    ],
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

    Missing scores are computed and kept; run the same command to resume. In full: docs/api.md, docs/rankers.md.

    Examples: `isobudget rank example -r own -r agreement`, or `isobudget rank results.jsonl -r order` with a file of
    results of your own
    """
    from isobudget import api
    from isobudget.cli.interrupts import interruptible
    from isobudget.cli.progress import TerminalProgress
    from isobudget.cli.show import print_results, print_saved
    from isobudget.report.tables.labels import said_of
    from isobudget.report.tables.ranking import ranking_headline
    from isobudget.report.tables.terminal import print_grids, print_text

    with interruptible(), TerminalProgress() as progress:
        ranked = api.rank(**given, progress=progress)
    if not print_results(ranked, form):
        print_text("\n".join(said_of((one.benchmark, ranking_headline(one)) for one in ranked)) + "\n")
        print_grids(ranked.grids())
    print_saved(ranked.saved, form)
