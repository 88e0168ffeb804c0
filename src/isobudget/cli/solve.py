"""`isobudget solve`: a function of your project, written within a budget."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isobudget.cli.declared import of_api
from isobudget.cli.grouped import in_groups
from isobudget.cli.options import JsonOption

if TYPE_CHECKING:
    from isobudget import Solution

_NOTHING_WRITTEN = (
    "Your project is unchanged. This diff can be piped into git apply; --apply solves again and writes what passes."
)
_SEVERAL = "Each diff is against the project as it is, so two of one file may not apply together; --apply writes all."


@in_groups(
    {},
    budget="60s, 0.02usd, 5e13flops, 20000tokens or 20samples in all; with --failing, of each function",
    failing="Write every unwritten function that tests call; TARGET is a folder or a file",
)
@of_api(
    "solve",
    target=typer.Argument(metavar="TARGET"),
    tests=typer.Option(metavar="TESTS"),
    also=typer.Option(metavar="TESTS"),
    budget=typer.Option(metavar="60s|0.02usd|5e13flops|20000tokens|20samples"),
    models=Annotated[str | None, typer.Option(metavar="A,B")],
    policy=typer.Option(metavar="policy.toml"),
    out=typer.Option(metavar="FILE"),
    python=typer.Option(metavar="PATH"),
    run=typer.Option(metavar="FOLDER"),
    allow_subprocess=typer.Option("--allow-subprocess"),
    format=typer.Option(metavar="NAME"),
    max_tokens=typer.Option(min=1),
    temperature=typer.Option(min=0.0),
    test_seconds=typer.Option(min=0.1),
    explore=typer.Option(min=1, metavar="N"),
    repair=typer.Option(min=1, metavar="N"),
    confirm=typer.Option(min=1, metavar="N"),
    prompt_tokens=typer.Option(min=1),
    memory_mb=typer.Option(min=64),
    only_reaching=None,
)
def solve(
    given: dict[str, Any],
    diff: Annotated[
        bool, typer.Option("--diff", help="Print the change and write nothing, as without this option.")
    ] = False,
    failing: Annotated[
        bool, typer.Option("--failing", help="Write every function without a body; TARGET is a folder or a file.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a function of your project within a budget: small model first, your tests decide, stop at the first pass.

    Tests run confined, on a read-only copy of the project. Prints a unified diff; nothing is changed without --apply.
    Exit code 0: solved; 1: not solved within the budget; 2: an argument, a file or the tests cannot be used.

    Example:

        isobudget solve src/pkg/text.py::slugify --tests tests/test_text.py --budget 60s  # files of your project
    """
    from isobudget import api
    from isobudget.cli.interrupts import interruptible
    from isobudget.cli.progress import TerminalProgress
    from isobudget.cli.show import print_json
    from isobudget.errors import InputError

    if diff and given["apply"]:
        raise InputError("--diff prints the change and --apply writes it; choose one")
    solutions: list[Solution] = []
    with interruptible(message="Samples that were judged are recorded in the run."):
        try:
            with TerminalProgress() as progress:
                if failing:
                    api.solve_failing(given.pop("target"), **given, progress=progress, on_solution=solutions.append)
                else:
                    api.solve(**given, progress=progress, on_solution=solutions.append)
        finally:  # solutions from before an error or Ctrl-C are shown, too
            if as_json and solutions:
                print_json([one.to_dict() for one in solutions] if failing else solutions[0].to_dict())
            for one in () if as_json else solutions:
                _show(one, applied=given["apply"], out=given.get("out"))
            sys.stdout.flush()
    if as_json and not solutions:  # every function has a body
        print_json([])
    written = Counter(one.target.path for one in solutions if one.solved and one.diff)
    if not as_json and not given["apply"] and written.total() > len(written):
        print(_SEVERAL, file=sys.stderr)
    _end(0 if all(one.solved for one in solutions) else 1)


def _show(solution: Solution, *, applied: bool, out: Path | None) -> None:
    """Print a passing diff to stdout, everything else to stderr, so that only a passing diff reaches `git apply`."""
    from isobudget.grid import printable

    if not solution.solved and solution.diff:
        print("The best attempt, which does NOT pass:", printable(solution.diff), sep="\n", file=sys.stderr)
    elif solution.diff and not applied:
        print(printable(solution.diff) if sys.stdout.isatty() else solution.diff, end="", flush=True)
    print(solution.summary, file=sys.stderr)
    if solution.confirmation is not None and solution.confirmation.tests:
        print(
            "\nProposed tests: each expects what most of the programs return. Keep those that are right:\n",
            file=sys.stderr,
        )
        print(printable(solution.confirmation.tests), file=sys.stderr)
    if solution.solved and applied:
        print(f"Written to {solution.target.path}.", file=sys.stderr)
    elif solution.solved:
        print(_NOTHING_WRITTEN if out is None else "Your project is unchanged.", file=sys.stderr)
    if out is not None:
        text = f"Written to {out}." if solution.solved else f"{out} was not written: no sample passed."
        print(text, file=sys.stderr)


def _end(code: int) -> None:
    """Exit without waiting for an engine in the middle of a long, unneeded step."""
    import os
    import threading

    from isobudget.cli.interrupts import exit_status

    code = exit_status(code)
    if any(one.name in ("llama.cpp", "draw") for one in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    if code:
        raise typer.Exit(code)
