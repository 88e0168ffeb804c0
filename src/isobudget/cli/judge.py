"""`isobudget judge`: run the tests on samples, of a file or of a run folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isobudget.cli.declared import of_api
from isobudget.cli.grouped import in_groups
from isobudget.cli.options import JsonOption
from isobudget.grid import Grid, counted, percent, printable

if TYPE_CHECKING:
    from isobudget.pipeline.judge_samples import JudgeSummary


#: options of the command that also apply to a service
_OF_SERVICE = ("workers", "seconds", "memory_mb", "unsafe")


@in_groups(
    {},
    extraction="function, block, program or none: the code extraction rule",
    trust="Where tests run: split or shared; by default as each problem allows",
    serve="Serve the judge over HTTP, instead of judging SAMPLES",
)
@of_api(
    "judge",
    output=typer.Option("-o", "--output"),
    seconds=typer.Option(min=0.01),
    memory_mb=typer.Option(min=64),
    one_process=typer.Option("--one-process/--process-per-test"),
    samples=Annotated[str | None, typer.Argument(metavar="SAMPLES")],
    judge=typer.Option(metavar="URL"),
)
def judge(
    given: dict[str, Any],
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the judge over HTTP (no SAMPLES). For keys see `isobudget serve`.")
    ] = False,
    host: Annotated[
        str | None, typer.Option(help="With --serve, the address to listen on.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="With --serve, the port.", show_default="8401")
    ] = None,
    ledger: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="With --serve, the ledger, which has the API keys.", show_default="as in serve"
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Judge samples: one verdict per sample, in order.

    Of a run folder, only samples without a verdict are judged; with `--again`, all are, and `--extraction` extracts
    their code again. Completions of a chat model in a file need `--extraction block`.

    Examples: `isobudget judge samples.jsonl --problems humaneval -o verdicts.jsonl` with a file of your own, or
    `isobudget judge runs/quickstart`, the run of `isobudget run quickstart`
    """
    from isobudget import api
    from isobudget.cli.interrupts import interruptible
    from isobudget.cli.progress import TerminalProgress
    from isobudget.cli.show import print_json

    where = {"host": host, "port": port, "ledger": ledger}
    if serve:
        _refuse_beside_serve(given, as_json)
        limits = {name: given[name] for name in _OF_SERVICE if name in given}
        api.serve_judge(**where, on_ready=_tell, **limits)  # type: ignore[arg-type]
        return
    if stated := [name for name, value in where.items() if value is not None]:
        raise typer.BadParameter("requires --serve", param_hint=f"--{stated[0]}")
    if "samples" not in given:
        raise typer.BadParameter("name a file of samples or a run folder", param_hint="SAMPLES")
    resume = "--resume" if "output" in given and not given["resume"] else ""
    with interruptible(resume), TerminalProgress() as progress:
        summary = api.judge(**given, progress=progress)
    if as_json:
        print_json(summary.to_dict())
    else:
        _print(summary)
        if summary.run is not None:
            print(f"See the results with: isobudget report {summary.run}")
    if summary.invalid:
        number = summary.outcomes["invalid"]
        print(f"{counted(number, 'sample')} could not be judged; the first: {summary.invalid}", file=sys.stderr)
        raise typer.Exit(1)


def _refuse_beside_serve(given: dict[str, Any], as_json: bool) -> None:
    """Refuse options that a service cannot use: samples, and how to judge them, since its clients state these."""
    if "samples" in given:
        raise typer.BadParameter("cannot be combined with SAMPLES; clients send the samples", param_hint="--serve")
    for name in ("problems", "output", "cluster", "judge", "again"):
        if given.get(name):
            raise typer.BadParameter("cannot be combined with --serve", param_hint=f"--{name}")
    if as_json:
        raise typer.BadParameter("cannot be combined with --serve", param_hint="--json")


def _tell(url: str) -> None:
    print(f"serving the judge at {url.removesuffix('/v1')}", file=sys.stderr, flush=True)


def _print(summary: JudgeSummary) -> None:
    from isobudget.report.tables.terminal import print_grids

    if not summary.outcomes:
        print("every sample already has a verdict")
        return
    print_grids([_outcomes_grid(summary), *([_scores_grid(summary)] if summary.pass_at_k or summary.by_model else [])])
    for line in _notes(summary):
        print(printable(line))


def _outcomes_grid(summary: JudgeSummary) -> Grid:
    total = sum(summary.outcomes.values())
    rows = ((name, f"{count:,}", f"{percent(count / total)} %") for name, count in summary.outcomes.items())
    return Grid("Verdicts", ("outcome", "samples", "share"), tuple(rows))


def _scores_grid(summary: JudgeSummary) -> Grid:
    """A table of pass@k, with a row per model if there are several."""
    from isobudget.report.tables.terminal import UNCERTAIN, legend

    scores = summary.by_model or {"": summary.pass_at_k}
    ks = sorted({k for shares in scores.values() for k in shares})
    named = bool(summary.by_model)
    rows = tuple(
        (
            *[model or "(none stated)"] * named,
            *(f"{percent(shares[k], 2)} %{'?' * (k > summary.trusted_k)}" if k in shares else "-" for k in ks),
        )
        for model, shares in scores.items()
    )
    of = f" of {summary.problems_in_all}" if summary.problems_in_all > summary.problems else ""
    problems = f"{summary.problems}{of} problems" if of else counted(summary.problems, "problem")
    each = f"{summary.n_min} to {summary.n_max} samples" if summary.n_min < summary.n_max else ""
    note = f"{problems}, {each or counted(summary.n_max, 'sample')} each"
    marks = legend(rows, {"?": UNCERTAIN})
    return Grid("pass@k", (*["model"] * named, *(f"pass@{k}" for k in ks)), rows, notes=(note,), legend=marks)


def _notes(summary: JudgeSummary) -> Iterator[str]:
    """Notes on the verdicts, one line each."""
    total = sum(summary.outcomes.values())
    if summary.trust_shared:
        yield (
            f"tests ran apart from {counted(total - summary.trust_shared, 'sample')} (split) and in one process with "
            f"{summary.trust_shared} (shared: such a sample could reach its tests)"
        )
    if missing := [f"{name} ({counted(count, 'sample')})" for name, count in summary.not_installed.items()]:
        yield f"not installed: {', '.join(missing)}"
    if errors := [f"{text} ({count})" for text, count in summary.errors.items() if count > 1]:
        yield f"most frequent errors: {'; '.join(errors)}"
    if 2 * summary.outcomes.get("syntax_error", 0) > total:
        yield (
            "over half of the samples do not compile: are they whole outputs, with prose around the code? "
            "If so, --extraction block extracts the code"
        )
