"""Choosing the next token of every row of a batch, by the rule of `isobudget.backends.llamacpp.sample_token`.

A sample depends on its own random numbers alone, whatever else is in the batch. Log-probabilities are those of the
unmodified model: float32, temperature 1, all tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from isobudget.backends.base import Sampling

if TYPE_CHECKING:
    import torch

#: number of most likely tokens among which top-p is looked for first: sorting a whole vocabulary takes longer than a
#: step of many models
_FEW = 1024


def sample_tokens(
    logits: torch.Tensor, samplings: Sequence[Sampling], uniforms: Sequence[float]
) -> tuple[list[int], list[float]]:
    """The next token of each row and its log-probability.

    Args:
        logits: shape (rows, vocabulary), float32.
        samplings: one per row; temperature 0 takes the most likely token.
        uniforms: one number in [0, 1) per row.
    """
    import torch

    chosen = logits.argmax(dim=-1)
    warm = [row for row, sampling in enumerate(samplings) if sampling.temperature > 0]
    for narrow in (False, True):
        rows = [row for row in warm if (samplings[row].top_p < 1) is narrow]
        if rows:
            index = torch.tensor(rows, device=logits.device)
            temperatures = logits.new_tensor([samplings[row].divisor for row in rows])
            shares = torch.softmax(logits[index] / temperatures[:, None], dim=-1)
            numbers = torch.tensor([uniforms[row] for row in rows], dtype=torch.float64, device=logits.device)
            if narrow:
                top_p = numbers.new_tensor([samplings[row].top_p for row in rows])
                chosen[index] = _among_likely(shares, top_p, numbers)
            else:
                chosen[index] = _pass(shares.double(), numbers)
    logprobs = logits.gather(1, chosen[:, None])[:, 0] - logits.logsumexp(dim=-1)
    return chosen.tolist(), logprobs.tolist()


def _among_likely(shares: torch.Tensor, top_p: torch.Tensor, numbers: torch.Tensor, few: int = _FEW) -> torch.Tensor:
    """A token from each row's smallest set of most likely tokens with a total probability of at least `top_p`."""
    import torch

    if few >= shares.shape[-1]:
        likely, ids = shares.sort(dim=-1, descending=True, stable=True)
    else:
        likely, ids = shares.topk(few, dim=-1)
        surely_all = torch.where(likely > likely[:, -1:], likely, 0).double().sum(-1)
        if bool((surely_all < top_p).any()):
            return _among_likely(shares, top_p, numbers, shares.shape[-1])
        ids, order = ids.sort(dim=-1)  # ties come in any order: put them in that of their numbers
        likely, order = likely.gather(1, order).sort(dim=-1, descending=True, stable=True)
        ids = ids.gather(1, order)
    likely = likely.double()
    before = likely.cumsum(-1) - likely
    kept = before < top_p[:, None]
    kept[:, 0] = True
    place = _pass(torch.where(kept, likely, 0.0), numbers)
    return ids.gather(1, place[:, None])[:, 0]


def _pass(weights: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    """In each row, the first index at which the cumulative weights exceed the given fraction of their sum."""
    import torch

    sums = weights.cumsum(-1)
    place = torch.searchsorted(sums, (numbers * sums[:, -1])[:, None], right=True)[:, 0]
    # rounding may leave the number at the very sum: then the last place that has a weight
    last = torch.searchsorted(sums, sums[:, -1:].contiguous())[:, 0]
    # weights that are not numbers are noticed by their log-probability; they must not point outside here
    return torch.minimum(place, last).clamp(max=weights.shape[-1] - 1)
