"""Success rates and expected draws from counts: n samples of a problem, c of which passed.

Everything follows from one number, the chance that k of the n samples, drawn without replacement, all fail:

    r_k = C(n-c, k) / C(n, k),    r_0 = 1,    r_k = r_{k-1} (n-c-k+1) / (n-k+1)

    pass@k        1 - r_k                                        Chen et al. 2021, eq. 1; the paper, section 2
    draws         E[N_K] = ((n+1) - (n-K+1) r_K) / (c+1)      stop at the first pass, after K at the latest
    cascade       product over models of their r              each model tried only where all before it failed

Each of these estimates is unbiased for every model whose samples are independent draws. The recurrence needs no
logarithm and never overflows; where it is long, the rounding of its steps is carried along and taken back
(`compensated`), so that the result is good to 1e-14. A cascade is unbiased only over *different* models: if one model's
counts are used twice, it is biased. k > n is NaN: n samples do not say what more of them would do (see
`isobudget.statistics.extrapolation` for guesses). Above n/2 a curve is still unbiased, but it hangs on few samples and
its own error cannot be estimated: see `trusted_k`.

Rank-score@k is in `isobudget.statistics.rank_score` and can be imported from here. Costs in any unit are in
`isobudget.costs`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isobudget.errors import InputError
from isobudget.statistics.compensated import product_excess, quotient_excess
from isobudget.statistics.rank_score import SampleScores, rank_score_at_k, rank_score_curve, rank_score_curves

__all__ = [
    "CascadeOutcome",
    "SampleScores",
    "cascade",
    "expected_cost",
    "expected_draws",
    "expected_draws_curve",
    "failure_at_k",
    "failure_curve",
    "pass_at_k",
    "pass_at_k_from_histogram",
    "pass_curve",
    "rank_score_at_k",
    "rank_score_curve",
    "rank_score_curves",
    "trusted_k",
    "why_undefined",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: rows of the recurrence that are divided at once: large enough for vector arithmetic, small enough for the cache
BLOCK = 32
#: products of more factors than this are compensated: plain ones of 2,000 factors are good to 5e-15
LONG = 2000
#: factors of a long product that are worked on at once, and the logarithm below which it is 0
CHUNK, NOTHING = 1_000_000, -750.0


def failure_curve(n: ArrayLike, c: ArrayLike, k_max: int) -> Floats:
    """r_k of every problem for k = 1..k_max, by the recurrence.

    Args:
        n: samples per problem, one number or shape (problems,).
        c: samples that passed, shape (problems,).
        k_max: at least 1; may exceed n.

    Returns:
        Shape (problems, k_max); column k-1 holds r_k, NaN where k > n. The array is stored by columns.

    Raises:
        InputError: counts that are not whole, or not 0 <= c <= n.
    """
    counts = _checked(np.atleast_1d(np.asarray(n)), np.atleast_1d(np.asarray(c)))
    samples, failed = counts[0].astype(np.float64), (counts[0] - counts[1]).astype(np.float64)
    _whole_k(k_max, least=1)
    r = np.empty((k_max, len(samples)))
    before, excess = np.ones(len(samples)), np.zeros(len(samples))
    for start in range(0, k_max, BLOCK):
        drawn = np.arange(start, min(start + BLOCK, k_max), dtype=np.float64)[:, np.newaxis]
        block = r[start : start + BLOCK]
        if k_max > LONG:
            before, excess = _compensated_block(block, failed - drawn, samples - drawn, before, excess)
            continue
        np.subtract(failed, drawn, out=block)
        np.maximum(block, 0.0, out=block)
        block /= np.maximum(samples - drawn, 1.0)
        for row in block:
            row *= before
            before = row
    if len(samples) and k_max > samples.min():
        r[np.arange(1, k_max + 1)[:, np.newaxis] > samples] = np.nan
    return r.T


def _compensated_block(
    block: Floats, left_failed: Floats, left: Floats, before: Floats, excess: Floats
) -> tuple[Floats, Floats]:
    """Fill rows of r: each is the previous row times (failed samples left) / (samples left), with rounding compensated.

    Args:
        block: shape (rows, problems), to be filled.
        left_failed: shape (rows, problems); the failed samples that are left before each draw.
        left: shape (rows, problems); all samples that are left before each draw.
        before: shape (problems,); the plain product so far.
        excess: shape (problems,); the relative error of `before`.

    Returns:
        The plain product and its relative error after the last row.
    """
    numerator, denominator = np.maximum(left_failed, 0.0), np.maximum(left, 1.0)
    ratio = numerator / denominator
    plain = np.multiply.accumulate(np.vstack([before, ratio]), axis=0)
    errors = quotient_excess(numerator, denominator, ratio) + product_excess(plain[:-1], ratio, plain[1:])
    errors = excess + np.cumsum(errors, axis=0)
    block[:] = plain[1:] - plain[1:] * errors
    return plain[-1], errors[-1]


def failure_at_k(n: ArrayLike, c: ArrayLike, k: ArrayLike) -> Floats:
    """r_k = C(n-c, k) / C(n, k), elementwise over arguments that broadcast; NaN where k > n, 1 where k = 0.

    As c and k may change places, the product has min(c, k) factors. For whole curves `failure_curve` is faster.

    Raises:
        InputError: counts that are not whole, not 0 <= c <= n, or k < 0.
    """
    samples, passed = _checked(np.asarray(n), np.asarray(c))
    draws = _integers(np.asarray(k), "k")
    if draws.size and draws.min() < 0:
        raise InputError(f"k must be 0 or more, got {draws.min()}")
    samples, passed, draws = np.broadcast_arrays(samples, passed, draws)
    factors, most = np.minimum(passed, draws), np.maximum(passed, draws)
    long = factors > LONG
    r = np.ones(samples.shape)
    for step in range(int(np.where(long, 0, factors).max(initial=0))):
        ratio = np.maximum(samples - most - step, 0) / np.maximum(samples - step, 1)
        r = np.where(step < factors, r * ratio, r)
    if np.any(long):
        which = np.stack([samples[long], factors[long], most[long]])
        different, back = np.unique(which, axis=1, return_inverse=True)
        r[long] = np.array([_long_product(*one) for one in different.T.tolist()])[back.ravel()]
    return np.asarray(np.where(draws > samples, np.nan, r))[()]


def _long_product(samples: int, factors: int, most: int) -> float:
    """The product of 1 - most / (samples - step) over all steps below `factors`, by the sum of its logarithms.

    The relative error of r is the rounding error of the sum, some 1e-16 of it; the absolute error is at most 1e-16.
    """
    if factors > samples - most:
        return 0.0
    total = 0.0
    for start in range(0, factors, CHUNK):
        left = samples - np.arange(start, min(start + CHUNK, factors), dtype=np.float64)
        total += float(np.log1p(-most / left).sum())
        if total < NOTHING:
            return 0.0
    return math.exp(total)


def pass_at_k(n: ArrayLike, c: ArrayLike, k: ArrayLike) -> Floats:
    """pass@k = 1 - C(n-c, k) / C(n, k), elementwise (Chen et al. 2021, eq. 1).

    Args:
        n, c: samples drawn and samples passed; numbers or arrays that broadcast with each other and with k.
        k: at least 1.

    Returns:
        Values in [0, 1] of the broadcast shape (a number for numbers); NaN where k > n.

    Raises:
        InputError: counts that are not whole, not 0 <= c <= n, or k < 1.
    """
    draws = np.asarray(k)
    if draws.size and draws.min() < 1:
        raise InputError(f"k must be 1 or more, got {draws.min()}")
    return 1.0 - failure_at_k(n, c, k)


def pass_at_k_from_histogram(n: int, problems_by_c: ArrayLike, k: ArrayLike) -> Floats:
    """Mean pass@k of a benchmark from the histogram of c; all problems have the same n.

    Args:
        n: samples per problem.
        problems_by_c: shape (n+1,); entry c is the number (or weight) of problems of which c samples passed.
        k: one number, or shape (K,), each at least 1.

    Returns:
        The mean over problems, of the shape of k; NaN where k > n or the histogram is empty.
    """
    weights = np.asarray(problems_by_c, dtype=np.float64)
    if weights.shape != (n + 1,) or not np.all(np.isfinite(weights)) or np.any(weights < 0):
        raise InputError(f"a histogram of c for n = {n} has {n + 1} entries, all 0 or more; got shape {weights.shape}")
    draws = np.asarray(k)
    held = np.flatnonzero(weights)
    values = pass_at_k(n, held, draws[..., np.newaxis])
    total = weights.sum()
    return np.asarray(values @ weights[held] / total if total else np.full(draws.shape, np.nan))[()]


def pass_curve(n: ArrayLike, c: ArrayLike, k_max: int | None = None) -> Floats:
    """pass@k of a benchmark, the mean over its problems, for k = 1..k_max.

    Args:
        n: samples per problem, one number or shape (problems,); they may differ.
        c: samples that passed, shape (problems,).
        k_max: by default the smallest n, the largest k that every problem can answer.

    Returns:
        Shape (k_max,). NaN for every k above the smallest n: a mean over the problems that happen to have more
        samples would be a mean over other problems. NaN for a benchmark without problems.
    """
    samples, passed = _checked(np.atleast_1d(np.asarray(n)), np.atleast_1d(np.asarray(c)))
    if not len(samples):
        return np.full(k_max or 1, np.nan)
    k_max = int(samples.min()) if k_max is None else k_max
    pairs, times = np.unique(np.stack([samples, passed], axis=1), axis=0, return_counts=True)
    mean_failure: Floats = times @ failure_curve(pairs[:, 0], pairs[:, 1], k_max) / len(samples)
    return 1.0 - mean_failure


def trusted_k(n: ArrayLike) -> int:
    """The largest k up to which a curve over these problems can be trusted: half of the smallest n, at least 1.

    The paper draws n samples so that the largest k it reports is n/2 (section 3); it is also the largest k whose own
    sampling variance has an unbiased estimate (`intervals.fixed_benchmark_variance`).
    """
    return max(int(np.min(_integers(np.asarray(n), "n"))) // 2, 1)


def why_undefined(n: ArrayLike, k: int) -> str | None:
    """Why success at k is NaN over problems with n samples each, in words for the user; None if it is defined."""
    samples = np.atleast_1d(_integers(np.asarray(n), "n"))
    if not samples.size:
        return "there are no problems"
    short = int(np.sum(samples < k))
    if not short:
        return None
    needed = f"{k} sample{'' if k == 1 else 's'}"
    fewer = f"{short} of {samples.size} {'has' if short == 1 else 'have'} fewer"
    return f"k = {k} needs {needed} of every problem; {fewer} (down to {samples.min()})"


def expected_draws(n: ArrayLike, c: ArrayLike, k: ArrayLike) -> Floats:
    """Expected number of samples when drawing stops at the first pass, or after k.

    E[N_k] = sum_{j<k} r_j = ((n+1) - (n-k+1) r_k) / (c+1). Success is the same as with k samples: pass@k.

    Returns:
        Samples, of the broadcast shape; 0 where k = 0, NaN where k > n.
    """
    r = failure_at_k(n, c, k)
    return np.asarray(((np.asarray(n) + 1) - (np.asarray(n) - np.asarray(k) + 1) * r) / (np.asarray(c) + 1))[()]


def expected_draws_curve(n: ArrayLike, c: ArrayLike, k_max: int) -> Floats:
    """`expected_draws` of every problem for k = 1..k_max: shape (problems, k_max), NaN where k > n."""
    r = failure_curve(n, c, k_max)
    samples, passed = (np.atleast_1d(np.asarray(x))[:, np.newaxis] for x in (n, c))
    return np.asarray(((samples + 1) - (samples - np.arange(k_max)) * r) / (passed + 1))


def expected_cost(
    n: ArrayLike, c: ArrayLike, k: ArrayLike, cost_if_passed: ArrayLike, cost_if_failed: ArrayLike
) -> Floats:
    """Expected cost of drawing until the first pass, at most k, where passing and failing samples cost differently.

    Of the E[N_k] samples drawn, 1 - r_k pass. By symmetry, every failing sample is as likely to be drawn as any other
    failing one, and the same holds for passing samples. So only the mean cost of each kind matters. Exact and unbiased
    for a random order of the recorded samples.

    Args:
        n, c, k: as in `expected_draws`.
        cost_if_passed: mean cost of a sample that passed, in any unit; ignored where c = 0.
        cost_if_failed: mean cost of a sample that failed, in the same unit; ignored where c = n.

    Returns:
        Cost in that unit, of the broadcast shape; NaN where k > n.
    """
    passing = pass_at_k(n, c, k)
    failing = expected_draws(n, c, k) - passing
    nothing_passed, nothing_failed = np.asarray(c) == 0, np.asarray(c) == np.asarray(n)
    of_passing = passing * np.where(nothing_passed, 0.0, cost_if_passed)
    return np.asarray(of_passing + failing * np.where(nothing_failed, 0.0, cost_if_failed))[()]


@dataclass(frozen=True, slots=True, eq=False)
class CascadeOutcome:
    """What a cascade achieves and spends, per problem.

    Attributes:
        reached: shape (stages, problems); chance that a stage is started because all before it failed. The first is 1.
        draws: shape (stages, problems); expected samples of each stage.
        success: shape (problems,); chance that some stage passes.
        cost: shape (problems,); expected cost, in the unit of the prices given.
    """

    reached: Floats
    draws: Floats
    success: Floats
    cost: Floats


def cascade(n: ArrayLike, c: ArrayLike, k: ArrayLike, cost_per_sample: ArrayLike) -> CascadeOutcome:
    """A cascade of different models: each stage in turn draws up to its k samples; everything stops at the first pass.

    Args:
        n, c: shape (stages, problems), counts of each stage's model on the same problems.
        k: shape (stages,), most samples of each stage; 0 skips a stage.
        cost_per_sample: shape (stages,) or (stages, problems), in any one unit.

    Returns:
        A `CascadeOutcome`, unbiased as long as no model serves in two stages. NaN where a stage has k > n.
    """
    samples, passed = _checked(np.asarray(n), np.asarray(c))
    draws, price = np.asarray(k), np.asarray(cost_per_sample, dtype=np.float64)
    if samples.ndim != 2 or draws.shape != samples.shape[:1] or price.shape not in (samples.shape, samples.shape[:1]):
        raise InputError(
            "a cascade needs n and c of shape (stages, problems), one k and one cost per stage; "
            f"got {samples.shape}, k {draws.shape}, cost {price.shape}"
        )
    draws, price = draws[:, np.newaxis], price.reshape(len(samples), -1)
    survival = np.cumprod(failure_at_k(samples, passed, draws), axis=0)
    reached = np.concatenate([np.ones((1, samples.shape[1])), survival[:-1]])
    expected = reached * expected_draws(samples, passed, draws)
    return CascadeOutcome(reached, expected, 1.0 - survival[-1], np.sum(expected * price, axis=0))


def _whole_k(k: int, least: int) -> None:
    if not isinstance(k, int | np.integer) or isinstance(k, bool) or k < least:
        raise InputError(f"k must be a whole number, {least} or more, got {k!r}")


def _integers(values: NDArray[np.generic], name: str) -> Ints:
    if values.dtype.kind not in "iu" and values.size:
        raise InputError(f"{name} must hold whole numbers, got an array of {values.dtype}")
    return values.astype(np.int64, copy=False)


def _checked(n: NDArray[np.generic], c: NDArray[np.generic]) -> tuple[Ints, Ints]:
    """Counts as int64 arrays of one shape. Raises `InputError` where they cannot be counts."""
    samples, passed = _integers(n, "n"), _integers(c, "c")
    try:
        samples, passed = np.broadcast_arrays(samples, passed)
    except ValueError as error:
        raise InputError(f"n of shape {samples.shape} and c of shape {passed.shape} do not fit together") from error
    wrong = (passed < 0) | (passed > samples)
    if np.any(wrong):
        at = int(np.flatnonzero(wrong.ravel())[0])
        raise InputError(f"counts must have 0 <= c <= n; entry {at} has n = {samples.flat[at]}, c = {passed.flat[at]}")
    return samples, passed
