"""`isobudget judge`: run the tests on samples, of a file or of a run folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isobudget.cli.options import JsonOption

if TYPE_CHECKING:
    from isobudget.judge.file import Tally
    from isobudget.judge.verdict import Limits

#: pass@k is shown for these k
TABLE_K = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def judge(
    samples: Annotated[
        Path, typer.Argument(help="JSON lines with task_id and completion or solution, or a run folder.")
    ],
    problems: Annotated[
        str | None,
        typer.Option("--problems", help="A benchmark's name or a JSONL file of problems.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where the verdicts go (.gz is gzipped).", show_default=False)
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Samples judged at once.", show_default="one per core")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=0.01, help="CPU seconds per sample.", show_default="3")
    ] = None,
    memory_mb: Annotated[
        int | None, typer.Option("--memory-mb", min=64, help="Memory per sample, MiB.", show_default="1024")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue a killed run on a file.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Judge a run folder anew, also what is judged.")] = False,
    extraction: Annotated[
        str | None,
        typer.Option(
            "--extraction",
            help="Extract code from the outputs with this rule: function, block, program, none. A run: with --again.",
            show_default=False,
        ),
    ] = None,
    one_process: Annotated[
        bool,
        typer.Option(
            "--one-process/--process-per-test",
            help="Whether whole programs that leave nothing behind run their tests in one process.",
        ),
    ] = True,
    unsafe: Annotated[bool, typer.Option("--unsafe", help="Judge even where samples cannot be confined.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Judge samples: one verdict each, in order.

    Examples: `isobudget judge samples.jsonl --problems humaneval -o verdicts.jsonl`, or
    `isobudget judge runs/quickstart`, which judges what has no verdict yet; `--again --extraction function` extracts
    the code anew. Completions of a chat model in a file need `--extraction block`.
    """
    limits = _limits(seconds, memory_mb)
    if samples.is_dir():
        choices = {"limits": limits, "workers": workers, "unsafe": unsafe, "again": again, "extraction": extraction}
        _judge_folder(samples, choices, as_json)
        return
    if problems is None:
        raise typer.BadParameter("is needed to judge a file: a benchmark or a JSONL file", param_hint="--problems")
    if output is None:
        raise typer.BadParameter("is needed to judge a file: where the verdicts go", param_hint="--output")
    modes = {"workers": workers, "one_process": one_process, "unsafe": unsafe}
    tally = _judge_file(samples, problems, output, limits, modes, resume=resume, extraction=extraction)
    summary = _summary(tally)
    _print(summary, as_json)


def _limits(seconds: float | None, memory_mb: int | None) -> Limits | None:
    """The limits asked for; None if nothing was."""
    from isobudget.judge.verdict import Limits

    if seconds is None and memory_mb is None:
        return None
    default = Limits()
    seconds = default.cpu_seconds if seconds is None else seconds
    memory_mb = default.memory_mb if memory_mb is None else memory_mb
    return Limits(cpu_seconds=seconds, wall_seconds=max(10 * seconds, default.wall_seconds), memory_mb=memory_mb)


def _judge_folder(folder: Path, choices: dict[str, Any], as_json: bool) -> None:
    from isobudget.cli.show import TerminalProgress, interruptible
    from isobudget.pipeline.judging import judge_run

    with interruptible(), TerminalProgress() as progress:
        run, judged = judge_run(folder, **choices, progress=progress)
    _print({"run": str(run.path), "outcomes": _plain(judged.outcomes)}, as_json)
    if not as_json:
        print(f"See what follows with: isobudget report {run.path}")


def _judge_file(
    samples: Path,
    problems: str,
    output: Path,
    limits: Limits | None,
    modes: dict[str, Any],
    *,
    resume: bool,
    extraction: str | None,
) -> Tally:
    from isobudget.cli.show import TerminalProgress, interruptible
    from isobudget.judge import Judge, Limits
    from isobudget.judge.file import judge_file
    from isobudget.problems import load_benchmark
    from isobudget.prompts import extraction_by

    take = None if extraction is None else extraction_by(extraction)
    by_task = {problem.task_id: problem for problem in load_benchmark(problems).problems}
    told: list[int] = []

    with (
        interruptible(),
        TerminalProgress() as progress,
        Judge(limits=limits or Limits(), **modes) as entered,
    ):

        def tell(done: int, total: int) -> None:
            if not told:
                progress.start("judging", total, done - 1)
                told.append(done - 1)
            progress.advance("judging", done - told[-1])
            told[-1] = done

        return judge_file(samples, by_task, output, entered, resume=resume, extraction=take, progress=tell)


def _summary(tally: Tally) -> dict[str, Any]:
    """Outcomes, and pass@k over the problems for every listed k that all of them have samples for."""
    from isobudget.statistics.pass_at_k import pass_at_k

    fewest, most = min(tally.samples.values(), default=0), max(tally.samples.values(), default=0)
    counts = [(n, tally.passes[task_id]) for task_id, n in tally.samples.items()]
    return {
        "outcomes": _plain(tally.outcomes),
        "problems": len(counts),
        "n_min": fewest,
        "n_max": most,
        "pass_at_k": {
            str(k): sum(float(pass_at_k(n, c, k)) for n, c in counts) / len(counts) for k in TABLE_K if k <= fewest
        },
        "trust_shared": tally.shared,
    }


def _plain(outcomes: Counter[str]) -> dict[str, int]:
    return dict(outcomes.most_common())


def _print(summary: dict[str, Any], as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from isobudget.cli.show import print_json
    from isobudget.grid import percent

    if as_json:
        print_json(summary)
        return
    console = Console(highlight=False)
    outcomes = summary["outcomes"]
    if not outcomes:
        console.print("every sample has its verdict already")
        return
    table = Table("outcome", "samples", "share")
    for outcome, count in outcomes.items():
        table.add_row(outcome, f"{count:,}", f"{percent(count / sum(outcomes.values()))} %")
    console.print(table)
    if summary.get("pass_at_k"):
        scores = Table(*(f"pass@{k}" for k in summary["pass_at_k"]))
        scores.add_row(*(f"{percent(share, 2)} %" for share in summary["pass_at_k"].values()))
        console.print(scores)
        console.print(f"{summary['problems']} problems, {summary['n_min']} to {summary['n_max']} samples each")
    if summary.get("trust_shared"):
        console.print(f"{summary['trust_shared']} samples were judged in one process with their tests (trust = shared)")
