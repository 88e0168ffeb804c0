"""The greedy outputs of a run's models beside a comparison: the stars of the paper's figures."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from isobudget.analysis.compare_run import Greedy, greedy_outputs
from isobudget.analysis.load_samples import LoadedRun, ModelSamples, load_samples
from isobudget.costs.cost import Unit
from isobudget.curves import Comparison
from isobudget.errors import InputError
from isobudget.importers.read import split_sources
from isobudget.records.run import load_run


def greedy_of_run(
    run: LoadedRun | str | Path, comparisons: Mapping[Unit, Comparison], *, recorded: bool = True
) -> dict[str, Greedy]:
    """The greedy outputs by model; models that lack a judged one for some compared problem are left out.

    Args:
        run: a loaded run, or the folder of a run.
        comparisons: comparisons of the run's models on the same problems, one per unit.
        recorded: whether to price outputs as the run recorded them. Otherwise, and in a unit that the run did not
            record, each output costs what one sample of its model does.
    """
    first = next(iter(comparisons.values()))
    loaded = load_samples(load_run(run) if isinstance(run, str | Path) else run, [first.benchmark])
    by_model = {one.model: one for one in loaded.samples(first.benchmark)}
    greedy = {}
    for model in (curve.model for curve in first.curves):
        output = greedy_outputs(loaded.run, by_model[model], first.curves[0].task_ids, (), first.bootstrap)
        if output is not None:
            costs = {unit: same.curve(_label(same, model)).price.cost(1) for unit, same in comparisons.items()}
            measured = _measured(loaded, by_model[model], comparisons) if recorded else {}
            greedy[model] = replace(output, cost=costs | measured)
    return greedy


def greedy_of_source(
    source: Any, comparisons: Mapping[Unit, Comparison], *, recorded: bool = True
) -> dict[str, Greedy]:
    """`greedy_of_run` for the sources of `analysis.compare.curves`; empty unless the source is a single run."""
    runs, others = split_sources(source)
    return {} if len(runs) != 1 or others else greedy_of_run(runs[0], comparisons, recorded=recorded)


def _label(comparison: Comparison, model: str) -> str:
    return next(curve.label for curve in comparison.curves if curve.model == model)


def _measured(loaded: LoadedRun, samples: ModelSamples, comparisons: Mapping[Unit, Comparison]) -> dict[Unit, float]:
    """What a greedy output cost in this run, in each unit that it recorded."""
    costs: dict[Unit, float] = {}
    for unit, comparison in comparisons.items():
        with contextlib.suppress(InputError):
            outputs = greedy_outputs(loaded.run, samples, comparison.curves[0].task_ids, (unit,), comparison.bootstrap)
            costs |= outputs.cost if outputs is not None else {}
    return costs
