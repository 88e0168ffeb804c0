"""Success against budget for one model: pass@k, or another selection's success, at k samples, and what k samples cost.

    success(f) = success@k  with  k = max{k' : cost(k') <= f}        (section 2.2 of the paper: pass_flops@f,
    pass_time@t)

What k samples cost depends on when sampling stops, see `stopping`: by default all k are generated and charged.

A curve ends at the smallest n of its problems, because beyond that success@k is not defined for all of them, and at k =
10,000 at the latest. A model that could afford more samples than were recorded is `capped`: its value is the success of
all recorded samples. If tests choose, the success that this budget buys can only be higher. Intervals are over problems
(paired bootstrap, see `intervals`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isobudget.costs.cost import SampleCost, Unit
from isobudget.curves.stopping import FIRST_PASS, FIXED, Charged, parse_stop
from isobudget.errors import InputError
from isobudget.grid import with_unit
from isobudget.results import Shown
from isobudget.statistics.intervals import Weights, bootstrap_curve, check_level, weights_of
from isobudget.statistics.pass_at_k import failure_curve, trusted_k

if TYPE_CHECKING:
    from isobudget.importers.counts import ModelCounts

FloatArray = NDArray[np.float64]

#: curves end at this k, even with more recorded samples, because their time and memory grow with k
DEEPEST = 10_000

#: how one of k samples is chosen: all tests are run, and one that passes is kept
TESTS = "tests"
#: the sample that the model itself finds likeliest is kept, without tests
LIKELIHOOD = "likelihood"


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How intervals are computed; curves that are compared share it, so that they are paired.

    Attributes:
        level: of the intervals.
        replicates: of the bootstrap over problems.
        seed: of its random numbers.
        simultaneous: whether *clear* means clear with all budgets tested together (True), or at each budget by itself
            (False); by default False for tables and True for the recommendation.
    """

    level: float = 0.95
    replicates: int = 10_000
    seed: int = 0
    simultaneous: bool | None = None

    def __post_init__(self) -> None:
        check_level(self.level)

    def weights(self, problems: int) -> Weights:
        """The bootstrap weights (replicates, problems), the same for every model."""
        return weights_of(problems, self.replicates, self.seed)


@dataclass(frozen=True, slots=True)
class Point:
    """A model at one budget.

    Attributes:
        budget: in the curve's unit, per problem.
        k: samples used, or the most where sampling stops at the first pass; 0 if the budget cannot afford one.
        success, low, high: in [0, 1], NaN where k is 0.
        capped: whether the budget would pay for more samples than were recorded.
        trusted: whether k is at most half the recorded samples.
        reason: why `success` is NaN, else empty.
    """

    budget: float
    k: int
    success: float
    low: float
    high: float
    capped: bool
    trusted: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Curve(Shown):
    """Success against budget for one model.

    Attributes:
        model: the model's name, with its condition if there is one.
        price: what a sample costs, with unit and source.
        selection: how one of the k samples is chosen, such as `tests` or `likelihood`.
        task_ids: the problems, in the order of the rows of `matrix`.
        matrix: success of each problem at each k = 1, 2, ...; shape (problems, k_max), in [0, 1].
        success, low, high: mean over problems and its interval, shape (k_max,).
        trusted_k: k up to which the curve is trustworthy, half the smallest n.
        charged: how many samples are paid for at each k: all, or those until the first pass.
    """

    model: str
    price: SampleCost
    selection: str
    task_ids: tuple[str, ...]
    matrix: FloatArray
    success: FloatArray
    low: FloatArray
    high: FloatArray
    trusted_k: int
    charged: Charged

    @property
    def unit(self) -> Unit:
        """The unit of the costs."""
        return self.price.unit

    @property
    def stop(self) -> str:
        """When sampling stops: `fixed`, always after k samples, or `first-pass`."""
        return self.charged.stop

    @property
    def label(self) -> str:
        """The model, with the selection if it is not by tests."""
        return self.model if self.selection == TESTS else f"{self.model} ({self.selection})"

    @property
    def k_max(self) -> int:
        """The largest k for which there are enough recorded samples."""
        return len(self.success)

    @property
    def k(self) -> NDArray[np.int64]:
        """1, 2, ..., k_max."""
        return np.arange(1, self.k_max + 1)

    @property
    def cost(self) -> FloatArray:
        """What at most k samples of one problem cost, shape (k_max,); expected if sampling stops at the first pass."""
        return np.asarray(self.price.per_problem + self.charged.samples[:-1] * self.price.per_sample)

    @property
    def cost_of_more(self) -> float:
        """The total cost with one sample more than was recorded; infinite if no further sample would be generated."""
        return float(self.price.per_problem + self.charged.samples[-1] * self.price.per_sample)

    def __repr__(self) -> str:
        ends = f"{self.success[0]:.1%} with 1 sample" + (
            f", {self.success[-1]:.1%} with {self.k_max:,}" if self.k_max > 1 else ""
        )
        return f"{self.label}: {ends}; {with_unit(self.price.cost(1), self.unit)} a sample"

    def at(self, budget: float) -> Point:
        """The model at one budget (0 or more, finite), with the most samples that it affords."""
        affordable = int(np.searchsorted(self.charged.samples, self.price.samples(budget), side="right"))
        k = min(affordable, self.k_max)
        if k == 0:
            return Point(budget, 0, math.nan, math.nan, math.nan, False, True, "cannot afford one sample")
        success, low, high = (float(values[k - 1]) for values in (self.success, self.low, self.high))
        return Point(budget, k, success, low, high, affordable > self.k_max, k <= self.trusted_k)

    def success_at(self, budgets: FloatArray) -> FloatArray:
        """`at(budget).success` for many budgets, of their shape; NaN where no sample is affordable."""
        paid = np.array([self.price.samples(budget) for budget in budgets.tolist()])
        k = np.minimum(np.searchsorted(self.charged.samples, paid, side="right"), self.k_max)
        return np.where(k > 0, self.success[np.maximum(k, 1) - 1], math.nan)

    def k_to_reach(self, success: float) -> int | None:
        """The fewest samples with at least that success; None if the recorded ones do not reach it."""
        enough = np.flatnonzero(self.success >= success - 1e-12)
        return int(enough[0]) + 1 if len(enough) else None

    def budget_to_reach(self, success: float) -> float:
        """The smallest budget per problem with at least that success, NaN if the recorded samples do not reach it."""
        k = self.k_to_reach(success)
        return math.nan if k is None else float(self.cost[k - 1])


def curve_end(n: NDArray[np.int64]) -> int:
    """The k at which the curve of problems with n samples each ends."""
    return min(int(n.min()), DEEPEST)


def cut_note(models: Sequence[tuple[str, NDArray[np.int64]]]) -> tuple[str, ...]:
    """A note on the models, each with its n, whose curves end before their samples do."""
    more = [name for name, n in models if curve_end(n) < n.min()]
    return (f"Curves end at k = {DEEPEST:,}; {', '.join(more)}: more samples are recorded.",) if more else ()


def curve(counts: ModelCounts, price: SampleCost, bootstrap: Bootstrap | None = None, *, stop: str = FIXED) -> Curve:
    """The pass@k curve of one model: one of k samples passes all tests.

    Args:
        counts: n and c of at least one problem. n may differ; the curve ends at the smallest n, or at `DEEPEST`.
        price: what a sample costs.
        bootstrap: how intervals are computed.
        stop: `fixed` or `first-pass`. With `first-pass`, samples are charged by their own length if the counts list
            every sample with its tokens and the price depends on the tokens, otherwise at the mean price.
    """
    if not counts.task_ids:
        raise InputError(f"{counts.name} has no problems; there is no curve")
    matrix = 1.0 - failure_curve(counts.n, counts.c, curve_end(counts.n))
    charged = _until_the_first_pass(counts, price, matrix) if parse_stop(stop) == FIRST_PASS else None
    return curve_from_matrix(
        counts.name,
        counts.task_ids,
        matrix,
        price,
        selection=TESTS,
        trusted=trusted_k(counts.n),
        charged=charged,
        bootstrap=bootstrap,
    )


def _until_the_first_pass(counts: ModelCounts, price: SampleCost, matrix: FloatArray) -> Charged:
    passed = [was for was in counts.passed if was is not None]
    tokens = [own for own in counts.completion_tokens if own is not None]
    if len(passed) == len(tokens) == len(counts.task_ids) and (amounts := price.of_lengths(tokens)):
        return Charged.by_amounts(matrix, passed, amounts, price.per_sample)
    return Charged.first_pass(matrix)


def curve_from_matrix(
    model: str,
    task_ids: tuple[str, ...],
    matrix: FloatArray,
    price: SampleCost,
    *,
    selection: str,
    trusted: int | None = None,
    charged: Charged | None = None,
    bootstrap: Bootstrap | None = None,
) -> Curve:
    """A curve from the success of each problem at each k, however the sample is chosen.

    Args:
        model: the model's name.
        task_ids: the problems, one per row of `matrix`.
        matrix: shape (problems, k_max), in [0, 1], such as each problem's rank-score curve; NaN is an `InputError`.
        price: what a sample costs.
        bootstrap: how intervals are computed.
        selection: how the sample is chosen, for the label.
        trusted: k up to which the curve is trustworthy, k_max at most; by default half of k_max.
        charged: how many samples are paid for at each k; by default all of them.
    """
    if matrix.ndim != 2 or len(matrix) != len(task_ids) or not matrix.size:
        raise InputError(f"{model}: a matrix of shape {matrix.shape} does not fit {len(task_ids)} problems")
    if not np.all(np.isfinite(matrix)):
        raise InputError(f"{model}: success is not defined for every problem and k; cut the curve at the smallest n")
    if charged is not None and charged.stop == FIRST_PASS and selection != TESTS:
        raise InputError(
            f"{model}: sampling can stop at the first pass only if tests choose; selection by {selection} needs all k"
        )
    bootstrap = bootstrap or Bootstrap()
    low, high = bootstrap_curve(matrix, bootstrap.weights(len(matrix)), bootstrap.level)
    k_max = matrix.shape[1]
    trusted = min(trusted or max(k_max // 2, 1), k_max)
    charged = charged or Charged.fixed(k_max)
    return Curve(model, price, selection, task_ids, matrix, matrix.mean(axis=0), low, high, trusted, charged)
