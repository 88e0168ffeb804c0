"""Counts and prices of everything that a user names: run folders and files of results side by side.

Models that several sources have are told apart by the sources' names. A run's models are priced by what the run
recorded, those of files by a costs file, the paper, or their names (`prices`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from isobudget.analysis.compare_run import price_samples
from isobudget.analysis.load_samples import LoadedRun, load_samples
from isobudget.analysis.prices import price_models
from isobudget.analysis.source_counts import counts_of, with_sources
from isobudget.costs.charges import NOTHING, Charges
from isobudget.costs.choose_unit import Budgets, in_chosen_unit
from isobudget.costs.cost import SampleCost, Unit
from isobudget.costs.costs_file import CostsFile
from isobudget.costs.one_line import require_models
from isobudget.importers.counts import ModelCounts, group_counts
from isobudget.importers.names import file_models
from isobudget.importers.read import read_results


def recorded_counts(
    runs: Sequence[Path],
    others: Sequence[Any],
    unit: Unit | None,
    costs: CostsFile | str | None = None,
    charges: Charges = NOTHING,
    from_: str | None = None,
    budgets: Budgets = None,
) -> tuple[list[ModelCounts], Mapping[tuple[str, str], SampleCost], list[str]]:
    """The counts of every model, what a sample costs by benchmark and name, and notes.

    Without a `unit`, it is chosen by the budgets and what has a price, see `costs.choose_unit`.

    Raises:
        InputError: a source is wrong, or a model has no price.
        RunError: a folder is not a run, or a part of it is damaged.
    """
    loaded = [(name, load_samples(path)) for path, name in zip(runs, file_models(runs), strict=True)]
    every = [(one.run.path, samples) for _, one in loaded for own in one.models.values() for samples in own]
    notes = [f"{path}: {note}" for path, own in every for note in own.left_out.notes(own.model)]
    groups: list[ModelCounts] = []
    if others:
        imported = read_results(others, from_)
        notes += imported.messages()
        groups = list(group_counts(imported.all_rows()).values())
    known = [own.model for _, own in every]
    require_models(costs, [*known, *(name for one in groups for name in one.priced_as)])
    priced_in = partial(_priced, loaded, groups, costs)
    unit, priced = in_chosen_unit(unit, budgets, costs, partial(priced_in, NOTHING))
    priced = priced if charges == NOTHING else priced_in(charges, unit)
    counts = with_sources([(name, one) for name, one, _ in priced])
    return counts, {(one.benchmark, one.name): price for one, (*_, price) in zip(counts, priced, strict=True)}, notes


def _priced(
    loaded: Sequence[tuple[str, LoadedRun]],
    groups: Sequence[ModelCounts],
    costs: CostsFile | str | None,
    charges: Charges,
    unit: Unit,
) -> list[tuple[str, ModelCounts, SampleCost]]:
    """Each model's source, its counts, and what a sample costs."""
    priced = []
    for name, one in loaded:
        for benchmark, models in one.models.items():
            for samples in models:
                price, _ = price_samples(one.run, samples, unit, costs, charges)
                priced.append((name, counts_of(benchmark, samples), price))
    for benchmark in dict.fromkeys(one.benchmark for one in groups):
        own = [one for one in groups if one.benchmark == benchmark]
        prices = price_models(own, unit, costs, charges)
        priced += [("files", one, prices[one.name]) for one in own]
    return priced
