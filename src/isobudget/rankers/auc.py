"""How well scores tell right samples from wrong ones of the same problem: AUC within problems.

AUC of a problem = chance that a random right sample of it scores higher than a random wrong one, ties counting half
(Mann-Whitney U / (right x wrong)). Only problems with both kinds have one; they count alike. It is 0.5 for chance. The
interval is a bootstrap over these problems. NaN scores are the lowest, tied among themselves, and so are samples that
are set aside. Pooling samples of different problems would mix how hard a problem is with how good a sample is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isobudget.rankers.base import Bools, Floats
from isobudget.statistics.intervals import bootstrap_mean, bootstrap_weights


@dataclass(frozen=True, slots=True)
class Auc:
    """AUC within problems.

    Attributes:
        value: mean over problems, NaN if none has both right and wrong samples.
        low, high: its interval over problems; NaN for fewer than two.
        problems: how many count.
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
        aside: per problem, shape (n,): samples that rank behind all others.
        level, replicates, seed: of the bootstrap over problems.
    """
    rows = [np.asarray(row, dtype=np.float64) for row in scores]
    if aside is not None:
        rows = [np.where(out, np.nan, row) for out, row in zip(aside, rows, strict=True)]
    found = np.array([auc_of_problem(right, row) for right, row in zip(passed, rows, strict=True)])
    known = found[~np.isnan(found)]
    if not len(known):
        return Auc(math.nan, math.nan, math.nan, 0)
    if len(known) < 2:
        return Auc(float(known[0]), math.nan, math.nan, 1)
    weights = bootstrap_weights(len(known), replicates, seed)
    low, high = bootstrap_mean(known[:, np.newaxis], weights, level)
    return Auc(float(known.mean()), max(float(low[0]), 0.0), min(float(high[0]), 1.0), len(known))
