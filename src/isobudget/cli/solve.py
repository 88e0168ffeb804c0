"""`isobudget solve`: a function of your project, written inside a budget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isobudget.cli.options import JsonOption

if TYPE_CHECKING:
    from isobudget import Solution


def solve(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="FILE.py::function, FILE.py::Class.method, or a file to complete.")
    ],
    tests: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TESTS",
            help="Pytest files, folders or node ids that decide. Repeatable.",
            show_default="the test files that import TARGET",
        ),
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(metavar="TESTS", help="Tests that must not be broken; run on what passes --tests. Repeatable."),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(metavar="60s|0.02usd|5e13flops|20000tokens|20samples", help="Hard limit.", show_default="60s"),
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(
            metavar="A,B", help="Models, cheapest first.", show_default="of the models file, or embedded ones"
        ),
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(metavar="policy.toml", help="Play this policy instead, see `plan --write`.")
    ] = None,
    diff: Annotated[bool, typer.Option("--diff", help="Print the change, and write nothing (the default).")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Write what passed into the file.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Apply also on a git tree with uncommitted changes.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the whole text of what passed to FILE.")
    ] = None,
    failing: Annotated[
        bool, typer.Option("--failing", help="TARGET is a folder: every function without a body that tests call.")
    ] = False,
    python: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="The project's interpreter.", show_default="active environment, or .venv"),
    ] = None,
    run: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Run folder.", show_default="runs/solve in the project")
    ] = None,
    show_tests: Annotated[
        bool | None, typer.Option("--show-tests/--no-show-tests", help="Put the tests' texts into the prompt.")
    ] = None,
    allow_subprocess: Annotated[
        bool | None, typer.Option("--allow-subprocess", help="Let tests start programs, inside the confinement.")
    ] = None,
    format: Annotated[  # noqa: A002
        str | None, typer.Option(metavar="NAME", help="Prompt format.", show_default="solve or solve-chat")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Tokens per sample.", show_default="256")] = None,
    temperature: Annotated[float | None, typer.Option(min=0.0, help="Of sampling.", show_default="0.7")] = None,
    test_seconds: Annotated[
        float | None, typer.Option(min=0.1, help="CPU seconds for one candidate's tests.", show_default="5")
    ] = None,
    explore: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Draw N samples of every model, whatever their verdicts.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first sample.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Write a function of your project inside a budget: small model first, your tests decide, stop at the first pass.

    Tests run confined, on a read-only copy of the project. Prints a unified diff; nothing is changed without --apply.
    Exit code 0: solved; 1: not solved inside the budget; 2: something is wrong with what was asked for.

    Example:

        isobudget solve src/pkg/text.py::slugify --tests tests/test_text.py --budget 60s
    """
    from isobudget import api
    from isobudget.cli.show import TerminalProgress, interruptible, print_json
    from isobudget.errors import InputError

    if diff and apply:
        raise InputError("--diff prints the change and --apply writes it; choose one")
    given: dict[str, Any] = {
        "also": also or (),
        "budget": budget,
        "models": models or (),
        "policy": policy,
        "apply": apply,
        "force": force,
        "out": out,
        "python": python,
        "run": run,
        "show_tests": show_tests,
        "allow_subprocess": allow_subprocess,
        "format": format,
        "max_tokens": max_tokens,
        "temperature": temperature,
        "test_seconds": test_seconds,
        "explore": explore,
        "seed": seed,
    }
    with interruptible(), TerminalProgress() as progress:
        if failing:
            solutions = api.solve_failing(target, tests or (), progress=progress, **given)
        else:
            solutions = [api.solve(target, tests or (), progress=progress, **given)]
    if as_json:
        print_json([one.to_dict() for one in solutions] if failing else solutions[0].to_dict())
    else:
        _show(solutions, applied=apply, out=out)
    _end(0 if all(one.solved for one in solutions) else 1)


def _show(solutions: list[Solution], *, applied: bool, out: Path | None) -> None:
    """Diffs that pass on stdout, all else on stderr: what is piped into `git apply` has passed."""
    import sys

    from isobudget.grid import printable

    for one in solutions:
        if not one.solved and one.diff:
            print("The best attempt, which does NOT pass:", printable(one.diff), sep="\n", file=sys.stderr)
        elif one.diff and not applied:
            print(printable(one.diff) if sys.stdout.isatty() else one.diff, end="", flush=True)
        print(one.summary, file=sys.stderr)
        if one.solved and applied:
            print(f"Written to {one.target.path}.", file=sys.stderr)
        elif one.solved:
            print("Nothing is changed; --apply writes it.", file=sys.stderr)
        if out is not None:
            text = f"Written to {out}." if one.solved else f"{out} is not written: nothing passed."
            print(text, file=sys.stderr)


def _end(code: int) -> None:
    """Exit; without waiting for an engine that is in the middle of a long step, which nobody needs any more."""
    import os
    import sys
    import threading

    if any(one.name in ("llama.cpp", "draw") for one in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    if code:
        raise typer.Exit(code)
