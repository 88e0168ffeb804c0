"""`isobudget import`: other tools' results as a run folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from isobudget.cli.declared import of_api
from isobudget.cli.options import JsonOption

if TYPE_CHECKING:
    from isobudget.exchange.imported_run import ImportedRun

_MOST_KINDS = 12


@of_api(
    "import_results",
    sources=typer.Argument(metavar="FILE..."),
    problems=typer.Option(metavar="BENCHMARK|FILE"),
    benchmark=typer.Option(metavar="NAME"),
)
def import_(given: dict[str, Any], as_json: JsonOption = False) -> None:
    """Import results of other tools into a run folder, which every command takes.

    Formats are recognised by content. The command reports what it imports and what it leaves out; the verdicts are
    those of the source.

    Examples:

        isobudget import eval_results.json -o runs/mine  # what EvalPlus wrote

        isobudget import 'logs/*.eval' --rejudge --problems humaneval  # logs of Inspect
    """
    from isobudget import api
    from isobudget.cli.interrupts import interruptible
    from isobudget.cli.progress import TerminalProgress
    from isobudget.cli.show import print_json

    message = "Nothing was imported; run the same command again."
    with interruptible(message=message), TerminalProgress(quiet=as_json) as progress:
        made = api.import_results(**given, progress=progress)
    if as_json:
        print_json(made.to_dict())
    else:
        print("\n".join(_lines(made)))


def _lines(made: ImportedRun) -> list[str]:
    from isobudget.grid import counted, printable

    lines = [*map(str, made.taken), *made.notes]
    lines += [f"{name}: {counted(number, 'problem')}" for name, number in made.benchmarks.items()]
    lines += [f"{name}: {counted(number, 'sample')}" for name, number in made.models.items()]
    if made.disagreements is not None:
        lines += filter(None, [made.judged_here()])
        others = [(theirs, ours, n) for (theirs, ours), n in made.disagreements.items() if theirs != ours]
        lines += [f"  {theirs} in the source, {ours} here: {n:,}" for theirs, ours, n in others[:_MOST_KINDS]]
    return [*map(printable, lines), f"run folder: {made.path}"]
