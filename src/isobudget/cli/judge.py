"""`isobudget judge`: run the tests on a file of samples, or on the samples of a run folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from isobudget.judge.files import Tally
    from isobudget.judge.verdict import Limits

#: sizes that the closing table may show
TABLE_K = (1, 5, 10, 20, 50, 100, 200, 500, 1000)


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
    seconds: Annotated[float, typer.Option("--seconds", min=0.01, help="CPU seconds per sample.")] = 3.0,
    memory_mb: Annotated[int, typer.Option("--memory-mb", min=64, help="Address space per sample, in MiB.")] = 1024,
    resume: Annotated[bool, typer.Option("--resume", help="Continue a killed run.")] = False,
    unsafe: Annotated[bool, typer.Option("--unsafe", help="Judge even where samples cannot be confined.")] = False,
) -> None:
    """Judge samples: one verdict per sample, in order, and a table with pass@k."""
    from isobudget.judge.verdict import Limits

    limits = Limits(cpu_seconds=seconds, wall_seconds=max(10 * seconds, 30.0), memory_mb=memory_mb)
    if samples.is_dir():
        import isobudget

        isobudget.judge_run(samples, workers=workers, limits=limits)
        return
    if problems is None:
        raise typer.BadParameter(
            "is needed to judge a file: a benchmark's name or a JSONL file", param_hint="--problems"
        )
    if output is None:
        raise typer.BadParameter("is needed to judge a file: where the verdicts go", param_hint="--output")
    tally = _judge_file(samples, problems, output, limits, workers=workers, resume=resume, unsafe=unsafe)
    _print_summary(tally)


def _judge_file(
    samples: Path, problems: str, output: Path, limits: Limits, *, workers: int | None, resume: bool, unsafe: bool
) -> Tally:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from isobudget.judge import Judge
    from isobudget.judge.files import judge_file
    from isobudget.problems import load_benchmark

    by_task = {problem.task_id: problem for problem in load_benchmark(problems).problems}
    console = Console(stderr=True)
    columns = (TextColumn("judging"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        Progress(*columns, console=console, disable=not sys.stderr.isatty()) as bar,
        Judge(workers=workers, limits=limits, unsafe=unsafe) as entered,
    ):
        task = bar.add_task("judging", total=None)
        return judge_file(
            samples,
            by_task,
            output,
            entered,
            resume=resume,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


def _print_summary(tally: Tally) -> None:
    """Outcomes, and pass@k over the problems for every listed k that all of them have samples for."""
    from rich.console import Console
    from rich.table import Table

    from isobudget.estimators import pass_at_k

    judged = sum(tally.outcomes.values())
    table = Table("outcome", "samples", "share")
    for outcome, count in tally.outcomes.most_common():
        table.add_row(outcome, str(count), f"{100 * count / judged:.1f} %")
    console = Console()
    console.print(table)
    fewest = min(tally.samples.values(), default=0)
    if fewest:
        scores = Table(*(f"pass@{k}" for k in TABLE_K if k <= fewest))
        counts = [(n, tally.passes[task_id]) for task_id, n in tally.samples.items()]
        means = [sum(float(pass_at_k(n, c, k)) for n, c in counts) / len(counts) for k in TABLE_K if k <= fewest]
        scores.add_row(*(f"{100 * mean:.2f} %" for mean in means))
        console.print(scores)
        console.print(f"{len(counts)} problems, {fewest} to {max(tally.samples.values())} samples each")
    if tally.shared:
        console.print(
            f"{tally.shared} of {judged} samples were judged in one process with their tests (trust = shared)"
        )
