"""A model's greedy outputs (the stars of the paper's figures): success with its interval, and cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isobudget.analysis.load_samples import ModelSamples
from isobudget.analysis.run_costs import sample_cost
from isobudget.costs.cost import Unit
from isobudget.curves import Bootstrap
from isobudget.records.run import Run
from isobudget.statistics.intervals import bootstrap_curve


@dataclass(frozen=True, slots=True, eq=False)
class Greedy:
    """One model's greedy outputs, one for each compared problem.

    Attributes:
        passed: shape (problems,), in the order of the comparison.
        success, low, high: mean over problems with its interval, in [0, 1].
        cost: what one of them costs on average, its prompt included, by unit.
    """

    passed: NDArray[np.bool_]
    success: float
    low: float
    high: float
    cost: dict[Unit, float]


def greedy_outputs(
    run: Run, samples: ModelSamples, task_ids: Sequence[str], units: Sequence[Unit], bootstrap: Bootstrap
) -> Greedy | None:
    """The model's greedy outputs for these problems; None if one of them has no judged one.

    They are priced in `units`, each one that the run records.
    """
    if samples.greedy is None or not set(task_ids) <= set(samples.greedy.task_ids):
        return None
    outputs = samples.greedy.only(tuple(task_ids))
    passed = outputs.c.astype(bool)
    low, high = bootstrap_curve(passed[:, np.newaxis].astype(float), bootstrap.weights(len(passed)), bootstrap.level)
    cost = {unit: sample_cost(run, outputs, unit, share_prompt=False).cost(1) for unit in units}
    return Greedy(passed, float(passed.mean()), float(low[0]), float(high[0]), cost)
