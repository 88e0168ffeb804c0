"""Counts, without prices, from everything that a user names: run folders and files of results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from isobudget.importers.counts import ModelCounts, group_counts
from isobudget.importers.names import file_models, named_by_source
from isobudget.importers.read import read_results, split_sources

if TYPE_CHECKING:
    from isobudget.analysis.load_samples import ModelSamples


def load_counts(sources: Any, from_: str | None = None) -> tuple[list[ModelCounts], list[str]]:
    """The counts of every model of run folders and files, and notes for the user.

    Raises:
        InputError: a source is wrong.
        RunError: a folder is not a run, or a part of it is damaged.
    """
    runs, others = split_sources(sources)
    notes: list[str] = []
    named: list[tuple[str, ModelCounts]] = []
    for path, name in zip(runs, file_models(runs), strict=True):
        from isobudget.analysis.run_counts import run_counts  # files alone do not need what reads runs

        counts, more = run_counts(path)
        named += [(name, one) for one in counts]
        notes += [f"{path}: {note}" for note in more]
    if others:
        imported = read_results(others, from_)
        notes += imported.messages()
        named += [("files", one) for one in group_counts(imported.all_rows()).values()]
    return with_sources(named), notes


def as_counts(counts: Any, from_: str | None = None) -> tuple[list[ModelCounts], list[str]]:
    """Counts unchanged, or loaded from sources; see `load_counts`."""
    if isinstance(counts, list | tuple) and counts and all(isinstance(one, ModelCounts) for one in counts):
        return list(counts), []
    return load_counts(counts, from_)


def with_sources(named: Sequence[tuple[str, ModelCounts]]) -> list[ModelCounts]:
    """The counts, in which a model that several sources have is also named by its source."""
    times = Counter((counts.benchmark, counts.name) for _, counts in named)
    return [
        counts
        if times[counts.benchmark, counts.name] == 1
        else replace(counts, model=named_by_source(counts.model, source), stated=counts.stated or counts.model)
        for source, counts in named
    ]


def counts_of(benchmark: str, samples: ModelSamples) -> ModelCounts:
    """The judged samples of a run's model as counts."""
    passed = tuple(tuple(problem.passed.tolist()) for problem in samples.problems)
    tokens = tuple(tuple(problem.completion_tokens.tolist()) for problem in samples.problems)
    return ModelCounts(benchmark, samples.model, "", samples.task_ids, samples.n, samples.c, passed, tokens)
