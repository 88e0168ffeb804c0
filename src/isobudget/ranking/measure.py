"""What each ranker achieves on one model's samples: success at each k and at each budget, AUC, calibration.

Success against budget is computed without and with the ranker's own cost. For comparison, there are a random sample and
the model's greedy outputs (the paper, section 4, figures 8 and 9).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from isobudget.costs.cost import Unit
from isobudget.curves import Bootstrap
from isobudget.curves.curve import Curve, curve_from_matrix
from isobudget.rankers.base import FREE, RANDOM, Floats, PerSample, RankerCost, Ranking
from isobudget.rankers.calibration import Calibration
from isobudget.rankers.measure import Auc, Success, auc, calibration, success
from isobudget.ranking.options import RankOptions
from isobudget.ranking.run_samples import RankingInput
from isobudget.statistics.intervals import bootstrap_curve


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """One ranker on the samples of one model.

    Attributes:
        ranker: label of the ranker; `random` stands for a single random sample.
        exact: whether the curve is exact for these samples (rank-score), or estimated from random prefixes.
        success, low, high: mean over problems and interval at k = 1..k_max.
        matrix: shape (problems, k_max).
        monte_carlo: standard error from the finite number of prefixes, shape (k_max,); None if exact.
        free: curves by unit, without the ranker's own cost.
        charged: curves by unit, with the ranker's own cost, for the units in which it is known.
        auc, calibration: see `isobudget.rankers`; None for `random`.
        undefined: samples without a score (NaN), or of which nothing is known: they rank last.
        set_aside: samples that rank last for another reason: cut off at the token limit, or filtered.
        cost: cost of ranking itself.
        notes: what a reader should know.
    """

    ranker: str
    exact: bool
    success: Floats
    low: Floats
    high: Floats
    matrix: Floats
    monte_carlo: Floats | None
    free: Mapping[Unit, Curve]
    charged: Mapping[Unit, Curve]
    auc: Auc | None
    calibration: Calibration | None
    undefined: int
    set_aside: int
    cost: RankerCost
    notes: tuple[str, ...] = ()

    @property
    def k_max(self) -> int:
        """The largest number of samples that the ranker chooses from."""
        return len(self.success)


@dataclass(frozen=True, slots=True, eq=False)
class RankedModel:
    """All rankers on the samples of one model.

    Attributes:
        samples: the ranked samples, with prices and greedy outputs.
        ranked: the results, `random` first.
    """

    samples: RankingInput
    ranked: tuple[Ranked, ...]

    @property
    def model(self) -> str:
        """The model's name."""
        return self.samples.pool.model


def measured_ranking(samples: RankingInput, ranking: Ranking, options: RankOptions) -> Ranked:
    """Measure a ranking of these samples: success at each k, AUC and calibration."""
    pool, bootstrap, least = samples.pool, options.bootstrap, int(samples.pool.sizes.min())
    successes = success(pool, ranking, orders=options.orders, seed=options.seed)
    return replace(
        _ranked(samples, ranking, successes, bootstrap),
        auc=auc(pool, ranking, level=bootstrap.level, replicates=bootstrap.replicates, seed=bootstrap.seed),
        calibration=calibration(pool, ranking, min(options.k or max(least // 2, 1), least), seed=options.seed),
    )


def random_sample(samples: RankingInput, bootstrap: Bootstrap) -> Ranked:
    """The result of a single random sample: its success is pass@1, whatever k is."""
    matrix = np.array([[one.passed.mean()] * int(samples.pool.sizes.min()) for one in samples.pool.problems])
    return _ranked(samples, Ranking(RANDOM, PerSample((), ())), Success(matrix), bootstrap)


def _ranked(samples: RankingInput, ranking: Ranking, successes: Success, bootstrap: Bootstrap) -> Ranked:
    result, matrix = ranking.result, successes.matrix
    free, charged = _curves(samples, matrix, ranking, bootstrap)
    low, high = bootstrap_curve(matrix, bootstrap.weights(len(matrix)), bootstrap.level)
    return Ranked(
        ranker=ranking.ranker,
        exact=isinstance(result, PerSample),
        success=matrix.mean(axis=0),
        low=low,
        high=high,
        matrix=matrix,
        monte_carlo=successes.monte_carlo,
        free=free,
        charged=charged,
        auc=None,
        calibration=None,
        undefined=result.undefined,
        set_aside=int(sum(row.sum() for row in result.aside)) if isinstance(result, PerSample) else 0,
        cost=ranking.cost,
        notes=ranking.notes,
    )


def _curves(
    samples: RankingInput, matrix: Floats, ranking: Ranking, bootstrap: Bootstrap
) -> tuple[dict[Unit, Curve], dict[Unit, Curve]]:
    """Success against budget by unit, without and with the cost of ranking."""
    free: dict[Unit, Curve] = {}
    charged: dict[Unit, Curve] = {}
    pool, cost = samples.pool, ranking.cost
    for unit, price in samples.prices.items():
        same = next(iter(free.values()), None) or curve_from_matrix(
            pool.model, pool.task_ids, matrix, price, selection=ranking.ranker, bootstrap=bootstrap
        )
        free[unit] = replace(same, price=price)
        amount = cost.amounts.get(unit)
        if amount is not None:
            dearer = price.plus(amount.per_sample, cost.source, per_problem=amount.per_problem)
            charged[unit] = replace(same, price=price if cost is FREE else dearer)
    return free, charged
