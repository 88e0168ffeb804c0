"""How often truly equal models are called clearly different, in rows and whole tables, and a better one is seen.

    python benchmarks/clear_leads.py --trials 2000

Problems have chances to pass from Beta(0.6, 0.8); all models share them, and have n samples each. Five budgets (numbers
of samples) make a table. The better model's chances are 12 points higher.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from isobudget.statistics.intervals import Weights, bootstrap_weights
from isobudget.statistics.pass_at_k import failure_curve
from isobudget.statistics.winners import clear_leads

Floats = NDArray[np.float64]
LIFT = 0.12


def success(rng: np.random.Generator, models: int, problems: int, n: int, lift: float) -> Floats:
    """Success at five numbers of samples, shape (models, problems, 5); the first model's chances are lifted."""
    ks = np.unique(np.linspace(1, n, 5).astype(int))
    chance = rng.beta(0.6, 0.8, problems)
    lifts = [lift, *[0.0] * (models - 1)]
    passed = [rng.binomial(n, np.clip(chance + one, 0, 1)) for one in lifts]
    return np.stack([1 - failure_curve(n, c, int(ks[-1]))[:, ks - 1] for c in passed])


def shares(models: int, problems: int, n: int, trials: int, weights: Weights, lift: float) -> tuple[float, float]:
    """Share of rows, and of tables, in which the best model is called clearly better than another."""
    rng = np.random.default_rng(1000 * models + problems + n)
    rows = tables = 0.0
    for _ in range(trials):
        drawn = success(rng, models, problems, n, lift)
        best = drawn.mean(axis=1).argmax(axis=0)
        in_row, in_table = clear_leads(drawn, weights)
        places = range(len(best))
        rows += float(np.mean([in_row[best[at], :, at].any() for at in places]))
        tables += any(in_table[best[at], :, at].any() for at in places)
    return rows / trials, tables / trials


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=400)
    trials = parser.parse_args().trials
    print("models problems n: false in rows, in tables; power in rows, in tables")
    for models in (2, 3, 5):
        for problems, n in ((30, 10), (164, 20), (164, 5)):
            weights = bootstrap_weights(problems, 2000)
            false = shares(models, problems, n, trials, weights, 0.0)
            power = shares(models, problems, n, max(trials // 3, 1), weights, LIFT)
            print(f"{models} {problems} {n}:", *(f"{share:.1%}" for share in (*false, *power)), flush=True)


if __name__ == "__main__":
    main()
