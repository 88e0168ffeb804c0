"""Chooses the next token from logits: temperature, then top-p, and nothing else. Pure.

Top-p keeps the smallest set of most likely tokens whose probabilities, at the given temperature, add up to at least p;
ties are ordered by token number. One uniform random number in [0, 1) selects the token: the first one at which the
cumulative kept probabilities, in that order, exceed this fraction of their sum. So a sample depends on its own random
numbers and logits alone.

Log-probabilities are those of the unmodified model: temperature 1, all tokens.

Source: the paper, section 3 (sampling of Code Llama's report); Holtzman et al. 2020 for top-p.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from isobudget.backends.base import Sampling


def sample_token(logits: NDArray[np.float32], sampling: Sampling, number: float) -> tuple[int, float]:
    """The next token and its log-probability.

    Args:
        logits: shape (vocabulary,).
        sampling: temperature 0 takes the most likely token.
        number: in [0, 1), uniform.

    Returns:
        The token, and its natural-log probability, which is NaN if the logits are not numbers.
    """
    highest = int(logits.argmax())
    shifted = logits - logits[highest]
    normalizer = math.log(np.exp(shifted).sum(dtype=np.float64))
    if math.isnan(normalizer):
        return highest, math.nan
    token = highest if sampling.temperature == 0 else _choose(shifted, sampling, number)
    return token, float(shifted[token]) - normalizer


def _choose(shifted: NDArray[np.float32], sampling: Sampling, number: float) -> int:
    """A random token from those that top-p keeps; the highest of the `shifted` logits is 0."""
    weights = np.exp(shifted / np.float32(sampling.divisor))
    if sampling.top_p >= 1:
        return _pass(weights.astype(np.float64), number)
    whole = float(weights.sum(dtype=np.float64))
    # Tokens below this weigh less than 1 - p together, so the others hold p: only they need to be sorted.
    least = (1 - sampling.top_p) * whole / len(weights)
    likely = np.flatnonzero(weights >= least)
    likely = likely[np.argsort(-weights[likely], kind="stable")]
    kept = weights[likely].astype(np.float64)
    before = np.cumsum(kept) - kept
    kept = kept[: max(1, int(np.searchsorted(before, sampling.top_p * whole)))]
    return int(likely[_pass(kept, number)])


def _pass(weights: NDArray[np.float64], number: float) -> int:
    """The first index at which the cumulative weights exceed the given fraction of their sum."""
    sums = np.cumsum(weights)
    place = int(np.searchsorted(sums, number * sums[-1], side="right"))
    # rounding may leave the number at the very sum: then the last place that has a weight
    return min(place, int(np.searchsorted(sums, sums[-1])))
