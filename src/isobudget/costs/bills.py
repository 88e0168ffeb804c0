"""Prompts as a server billed them, request by request.

Each request for some of a problem's n samples pays for the prompt, in full or partly at the price of cached tokens. A
request may return several samples. With x usd for the first request and y for all later ones together,

    cost(k) = (x - y / (n - 1)) + k y / (n - 1)                for k = n this is exactly the bill

If later requests paid more than the first (because the cache had expired), every sample pays the mean, and nothing is
shared. Cached tokens are part of the prompt's tokens; they cost the cached price if one is stated, else the full price.

Not covered: a provider's charge for writing to its cache, and batch discounts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isobudget.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class Bill:
    """What a server billed for the prompt of one problem's samples: for each sample, in order, shape (n,).

    Attributes:
        prompt: billed prompt tokens: the whole prompt for the first sample of a request, 0 for the request's other
            samples.
        cached: how many of the billed prompt tokens came from the server's cache; NaN if not stated.
    """

    prompt: NDArray[np.float64]
    cached: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.prompt.shape != self.cached.shape or not len(self.prompt):
            raise InputError("a bill needs prompt tokens and cached tokens of every sample")

    def usd(self, full: float, cached: float) -> tuple[float, float]:
        """The usd that the samples share, and the usd that each sample pays, at these prices per prompt token."""
        from_cache = np.nan_to_num(self.cached)
        paid = (self.prompt - from_cache) * full + from_cache * cached
        requests = paid[self.prompt > 0]
        n = len(paid)
        if n == 1 or len(requests) < 2:
            return float(paid.sum()), 0.0
        later = float(requests[1:].sum()) / (n - 1)
        shared = float(requests[0]) - later
        return (shared, later) if shared >= 0 else (0.0, float(paid.sum()) / n)


def billed_usd(bills: Sequence[Bill], full: float, cached: float | None) -> tuple[float, float, str]:
    """The mean usd that a problem's samples share, the mean usd that each sample pays, and how prompts were billed.

    The last of the three is a text, which becomes part of a price's source.

    Args:
        bills: one per problem, at least one.
        full, cached: usd per token; None where there is no cached price.
    """
    both = np.array([bill.usd(full, full if cached is None else cached) for bill in bills])
    shared, each = both.mean(axis=0).tolist()
    prompts = sum(float(bill.prompt.sum()) for bill in bills)
    from_cache = sum(float(np.nansum(bill.cached)) for bill in bills)
    note = "prompts as the server billed them"
    silent = any(np.any(np.isnan(bill.cached[bill.prompt > 0])) for bill in bills)
    if from_cache:
        price = "at the cached price" if cached is not None else "at the full price, as no cached one is stated"
        note += f", {from_cache / prompts:.0%} of them from its cache {price}"
    elif cached is not None:
        why = "the server does not say what came from its cache" if silent else "nothing came from the cache"
        note += f", the cached price not used: {why}"
    return shared, each, note
