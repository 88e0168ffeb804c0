"""How good a ranking is: its success at every k, its AUC within problems, and the calibration of its probabilities.

The success of per-sample scores is rank-score@k, which is exact. The success of set rankers is estimated from random
prefixes; the standard error of this estimate is `monte_carlo`.

AUC of a problem = chance that a random right sample of it scores higher than a random wrong one, ties counting half
(Mann-Whitney U / (right x wrong)). Only problems with right and wrong samples have an AUC; they have equal weight. An
AUC of 0.5 is chance. The interval is a bootstrap over these problems. Samples with a NaN score and samples set aside
are tied below all others. Pooling samples of different problems would mix a problem's difficulty with the samples'
quality.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isobudget.rankers.base import Bools, BySet, Floats, PerSample, Pool, Ranking
from isobudget.rankers.calibration import Calibration, Chosen, calibrate
from isobudget.statistics.intervals import bootstrap_mean, weights_of
from isobudget.statistics.prefixes import prefix_curve
from isobudget.statistics.rank_score import SampleScores, pad, rank_score_curves

#: random orders of the samples of each problem
ORDERS = 200
#: random subsets of k samples from which a set ranker's calibration is estimated
_SUBSETS = 50


@dataclass(frozen=True, slots=True, eq=False)
class Success:
    """How often the chosen sample is right.

    Attributes:
        matrix: shape (problems, k_max), success at each k; k_max is the smallest n.
        monte_carlo: shape (k_max,), standard error of the mean from random prefixes; None if the matrix is exact.
    """

    matrix: Floats
    monte_carlo: Floats | None = None


def success(pool: Pool, ranking: Ranking, *, orders: int = ORDERS, seed: int = 0) -> Success:
    """Success of each problem at each k, from judged samples; `orders` and `seed` are those of the random prefixes."""
    k_max = int(pool.sizes.min())
    passed = [one.passed for one in pool.problems]
    if isinstance(ranking.result, BySet):
        curve = prefix_curve(passed, ranking.result.selectors, np.arange(1, k_max + 1), orders, seed)
        matrix, error = curve.per_problem, curve.standard_error
        # of one sample drawn there is nothing to choose: this column is known exactly
        matrix[:, 0], error[0] = [row.mean() for row in passed], 0.0
        return Success(matrix, error)
    return Success(rank_scores(passed, ranking.result, k_max))


def rank_scores(passed: Sequence[Floats | Bools], result: PerSample, k_max: int) -> Floats:
    """Rank-score@k of each problem for k = 1..k_max; samples whose score is NaN are set aside too."""
    right, n = pad([row.tolist() for row in passed])
    scores, _ = pad([np.nan_to_num(row, nan=0.0, neginf=-np.inf, posinf=np.inf).tolist() for row in result.scores])
    out = [(aside | np.isnan(row)).tolist() for row, aside in zip(result.scores, result.aside, strict=True)]
    return rank_score_curves(right, SampleScores(scores), n=n, discarded=pad(out)[0] > 0, k_max=k_max)


@dataclass(frozen=True, slots=True)
class Auc:
    """AUC within problems.

    Attributes:
        value: mean over problems, NaN if none has both right and wrong samples.
        low, high: its interval over problems; NaN for fewer than two.
        problems: number of problems that have an AUC.
    """

    value: float
    low: float
    high: float
    problems: int


def auc_of_problem(passed: Floats, scores: Floats) -> float:
    """AUC of one problem from arrays of shape (n,), `passed` 1 for right samples; NaN if all are right or wrong."""
    right = np.asarray(passed) > 0
    wanted, others = int(right.sum()), int((~right).sum())
    if not wanted or not others:
        return math.nan
    values = np.where(np.isnan(scores), -np.inf, scores)
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    # mean rank of each tie group, from 1
    ranks = (ends - (counts - 1) / 2.0)[place]
    return float((ranks[right].sum() - wanted * (wanted + 1) / 2) / (wanted * others))


def auc_within(
    passed: Sequence[Floats],
    scores: Sequence[Floats],
    aside: Sequence[Bools] | None = None,
    *,
    level: float = 0.95,
    replicates: int = 10_000,
    seed: int = 0,
) -> Auc:
    """AUC within problems with its interval.

    Args:
        passed, scores: per problem, shape (n,).
        aside: per problem, shape (n,): samples that rank after all others.
        level, replicates, seed: of the bootstrap over problems.
    """
    rows = [np.asarray(row, dtype=np.float64) for row in scores]
    if aside is not None:
        rows = [np.where(out, np.nan, row) for out, row in zip(aside, rows, strict=True)]
    aucs = np.array([auc_of_problem(right, row) for right, row in zip(passed, rows, strict=True)])
    known = aucs[~np.isnan(aucs)]
    if not len(known):
        return Auc(math.nan, math.nan, math.nan, 0)
    if len(known) < 2:
        return Auc(float(known[0]), math.nan, math.nan, 1)
    weights = weights_of(len(known), replicates, seed)
    low, high = bootstrap_mean(known[:, np.newaxis], weights, level)
    return Auc(float(known.mean()), max(float(low[0]), 0.0), min(float(high[0]), 1.0), len(known))


def auc(pool: Pool, ranking: Ranking, *, level: float = 0.95, replicates: int = 10_000, seed: int = 0) -> Auc:
    """AUC within problems; for a set ranker, by the score of each sample when all n are drawn."""
    passed = [one.passed for one in pool.problems]
    result = ranking.result
    scores, aside = (result.scores, result.aside) if isinstance(result, PerSample) else (result.strength, None)
    return auc_within(passed, scores, aside, level=level, replicates=replicates, seed=seed)


def calibration(pool: Pool, ranking: Ranking, k: int, *, seed: int = 0) -> Calibration:
    """Calibration of the sample chosen among k, see `isobudget.rankers.calibration`."""
    passed = [one.passed for one in pool.problems]
    if isinstance(ranking.result, PerSample):
        result = ranking.result
        rows = zip(passed, result.scores, result.aside, strict=True)
        return calibrate([_chosen(right, np.where(aside, np.nan, score), k) for right, score, aside in rows], k)
    generator = np.random.default_rng(seed)
    problems = [
        _chosen_of_subsets(right, selector, k, generator)
        for right, selector in zip(passed, ranking.result.selectors, strict=True)
    ]
    return calibrate(problems, k)


def _chosen(right: Floats, score: Floats, k: int) -> Chosen:
    """Each sample's exact chance to be the best of k: the rank-score weight of its place, shared among equals."""
    n = len(right)
    values = np.where(np.isnan(score), -np.inf, score)
    _, place = np.unique(-values, return_inverse=True)
    weight = np.zeros(n)
    for group in range(place.max(initial=-1) + 1):
        held = place == group
        before = int((place < group).sum())
        weight[held] = (_left(n, before, k) - _left(n, before + int(held.sum()), k)) / held.sum()
    return Chosen(score, right, weight)


def _left(n: int, first: int, k: int) -> float:
    """Chance that none of the first `first` of n samples is among k drawn."""
    if n - first < k:
        return 0.0
    place = np.arange(first, dtype=np.float64)
    return float(np.prod((n - k - place) / (n - place)))


def _chosen_of_subsets(right: Floats, selector: object, k: int, generator: np.random.Generator) -> Chosen:
    """The choices from random draws of k samples; the signal is the selector's confidence, or NaN if it has none."""
    confidence: Callable[[NDArray[np.int64]], float] | None = getattr(selector, "confidence", None)
    seen: dict[bytes, tuple[float, float]] = {}  # of few samples the same are drawn again and again
    drawn = []
    for _ in range(_SUBSETS if k < len(right) else 1):
        subset = generator.permutation(len(right))[:k]
        drawn.append(subset.tobytes())
        if drawn[-1] not in seen:
            chosen = right[selector.choose(subset)].mean()  # type: ignore[attr-defined]
            seen[drawn[-1]] = (np.nan if confidence is None else confidence(subset), chosen)
    signals, rights = zip(*map(seen.__getitem__, drawn), strict=True)
    return Chosen(np.array(signals), np.array(rights), np.full(len(rights), 1 / len(rights)))
