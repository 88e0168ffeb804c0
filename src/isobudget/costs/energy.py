"""Joules of a sample, from a given energy per token.

    joules = completion tokens x joules per token

The figure per token is the user's, from a meter or a published measurement for the same machine and batch size; it
carries its source. The prompt's tokens are far cheaper than generated ones and are left out. Measured joules enter as
a cost directly.
"""

from __future__ import annotations

from isobudget.costs.cost import SampleCost, Unit
from isobudget.costs.usage import TokenUse


def joules_cost(use: TokenUse, joules_per_token: float, source: str) -> SampleCost:
    """Joules of a sample at `joules_per_token` for each completion token.

    Raises:
        InputError: the result is no positive number.
    """
    label = f"{joules_per_token:g} J per completion token ({source}), {use.label}"
    return SampleCost(Unit.JOULES, use.mean_completion * joules_per_token, 0.0, label)
