"""Counts and prices of everything that a user names: run folders and files of results side by side.

Models that several sources have are told apart by the sources' names. A run's models are priced by what the run
recorded, those of files by a costs file, the paper, or their names (`prices`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from isobudget.analysis.compare_run import price_samples
from isobudget.analysis.load_samples import ModelSamples, load_samples
from isobudget.analysis.prices import price_models
from isobudget.costs.charges import NOTHING, Charges
from isobudget.costs.cost import SampleCost, Unit
from isobudget.costs.costs_file import CostsFile
from isobudget.importers.counts import ModelCounts, group_counts
from isobudget.importers.names import file_models
from isobudget.importers.read import read_results, split_sources


def recorded_counts(
    runs: Sequence[Path],
    others: Sequence[Any],
    unit: Unit,
    costs: CostsFile | str | None = None,
    charges: Charges = NOTHING,
    from_: str | None = None,
) -> tuple[list[ModelCounts], Mapping[tuple[str, str], SampleCost], list[str]]:
    """The counts of every model, what a sample costs by benchmark and name, and notes.

    Raises:
        InputError: a source is wrong, or a model has no price.
        RunError: a folder is no run, or a part of it is damaged.
    """
    found: list[tuple[str, ModelCounts, SampleCost]] = []
    notes: list[str] = []
    for path, name in zip(runs, file_models(runs), strict=True):
        loaded = load_samples(path)
        for benchmark, models in loaded.models.items():
            for samples in models:
                price, _ = price_samples(loaded.run, samples, unit, costs, charges)
                found.append((name, counts_of(benchmark, samples), price))
    if others:
        imported = read_results(others, from_)
        notes += imported.messages()
        groups = list(group_counts(imported.all_rows()).values())
        for benchmark in dict.fromkeys(one.benchmark for one in groups):
            own = [one for one in groups if one.benchmark == benchmark]
            prices = price_models(own, unit, costs, charges)
            found += [("files", one, prices[one.name]) for one in own]
    times = Counter((counts.benchmark, counts.name) for _, counts, _ in found)
    told = [
        (
            counts
            if times[counts.benchmark, counts.name] == 1
            else replace(counts, model=f"{counts.model} ({name})", stated=counts.stated or counts.model),
            price,
        )
        for name, counts, price in found
    ]
    return [counts for counts, _ in told], {(one.benchmark, one.name): price for one, price in told}, notes


def load_counts(sources: Any, from_: str | None = None) -> tuple[list[ModelCounts], list[str]]:
    """The counts of every model of run folders and files, without prices; and notes. Errors as `recorded_counts`."""
    runs, others = split_sources(sources)
    notes: list[str] = []
    found: list[tuple[str, ModelCounts]] = []
    for path, name in zip(runs, file_models(runs), strict=True):
        loaded = load_samples(path)
        found += [(name, counts_of(of, one)) for of, models in loaded.models.items() for one in models]
    if others:
        imported = read_results(others, from_)
        notes += imported.messages()
        found += [("files", one) for one in group_counts(imported.all_rows()).values()]
    times = Counter((one.benchmark, one.name) for _, one in found)
    told = [
        one if times[one.benchmark, one.name] == 1 else replace(one, model=f"{one.model} ({name})")
        for name, one in found
    ]
    return told, notes


def as_counts(counts: Any, from_: str | None = None) -> tuple[list[ModelCounts], list[str]]:
    """Counts that are there already, or those of sources; see `load_counts`."""
    if isinstance(counts, list | tuple) and counts and all(isinstance(one, ModelCounts) for one in counts):
        return list(counts), []
    return load_counts(counts, from_)


def counts_of(benchmark: str, samples: ModelSamples) -> ModelCounts:
    """The judged samples of a run's model as counts."""
    passed = tuple(tuple(problem.passed.tolist()) for problem in samples.problems)
    tokens = tuple(tuple(problem.completion_tokens.tolist()) for problem in samples.problems)
    return ModelCounts(benchmark, samples.model, "", samples.task_ids, samples.n, samples.c, passed, tokens)
