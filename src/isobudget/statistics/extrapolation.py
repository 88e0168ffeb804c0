"""Extrapolations of pass@k beyond n, by two statistical models. They are guesses: both assume how problems behave.

- **Beta-binomial**: each problem has its own chance p to pass, drawn from one Beta(a, b), fitted to the counts by
  maximum likelihood. Beyond n, a problem's failure given its own count is
  E[(1-p)^k] = prod_{j<k} (b+n-c+j) / (a+b+n+j). A problem that never passed is taken to be hard, never impossible.
- **Power law**: -log pass@k falls as s k^-t (Brown et al. 2024, "Large Language Monkeys"). s and t are fitted by least
  squares of log(-log pass@k) on log k, over the last doublings that the samples can be trusted for, n/16 to n/2.

Each model has a band from a bootstrap over problems, and this band assumes that the model holds. Since neither model
does, both guesses are given the band that spans the two bands. On public results this band covered the held-out
samples' pass@k in more than 90 % of cases. Both models treat a problem that never passed as a hard one. If some
problems can never be solved, both guesses are too high, and the band does not show this (docs/estimators.md). Nothing
else in isobudget uses these numbers: they appear only if extrapolation is requested, under `LABEL`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isobudget.errors import InputError
from isobudget.statistics.intervals import bootstrap_weights
from isobudget.statistics.pass_at_k import failure_curve, trusted_k

Floats = NDArray[np.float64]

LABEL = "a model's guess beyond the samples, not an estimate"
#: shown with all guesses
WARNING = "Where some problems never pass, both guesses tend to be too high, by 1 to 3 points and more."

#: largest absolute value of log a and log b: a and b stay within 1e-8 and 1e8
REACH = 18.4
STEPS = 100
#: number of cached fits, and their most samples per problem: the folds of a plan fit the same counts again
KEPT, KEPT_SIZE = 512, 4096


@dataclass(frozen=True, slots=True)
class BetaFit:
    """Beta(a, b) of the problems' chances to pass. `log_likelihood` leaves out the binomial coefficients."""

    a: float
    b: float
    log_likelihood: float


@dataclass(frozen=True, slots=True, eq=False)
class Guess:
    """One statistical model's curve beyond n: success, and the band of both models; each of shape (K,), in [0, 1]."""

    model: str
    success: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Extrapolation:
    """Both guesses at the same k, shape (K,), with the label that must be shown with them."""

    k: NDArray[np.int64]
    beta_binomial: Guess
    power_law: Guess
    label: str = LABEL


def extrapolate(
    n: ArrayLike, c: ArrayLike, k: ArrayLike, replicates: int = 200, level: float = 0.95, seed: int = 0
) -> Extrapolation:
    """Guess mean pass@k for k beyond n (or below it, to see how the fits do where the truth is known).

    Args:
        n: samples per problem, one number or shape (problems,).
        c: samples that passed, shape (problems,).
        k: shape (K,), each at least 1.
        replicates: bootstrap replicates over problems for the bands.
        level: confidence level of the bands.
        seed: seed of the bootstrap.

    Raises:
        InputError: fewer than two problems, no sample or every sample passed, too few samples to fit (n under 4), or a
            k below 1.
    """
    passed = np.atleast_1d(np.asarray(c, dtype=np.int64))
    samples = np.broadcast_to(np.asarray(n, dtype=np.int64), passed.shape)
    sizes = np.atleast_1d(np.asarray(k, dtype=np.int64))
    if len(passed) < 2 or passed.sum() == 0 or np.all(passed == samples):
        raise InputError("extrapolation needs two problems or more, with some samples that passed and some that failed")
    if sizes.min(initial=1) < 1:
        raise InputError(f"k must be 1 or more, got {sizes.min()}")
    points = _fit_points(samples)
    r = failure_curve(samples, passed, int(points[-1]))[:, points - 1]
    weights = np.concatenate([np.ones((1, len(passed))), bootstrap_weights(len(passed), replicates, seed)])
    weights = weights[(weights @ passed > 0) & (weights @ (samples - passed) > 0)]
    beta, power = [], []
    for row in weights:
        fit = fit_beta_binomial(samples, passed, row)
        beta.append(1.0 - row @ posterior_failure(samples, passed, fit, sizes) / row.sum())
        power.append(_power_law(points, 1.0 - row @ r / row.sum(), sizes))
    return Extrapolation(sizes, *_spanning(_banded("beta-binomial", beta, level), _banded("power law", power, level)))


def fit_beta_binomial(n: ArrayLike, c: ArrayLike, weights: ArrayLike | None = None) -> BetaFit:
    """Maximum likelihood a and b of a beta-binomial, by Newton steps on their logarithms.

    The likelihood of a problem is B(a+c, b+n-c) / B(a, b) = prod_{j<c} (a+j) prod_{j<n-c} (b+j) / prod_{j<n} (a+b+j):
    all problems together need only how many have c > j, n-c > j and n > j, and no gamma function.

    Args:
        n: samples per problem, one number or shape (problems,).
        c: samples that passed, shape (problems,).
        weights: the weight of each problem, shape (problems,); 1 by default.

    Returns:
        The fit. Where all problems look alike, the best a and b would be infinite, and 1e8 is taken instead.
    """
    passed = np.atleast_1d(np.asarray(c, dtype=np.int64))
    samples = np.broadcast_to(np.asarray(n, dtype=np.int64), passed.shape)
    weight = np.ones(len(passed)) if weights is None else np.asarray(weights, dtype=np.float64)
    size = int(samples.max())
    above = np.stack([_how_many_from_the_end(counts, weight, size) for counts in (passed, samples - passed, samples)])
    fitted = _fitted if size <= KEPT_SIZE else _fitted.__wrapped__
    return fitted(float(weight @ passed / (weight @ samples)), above.tobytes())


@lru_cache(KEPT)
def _fitted(mean: float, backwards: bytes) -> BetaFit:
    """The fit. `mean` is the success of one sample.

    `backwards` has three rows, as bytes: for passed, failed and all samples, the weight of the problems whose number of
    samples exceeds j, with the largest j first. The rows are reversed as views. With the strides of such views, `@`
    adds one number after the other, so that the last digit does not depend on the BLAS.
    """
    above = np.frombuffer(backwards).reshape(3, -1)[:, ::-1]
    at = _within_reach(np.log([mean + 1e-9, 1.0 - mean + 1e-9]))
    terms = _terms(at, above)
    value = _log_likelihood(terms, above)
    for _ in range(STEPS):
        step = _newton_step(*_slopes(at, terms, above))
        for _ in range(40):
            tried = _within_reach(at + step)
            terms = _terms(tried, above)
            new = _log_likelihood(terms, above)
            if new >= value:
                break
            step = step / 2
        else:
            break
        moved = float(np.abs(tried - at).max())
        at, value = tried, new
        if moved < 1e-9:
            break
    return BetaFit(float(np.exp(at[0])), float(np.exp(at[1])), value)


def _within_reach(at: Floats) -> Floats:
    return np.minimum(np.maximum(at, -REACH), REACH)


def posterior_failure(n: ArrayLike, c: ArrayLike, fit: BetaFit, k: ArrayLike) -> Floats:
    """Chance that k fresh samples all fail, given each problem's own count and the fit: shape (problems, K).

    E[(1-p)^k] under Beta(a+c, b+n-c), prod_{j<k} (b+n-c+j) / (a+b+n+j), is computed as a quotient of gamma
    functions, which takes the same time for every k. It is exact to 1e-9 as long as a and b stay below a million, which
    is exact enough for a guess.
    """
    passed = np.atleast_1d(np.asarray(c, dtype=np.int64))
    samples = np.broadcast_to(np.asarray(n, dtype=np.int64), passed.shape)
    sizes = np.atleast_1d(np.asarray(k, dtype=np.int64))
    pairs, back = np.unique(np.stack([samples, passed], axis=1), axis=0, return_inverse=True)
    b: Floats = np.asarray(fit.b + pairs[:, :1] - pairs[:, 1:], dtype=np.float64)
    both: Floats = np.asarray(fit.a + fit.b + pairs[:, :1], dtype=np.float64)
    r = np.exp(_log_gamma(b + sizes) - _log_gamma(both + sizes) + _log_gamma(both) - _log_gamma(b))
    return np.asarray(np.minimum(r, 1.0)[back.ravel()])


def _log_gamma(values: Floats) -> Floats:
    return np.array([math.lgamma(value) for value in values.ravel()]).reshape(values.shape)


def _fit_points(samples: NDArray[np.int64]) -> NDArray[np.int64]:
    """Up to 16 values of k, evenly spaced in log k, from n/16 to n/2, where n is the smallest number of samples."""
    last = trusted_k(samples)
    if last < 2:
        raise InputError(f"extrapolation needs at least 4 samples of every problem; one has {samples.min()}")
    return np.unique(np.geomspace(max(last / 8, 1), last, 16).round().astype(np.int64))


def _power_law(points: NDArray[np.int64], success: Floats, k: NDArray[np.int64]) -> Floats:
    """exp(-s k^-t) at k, fitted to success at points; NaN if a success is 0 or 1, since log(-log) is not finite."""
    if success.min() <= 0 or success.max() >= 1:
        return np.full(len(k), np.nan)
    slope, intercept = np.polyfit(np.log(points), np.log(-np.log(success)), 1)
    return np.asarray(np.exp(-np.exp(intercept + slope * np.log(k))))


def _banded(model: str, rows: list[Floats], level: float) -> Guess:
    """A guess with its band. The first row is the fit to the data, the other rows are the fits to the replicates."""
    replicates = np.stack(rows[1:] or rows)
    defined = replicates[~np.isnan(replicates).any(axis=1)]
    if not len(defined):
        return Guess(model, rows[0], *np.full((2, len(rows[0])), np.nan))
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Guess(model, rows[0], low, high)


def _spanning(one: Guess, other: Guess) -> tuple[Guess, Guess]:
    """Both guesses with the band that spans both bands; NaN where there is no guess."""
    low, high = np.fmin(one.low, other.low), np.fmax(one.high, other.high)
    known = (np.where(np.isnan(guess.success), np.nan, 0.0) for guess in (one, other))
    first, second = (
        replace(guess, low=low + at, high=high + at) for guess, at in zip((one, other), known, strict=True)
    )
    return first, second


def _how_many_from_the_end(counts: NDArray[np.int64], weights: Floats, size: int) -> Floats:
    """Weight of the problems whose count exceeds j, for j = size-1..0."""
    held = np.bincount(counts, weights=weights, minlength=size + 1)
    return np.asarray(held[::-1].cumsum()[:-1][len(held) - size - 1 :])


def _terms(at: Floats, above: Floats) -> Floats:
    """a + j, b + j and a + b + j for every j, shape (3, size), where `at` is (log a, log b)."""
    a, b = np.exp(at)
    return np.asarray(np.array([[a], [b], [a + b]]) + np.arange(above.shape[1]))


def _log_likelihood(terms: Floats, above: Floats) -> float:
    logs = np.log(terms)
    return float(above[0] @ logs[0]) + float(above[1] @ logs[1]) - float(above[2] @ logs[2])


def _slopes(at: Floats, terms: Floats, above: Floats) -> tuple[Floats, Floats]:
    """Gradient and Hessian of the log-likelihood in log a, log b."""
    a, b = np.exp(at)
    first = [float(many @ x) for many, x in zip(above, 1 / terms, strict=True)]
    second = [float(many @ x) for many, x in zip(above, 1 / terms**2, strict=True)]
    gradient = np.array([a * (first[0] - first[2]), b * (first[1] - first[2])])
    hessian = np.array(
        [
            [a * a * (second[2] - second[0]) + gradient[0], a * b * second[2]],
            [a * b * second[2], b * b * (second[2] - second[1]) + gradient[1]],
        ]
    )
    return gradient, hessian


def _newton_step(gradient: Floats, hessian: Floats) -> Floats:
    """An uphill step of at most 2 in either logarithm: Newton's, with any upward curvature turned downward."""
    values, vectors = np.linalg.eigh(hessian)
    curvature = np.maximum(np.abs(values), 1e-10)
    step = vectors @ ((vectors.T @ gradient) / curvature)
    return np.asarray(step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300)))
