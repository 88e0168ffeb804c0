"""What commands show on a terminal: progress with time left, notes, JSON; and `isobudget show`, which does no more.

Progress and notes go to stderr, results to stdout, so that ``--json`` can be piped.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from isobudget.cli.declared import of_api
from isobudget.cli.options import JsonOption
from isobudget.cli.progress import duration, size
from isobudget.grid import json_value, short

if TYPE_CHECKING:
    from pathlib import Path

    from rich.table import Table

    from isobudget.grid import Grid
    from isobudget.pipeline.dry_run import DryRun
    from isobudget.pipeline.estimates import Expected

#: on a narrower terminal a dry run has two tables
_WIDE_COLUMNS = 130


@of_api("show", run=typer.Argument(metavar="RUN"), task=typer.Argument(metavar="TASK"), model=typer.Option(metavar="M"))
def show(given: dict[str, Any], as_json: JsonOption = False) -> None:
    """Print the programs that a run recorded for a task, with their verdicts; without TASK, the run's tasks.

    Example:

        isobudget show runs/quickstart quickstart/3 --passed
    """
    from isobudget import api

    shown = api.show(**given)
    if as_json:
        print_json(shown.to_dict())
    else:
        print(shown, end="")


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C ends the command with one message; by then everything that came back is recorded."""
    try:
        yield
    except KeyboardInterrupt:
        print("\nInterrupted. Finished work is saved; run the same command to resume.", file=sys.stderr, flush=True)
        # the engine's threads may be in the middle of a long answer that nobody waits for any more
        os._exit(130)


def print_json(value: Any) -> None:
    """Print a value as JSON on stdout; NaN, which JSON lacks, is null."""
    print(json.dumps(json_value(value), indent=2, allow_nan=False))


def print_csv(records: Sequence[Mapping[str, Any]]) -> None:
    """Print records with equal keys as CSV with a heading on stdout, see `isobudget.report.markup.csv_text`."""
    from isobudget.report.markup import csv_text

    sys.stdout.write(csv_text(records))


def print_results(results: Any, form: str, grids: Callable[[], Sequence[Grid]] | None = None) -> bool:
    """Print what a command found as JSON, CSV, Markdown or LaTeX; False for a table, which is the command's own.

    What was left out of the sources goes to stderr, where it is no part of the form. `grids` are its tables, where the
    results do not have them.
    """
    if form == "table":
        return False
    if form == "json":
        print_json(results.to_dict())
    elif form == "csv":
        print_csv(results.to_records())
    else:
        from isobudget.report.markup import latex, markdown

        print("\n\n".join(map(markdown if form == "markdown" else latex, (grids or results.grids)())))
        return True
    for note in getattr(results, "notes", ()):
        print(f"note: {note}", file=sys.stderr)
    return True


def print_saved(paths: Iterable[Path], form: str) -> None:
    """Say which figures were written: below a table, else on stderr, where it is no part of the form."""
    for path in paths:
        print(f"figure: {path}", file=sys.stdout if form == "table" else sys.stderr)


def print_dry_run(plan: DryRun) -> None:
    """Show what a study would generate and spend: a table, notes, what is missing."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    of, counts = ("model", "benchmark"), ("n", "samples", "remaining")
    amounts = ("prompts", "completions", "time", "usd", "disk")
    wide = console.width >= _WIDE_COLUMNS
    for names in ((*of, *counts, *amounts),) if wide else ((*of, *counts), (*of, *amounts)):
        table = Table(*names)
        for column in table.columns:
            column.no_wrap, column.overflow = column.header not in of, "fold"
        for one in plan.expected:
            cells = _dry_run_cells(one)
            table.add_row(*(cells[name] for name in names))
        console.print(table)
    if plan.replicas:
        console.print(_replicas_table(plan))
    sources = {f"time: {one.seconds_source}" for one in plan.expected}
    sources |= {f"usd: {one.usd_source}" for one in plan.expected}
    legend = "Token counts are estimates (upper bound in parentheses); ? = unknown."
    for text in (*sorted(sources), *plan.notes, legend, f"run folder: {plan.run}"):
        print(text)
    if plan.missing:
        print("This study cannot run here yet:", *(f"  {text}" for text in plan.missing), sep="\n")


def _replicas_table(plan: DryRun) -> Table:
    """What the models take on a cluster, one after another: GPUs, their hours, time on the clock, dollars."""
    from rich.table import Table

    table = Table(
        "model", "replicas", "GPUs", "GPU-hours", "time", "usd", title="On the cluster, one model after another"
    )
    for one in plan.replicas:
        hours, usd = ["?" if value is None else f"{value:,.1f}" for value in (one.gpu_hours, one.usd)]
        seconds = None if one.hours is None else one.hours * 3600
        table.add_row(one.model, str(one.replicas), str(one.gpus), hours, duration(seconds), usd)
    return table


def _dry_run_cells(one: Expected) -> dict[str, str]:
    """What the table says of a model on a benchmark, by column."""
    return {
        "model": one.model,
        "benchmark": one.benchmark,
        "n": _count(one.n),
        "samples": _count(one.samples),
        "remaining": _count(one.left),
        "prompts": _up_to(one.prompt_tokens, one.prompt_tokens_at_most),
        "completions": _up_to(one.completion_tokens, one.completion_tokens_at_most),
        "time": duration(one.seconds),
        "usd": "?" if one.usd is None else f"{one.usd:,.2f}",
        "disk": size(one.bytes),
    }


def _count(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def _up_to(value: int | None, most: int | None) -> str:
    return "?" if value is None and most is None else f"{_approximate(value)} ({_approximate(most)})"


def _approximate(value: int | None) -> str:
    return "?" if value is None else short(value)
