"""What a ranking is worth: its success at every k, its AUC within problems, and how far its probability can be trusted.

Per-sample scores go through rank-score@k, which is exact; selectors that look at the whole set go through random
prefixes, whose own error is stated (`monte_carlo`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isobudget.rankers.auc import Auc, auc_within
from isobudget.rankers.base import Bools, BySet, Floats, PerSample, Pool, Ranking
from isobudget.rankers.calibration import Calibration, Chosen, calibrate
from isobudget.statistics.prefixes import prefix_curve
from isobudget.statistics.rank_score import SampleScores, pad, rank_score_curves

#: random orders of the samples of each problem
ORDERS = 200
#: random draws of k samples from which a set-dependent ranker's calibration is estimated
_DRAWS = 50


@dataclass(frozen=True, slots=True, eq=False)
class Success:
    """How often the chosen sample is right.

    Attributes:
        matrix: shape (problems, k_max), k_max the smallest n.
        monte_carlo: shape (k_max,), standard error of the mean from random prefixes; None where it is exact.
    """

    matrix: Floats
    monte_carlo: Floats | None = None


def success(pool: Pool, ranking: Ranking, *, orders: int = ORDERS, seed: int = 0) -> Success:
    """Success of each problem at each k; all samples are judged. `orders` and `seed` are of random prefixes."""
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


def auc(pool: Pool, ranking: Ranking, *, level: float = 0.95, replicates: int = 10_000, seed: int = 0) -> Auc:
    """AUC within problems; of a set-dependent ranker, by how strongly all n samples together speak for each."""
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
        _drawn(right, selector, k, generator) for right, selector in zip(passed, ranking.result.selectors, strict=True)
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
    drawn = np.arange(first, dtype=np.float64)
    return float(np.prod((n - k - drawn) / (n - drawn)))


def _drawn(right: Floats, selector: object, k: int, generator: np.random.Generator) -> Chosen:
    """The choices among random draws of k, with the share of the draw that agrees with them."""
    confidence: Callable[[NDArray[np.int64]], float] | None = getattr(selector, "confidence", None)
    signals, rights = [], []
    for _ in range(_DRAWS if k < len(right) else 1):
        drawn = generator.permutation(len(right))[:k]
        rights.append(right[selector.choose(drawn)].mean())  # type: ignore[attr-defined]
        signals.append(np.nan if confidence is None else confidence(drawn))
    return Chosen(np.array(signals), np.array(rights), np.full(len(rights), 1 / len(rights)))
