"""Budgets and targets for a comparison that states none."""

from __future__ import annotations

import math
from collections.abc import Sequence

from isobudget.curves.curve import Curve

_MOST_DOUBLINGS = 40
#: a power of two that is within this factor of the price of a model's sample is left out
_NEAR = 1.05


def default_budgets(curves: Sequence[Curve]) -> tuple[float, ...]:
    """The price of the cheapest sample times powers of two, and the price of one sample of every model.

    At the price of a model's sample, the choice widens. The powers end with the largest one for which two models (or
    the only model) still have recorded samples, but not before a power that affords a sample of every model.
    """
    cheapest = min(curve.price.cost(1) for curve in curves)
    dearest = max(curve.price.cost(1) for curve in curves)
    ends = sorted((float(curve.cost[-1]) for curve in curves), reverse=True)
    end = max(ends[min(1, len(ends) - 1)], dearest)
    to_all = math.ceil(math.log2(dearest / cheapest) - 1e-9)
    to_end = math.floor(math.log2(end / cheapest) + 1e-9)
    doublings = min(max(to_all, to_end), _MOST_DOUBLINGS)
    firsts = sorted({curve.price.cost(1) for curve in curves})
    powers = [cheapest * 2**power for power in range(doublings + 1)]
    apart = [power for power in powers if all(max(power, one) / min(power, one) > _NEAR for one in firsts)]
    return tuple(sorted([*firsts, *apart]))


def default_targets(curves: Sequence[Curve]) -> tuple[float, ...]:
    """Up to about eight round percentages between the lowest success with one sample and the highest success."""
    least = min(float(curve.success[0]) for curve in curves)
    most = max(float(curve.success.max()) for curve in curves)
    step = next((step for step in (0.01, 0.02, 0.05) if (most - least) / step <= 8), 0.1)
    first = math.floor(least / step) + 1
    return tuple(round(step * i, 10) for i in range(first, math.floor(most / step + 1e-9) + 1))
