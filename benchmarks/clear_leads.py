"""How often truly equal models are called clearly different, and how often a better one is seen.

    python benchmarks/clear_leads.py --trials 2000

2 to 5 models on the same problems, five budgets (numbers of samples) in a table, all at the same price. Chances to pass
are from Beta(0.6, 0.8). False: all models share them, and the best is called clearly better than another: in a row (the
share of rows), in the sentence (that of `isobudget curves`: a change, or a lead that is not called unclear), in a table
with --simultaneous (the share of tables). Power: the first model's chances are 4 to 12 points higher; the share of its
leads over the others, row by row, that are called clear, by the rows, and by the table as a whole; in brackets by
paired intervals with Bonferroni's correction for the pairs of a row, and for the pairs and rows of a table.
"""

from __future__ import annotations

import argparse
from itertools import combinations
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from isobudget.costs.cost import SampleCost, Unit
from isobudget.curves import Bootstrap, Curve, curve_from_matrix
from isobudget.curves.best import best_at
from isobudget.curves.recommendation import recommend
from isobudget.statistics.intervals import Weights, bootstrap_difference, bootstrap_weights
from isobudget.statistics.pass_at_k import failure_curve
from isobudget.statistics.winners import clear_leads

Floats = NDArray[np.float64]
BUDGETS, REPLICATES = 5, 3000
#: matrices of weights in turn, so that the chance of one of them does not count in all trials
SEEDS = 8
#: problems, samples, and by how much the better model's chances are higher
SETTINGS = ((30, 10, 0.12), (164, 20, 0.04), (164, 5, 0.06))


class Shared(Bootstrap):
    """A bootstrap whose weights are drawn once for each number of problems and seed."""

    drawn: ClassVar[dict[tuple[int, int], Weights]] = {}

    def weights(self, problems: int) -> Weights:
        """The weight matrix, as `Bootstrap` draws it."""
        key = problems, self.seed
        if key not in self.drawn:
            self.drawn[key] = bootstrap_weights(problems, self.replicates, self.seed)
        return self.drawn[key]


def success(rng: np.random.Generator, models: int, problems: int, n: int, lift: float) -> Floats:
    """Success at five numbers of samples, shape (models, problems, 5); the first model's chances are lifted."""
    sizes = np.linspace(1, n, BUDGETS).astype(np.int64)
    chance = rng.beta(0.6, 0.8, problems)
    lifts = [lift, *[0.0] * (models - 1)]
    passed = [rng.binomial(n, np.clip(chance + one, 0, 1)) for one in lifts]
    return np.stack([1 - failure_curve(n, c, n)[:, sizes - 1] for c in passed])


def claims(drawn: Floats, bootstrap: Bootstrap) -> tuple[float, bool, bool]:
    """Of equal models: share of rows with a clear lead, and whether the sentence and the table have one."""
    price = SampleCost(Unit.TOKENS, 1.0, source="all alike")
    tasks = tuple(map(str, range(drawn.shape[1])))
    curves: list[Curve] = [
        curve_from_matrix(f"m{at}", tasks, matrix, price, selection="tests", bootstrap=bootstrap)
        for at, matrix in enumerate(drawn)
    ]
    best = best_at(curves, [float(step) for step in range(1, BUDGETS + 1)], bootstrap)
    segments = recommend(curves, best)
    said = len(segments) > 1 or any(
        len(models) < len(drawn) - 1 for segment in segments for models in segment.unclear_against.values()
    )
    rows = float(np.mean([bool(row.clear_against) for row in best]))
    return rows, said, any(row.clear_at_all_budgets for row in best)


def power(drawn: Floats, bootstrap: Bootstrap) -> Floats:
    """Share of the better model's leads called clear: by rows, by the table, and both by Bonferroni's correction."""
    weights = bootstrap.weights(drawn.shape[1])
    ours = [clear[0, 1:].mean() for clear in clear_leads(drawn, weights)]
    pairs = len(list(combinations(range(len(drawn)), 2)))
    theirs = [
        np.mean([bootstrap_difference(drawn[0], other, weights, 1 - 0.05 / many)[0] > 0 for other in drawn[1:]])
        for many in (pairs, pairs * BUDGETS)
    ]
    return np.array([*ours, *theirs])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=400)
    trials = parser.parse_args().trials
    print("models problems n | false: rows sentences tables | power: rows (Bonferroni) table (Bonferroni)", flush=True)
    for models in (2, 3, 4, 5):
        for problems, n, lift in SETTINGS:
            rng = np.random.default_rng(1000 * models + problems + n)
            seeds = [Shared(replicates=REPLICATES, seed=seed) for seed in range(SEEDS)]
            drawn = ((success(rng, models, problems, n, 0.0), seeds[trial % SEEDS]) for trial in range(trials))
            false = np.mean([claims(*one) for one in drawn], axis=0)
            drawn = ((success(rng, models, problems, n, lift), seeds[trial % SEEDS]) for trial in range(trials // 4))
            seen = [power(*one) for one in drawn]
            rows, table, other_rows, other_table = np.mean(seen, axis=0)
            shares = " ".join(f"{share:.1%}" for share in false)
            print(
                f"{models} {problems} {n} | {shares} | {rows:.1%} ({other_rows:.1%}) {table:.1%} ({other_table:.1%})",
                flush=True,
            )


if __name__ == "__main__":
    main()
