"""The output of ``--dry-run``: a table that fits the terminal, totals, and the sources of the estimates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from isobudget.cli.progress import duration, size
from isobudget.grid import Grid, short, usd

if TYPE_CHECKING:
    from isobudget.pipeline.dry_run import DryRun, PlannedReplicas
    from isobudget.pipeline.estimates import Expected

_WIDE = ("model", "benchmark", "n", "samples", "remaining", "prompts", "completions", "time", "usd", "disk")
_NARROW = ("model", "benchmark", "remaining", "tokens", "time", "usd", "disk")


def print_dry_run(plan: DryRun) -> None:
    """Show what a study would generate and spend: a table, notes, what is missing."""
    from isobudget.report.tables.terminal import print_grids, print_text

    print_grids([dry_run_grid(plan), *([_replicas_grid(plan)] if plan.replicas else [])])
    for text in (*_sources("time", plan.expected), *_sources("usd", plan.expected)):
        print_text(text)
    for text in (*plan.notes, f"run folder: {plan.run}"):
        print(text)
    if plan.missing:
        print("This study cannot run here yet:", *(f"  {text}" for text in plan.missing), sep="\n")


def dry_run_grid(plan: DryRun) -> Grid:
    """A row for each model and benchmark, and their sum; without prompts and upper bounds if there is no room."""
    rows = [_cells(one) for one in plan.expected]
    rows += [{"model": "in all", "benchmark": "", "n": ""} | _amounts(plan.expected)] * (len(rows) > 1)
    title = f"{plan.study}: what remains to be generated"

    def grid(names: tuple[str, ...], note: str) -> Grid:
        return Grid(
            title, names, tuple(tuple(row[name] for name in names) for row in rows), notes=(note,), words=(0, 1)
        )

    narrow = grid(_NARROW, "tokens: estimated tokens of completions; ? = unknown.")
    return replace(grid(_WIDE, "Token counts are estimates (upper bound in parentheses); ? = unknown."), narrow=narrow)


def _cells(expected: Expected) -> dict[str, str]:
    """The cells of a model on a benchmark, by column."""
    return {"model": expected.model, "benchmark": expected.benchmark, "n": _count(expected.n)} | _amounts([expected])


def _amounts(rows: Sequence[Expected]) -> dict[str, str]:
    """The cells with the amounts of several rows, summed."""
    completions = _sum((one.completion_tokens for one in rows), short)
    prompts_at_most = _sum((one.prompt_tokens_at_most for one in rows), short)
    completions_at_most = _sum((one.completion_tokens_at_most for one in rows), short)
    return {
        "samples": _sum((one.samples for one in rows), _count),
        "remaining": _sum((one.left for one in rows), _count),
        "prompts": _up_to(_sum((one.prompt_tokens for one in rows), short), prompts_at_most),
        "completions": _up_to(completions, completions_at_most),
        "tokens": completions,
        "time": _sum((one.seconds for one in rows), duration),
        "usd": _sum((one.usd for one in rows), usd),
        "disk": _sum((one.bytes for one in rows), size),
    }


def _sum(values: Iterable[float | None], written: Callable[[Any], str]) -> str:
    """The sum of the known values, and a ? for unknown ones."""
    every = list(values)
    known = [one for one in every if one is not None]
    parts = [written(sum(known))] if known else []
    return " + ".join([*parts, *["?"] * (not known or len(known) < len(every))])


def _sources(what: str, expected: Sequence[Expected]) -> Iterator[str]:
    """The sources of time or cost estimates; if there are several, each with its rows."""
    by_source: dict[str, dict[str, list[str]]] = {}
    for one in expected:
        source = one.seconds_source if what == "time" else one.usd_source
        by_source.setdefault(source, {}).setdefault(one.model, []).append(one.benchmark)
    of_model = Counter(model for models in by_source.values() for model in models)
    for source, models in by_source.items():
        names = (f"{model} on {', '.join(on)}" if of_model[model] > 1 else model for model, on in models.items())
        yield f"{what} of {'; '.join(names)}: {source}" if len(by_source) > 1 else f"{what}: {source}"


def _replicas_grid(plan: DryRun) -> Grid:
    """The resources of models on a cluster, which run one after another: GPUs, GPU-hours, wall time, dollars."""
    rows = [(one.model, str(one.replicas), *_taken([one])) for one in plan.replicas]
    rows += [("in all", "", *_taken(plan.replicas))] * (len(rows) > 1)
    columns = ("model", "replicas", "GPUs", "GPU-hours", "time", "usd")
    most = "GPUs in all: the most that are held at once. "
    note = f"{most * (len(rows) > 1 and any(one.gpus for one in plan.replicas))}- = needs no GPU; ? = unknown."
    return Grid("On the cluster, one model after another", columns, tuple(rows), notes=(note,))


def _taken(replicas: Sequence[PlannedReplicas]) -> tuple[str, str, str, str]:
    """Maximum number of GPUs, GPU-hours, time and dollars of models that run one after another."""
    on_gpus = [one for one in replicas if one.gpus]
    return (
        str(max(one.gpus for one in replicas)),
        _sum((one.gpu_hours for one in on_gpus), "{:,.1f}".format) if on_gpus else "-",
        _sum((None if one.hours is None else one.hours * 3600 for one in replicas), duration),
        _sum((one.usd for one in on_gpus), usd) if on_gpus else "-",
    )


def _count(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def _up_to(estimate: str, most: str) -> str:
    return "?" if (estimate, most) == ("?", "?") else f"{estimate} ({most})"
