"""Joules of a sample, from a given energy per token.

    joules = completion tokens x joules per token

The user supplies the energy per token, from a meter or a published measurement for the same machine and batch size,
with its source. Prompt tokens are far cheaper than generated ones and are ignored. If the backend measured joules,
these are used instead (`measured_joules`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isobudget.costs.cost import UNCOUNTED, SampleCost, Unit
from isobudget.costs.usage import TokenUse, mean_over_problems
from isobudget.errors import InputError


def joules_cost(use: TokenUse, joules_per_token: float, source: str) -> SampleCost:
    """Joules of a sample at `joules_per_token` for each completion token."""
    label = f"{joules_per_token:g} J per completion token ({source}), {use.label}"
    return SampleCost(Unit.JOULES, use.mean_completion * joules_per_token, 0.0, label, joules_per_token, UNCOUNTED)


def measured_joules(
    joules: Sequence[Sequence[float] | NDArray[np.float64]], source: str, per_problem: float = 0.0
) -> SampleCost:
    """The mean over problems of the mean joules of a sample.

    `joules` are the samples' shares of their batches' energy, by problem. `source` names machine, backend and batch.
    `per_problem` is the energy of computing a prompt, if `joules` does not include it. Energy that is not known is an
    `InputError`.
    """
    mean = mean_over_problems(joules, f"measured joules ({source})")
    if not all(np.all(np.isfinite(one)) for one in joules):
        raise InputError(
            f"the energy of these samples was not measured ({source} has no meter that can be read); "
            "give joules_per_token in a costs file instead"
        )
    return SampleCost(Unit.JOULES, mean, per_problem, f"measured joules of the processor packages: {source}")
