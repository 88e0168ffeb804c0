"""Counts and prices of everything that a user names: run folders and files of results side by side.

Models that several sources have are told apart by the sources' names. A run's models are priced by what the run
recorded, those of files by a costs file, the paper, or their names (`prices`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isobudget.analysis.compare_run import price_samples
from isobudget.analysis.load_samples import load_samples, unjudged_notes
from isobudget.analysis.prices import price_models
from isobudget.analysis.source_counts import counts_of, with_sources
from isobudget.costs.charges import NOTHING, Charges
from isobudget.costs.cost import SampleCost, Unit
from isobudget.costs.costs_file import CostsFile
from isobudget.costs.one_line import OneLine
from isobudget.importers.counts import ModelCounts, group_counts
from isobudget.importers.names import file_models
from isobudget.importers.read import read_results


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
    priced: list[tuple[str, ModelCounts, SampleCost]] = []
    notes: list[str] = []
    for path, name in zip(runs, file_models(runs), strict=True):
        loaded = load_samples(path)
        for benchmark, models in loaded.models.items():
            notes += [f"{path}: {note}" for note in unjudged_notes(models)]
            for samples in models:
                price, _ = price_samples(loaded.run, samples, unit, costs, charges)
                priced.append((name, counts_of(benchmark, samples), price))
    if others:
        imported = read_results(others, from_)
        notes += imported.messages()
        groups = list(group_counts(imported.all_rows()).values())
        if isinstance(costs, OneLine):
            costs.require([name for one in [*(one for _, one, _ in priced), *groups] for name in one.priced_as])
        for benchmark in dict.fromkeys(one.benchmark for one in groups):
            own = [one for one in groups if one.benchmark == benchmark]
            prices = price_models(own, unit, costs, charges)
            priced += [("files", one, prices[one.name]) for one in own]
    counts = with_sources([(name, one) for name, one, _ in priced])
    return counts, {(one.benchmark, one.name): price for one, (*_, price) in zip(counts, priced, strict=True)}, notes
