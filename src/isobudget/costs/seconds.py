"""Seconds of a sample: measured in a run, or the paper's wall times. A planning estimate is in `roofline`.

Seconds depend on the machine, the server and the batch; the source says which. `measured_seconds` takes any record of
seconds per sample, whichever tool timed it.

Not covered: queueing, and how seconds change with the batch size; they hold for the batch they were measured at.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isobudget.costs.cost import SampleCost, Unit
from isobudget.errors import InputError


def measured_seconds(seconds: Sequence[Sequence[float]], source: str) -> SampleCost:
    """The mean over problems of the mean seconds of a sample.

    Args:
        seconds: per problem, the seconds of each of its samples; a sample's share of the time that its batch took.
        What the samples
            share of their prompt is part of it, so nothing is charged per problem.
        source: machine, backend and batch.

    Raises:
        InputError: a problem has no sample, a time is negative or not finite, or all are 0.
    """
    if not seconds or any(len(times) == 0 for times in seconds):
        raise InputError(f"measured seconds ({source}): every problem needs at least one sample")
    if not all(np.all(np.isfinite(times)) and np.min(times) >= 0 for times in seconds):
        raise InputError(f"measured seconds ({source}): a time is negative or not finite")
    mean = float(np.mean([np.mean(times) for times in seconds]))
    return SampleCost(Unit.SECONDS, mean, 0.0, f"measured seconds: {source}")
