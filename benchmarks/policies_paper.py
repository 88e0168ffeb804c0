"""What mixing sizes would have gained on the paper's tables, which give pass@k and no counts per problem.

    python benchmarks/policies_paper.py [--correlation 0.85] [--problems 4000] [--seed 0] [--family Llama-3] [--json]

For each model a mixture of Beta distributions of the problems' rates is fitted to its published pass@k (least squares
with weights that are not negative; the residual is printed). Models are joined by a Gaussian copula: the same problem
tends to be hard for all of them. Half of the problems so drawn teach the policies, the other half measures them, at
equal expected flops of Table 1, with the true rates in place of counts. A model of the tables, not a measurement: the
correlation is assumed.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.special import betaln
from scipy.stats import beta as beta_distribution
from scipy.stats import norm

from isobudget.costs.cost import Unit
from isobudget.paper.tables import PassTable, paper_cost, pass_tables
from isobudget.policies.arms import Table, count_grid
from isobudget.policies.evaluate import mean_walk, walk
from isobudget.policies.make import greedy_path, optimal_paths

Floats = NDArray[np.float64]

#: in samples of the cheapest and of the dearest model
BUDGETS = (1, 2, 4, 8, 16, 32, 64)
#: draws that a table of rates goes up to
MOST_DRAWS = 8000


@dataclass(frozen=True, slots=True)
class Mixture:
    """Beta distributions with weights that add up to 1; `residual` is the largest miss of pass@k, in points."""

    a: Floats
    b: Floats
    weights: Floats
    residual: float

    def rates(self, uniform: Floats) -> Floats:
        """The quantiles of the mixture."""
        grid = np.concatenate([np.geomspace(1e-9, 0.5, 4000), 1 - np.geomspace(0.5, 1e-6, 2000)[1:]])
        cdf = sum(w * beta_distribution.cdf(grid, a, b) for a, b, w in zip(self.a, self.b, self.weights, strict=True))
        return np.asarray(np.interp(uniform, np.maximum.accumulate(cdf), grid))


def fit(k: Floats, percent: Floats) -> Mixture:
    """Weights of Beta distributions of many shapes, by least squares."""
    means, sizes = np.meshgrid(
        np.concatenate([np.geomspace(5e-4, 0.5, 40), 1 - np.geomspace(0.4, 0.01, 12)]), (0.7, 2, 8, 40)
    )
    a, b = (means * sizes).ravel(), ((1 - means) * sizes).ravel()
    passes = 1 - np.exp(betaln(a, b + k[:, np.newaxis]) - betaln(a, b))
    whole = 1000.0  # holds the sum of the weights to 1
    weights, _ = nnls(np.vstack([passes, whole * np.ones(len(a))]), np.append(percent / 100, whole))
    weights /= weights.sum()
    residual = float(np.abs(passes @ weights * 100 - percent).max())
    used = weights > 0
    return Mixture(a[used], b[used], weights[used], residual)


def rate_table(rates: Floats, price: float) -> Table:
    """The table of an arm whose rates are known."""
    points = count_grid(MOST_DRAWS)
    survival = (1 - rates) ** points[:, np.newaxis]
    draws = (1 - survival) / np.maximum(rates, 1e-12)
    return Table(points, survival, price * draws)


def fixed_best(rates: list[Floats], prices: list[float], budget: float) -> float:
    """The best single model with as many samples as the budget pays for."""
    ks = [int(budget * (1 + 1e-9) // price) for price in prices]
    return max(float(1 - np.mean((1 - own) ** k)) for own, k in zip(rates, ks, strict=True))


def at(tables: list[Table], path: object, budget: float) -> float:
    cost, success = mean_walk(walk(tables, path))  # type: ignore[arg-type]
    return float(np.interp(budget, cost, success))


def measure(table: PassTable, family: str, correlation: float, problems: int, seed: int) -> dict[str, object]:
    """Gains at every budget, in points over the best single model with fixed k."""
    models = [model for model in table.percent if model.startswith(family)]
    k = np.array(table.k, dtype=np.float64)
    fits = [fit(k[: len(table.percent[m])], np.array(table.percent[m])) for m in models]
    prices = [cost.per_sample for m in models if (cost := paper_cost(m, Unit.FLOPS)) is not None]
    rng = np.random.default_rng(seed)
    common = rng.standard_normal(2 * problems)
    own = rng.standard_normal((len(models), 2 * problems))
    uniform = norm.cdf(np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own)
    rates = [mixture.rates(row) for mixture, row in zip(fits, uniform, strict=True)]
    taught = [rate_table(one[:problems], price) for one, price in zip(rates, prices, strict=True)]
    tested = [rate_table(one[problems:], price) for one, price in zip(rates, prices, strict=True)]
    held_out = [one[problems:] for one in rates]
    gains: dict[str, dict[str, list[float]]] = {}
    for name, unit in (("of the cheapest", prices[0]), ("of the dearest", prices[-1])):
        rows: dict[str, list[float]] = {"greedy": [], "first pass": [], "fixed": []}
        for budget in (unit * number for number in BUDGETS):
            base = fixed_best(held_out, prices, budget)
            single = [
                at([one], greedy_path([own], budget), budget)
                for one, own in zip(tested, taught, strict=True)
                if own.spent[1].mean() <= budget * 1.000001
            ]
            rows["fixed"].append(100 * base)
            rows["first pass"].append(100 * (max(single) - base))
            rows["greedy"].append(100 * (at(tested, greedy_path(taught, budget), budget) - base))
        gains[name] = rows
    residuals = {model: one.residual for model, one in zip(models, fits, strict=True)}
    behind = optimality([taught[0], taught[-1]], [prices[0] * number for number in (*BUDGETS, 128, 256)])
    return {
        "benchmark": table.benchmark,
        "family": family,
        "residual": residuals,
        "gains": gains,
        "behind_optimal": max(behind),
    }


def optimality(tables: list[Table], budgets: list[float]) -> list[float]:
    """How far greedy stays behind the optimal order of the same arms on the same problems, in points."""
    paths = optimal_paths(tables, budgets)
    behind = []
    for budget, path in zip(budgets, paths, strict=True):
        cost, success = mean_walk(walk(tables, path))
        behind.append(100 * (float(success[-1]) - at(tables, greedy_path(tables, budget), float(cost[-1]))))
    return behind


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--correlation", type=float, default=0.85)
    parser.add_argument("--problems", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--family", default="Code Llama")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = [
        measure(table, options.family, options.correlation, options.problems, options.seed)
        for table in pass_tables()
        if any(model.startswith(options.family) for model in table.percent)
    ]
    if options.json:
        print(json.dumps(found))
        return
    for one in found:
        worst = max(one["residual"].values())  # type: ignore[attr-defined]
        print(f"{one['benchmark']}, {one['family']}: residual at most {worst:.2f} points")
        print(
            f"  smallest and largest alone: greedy at most {one['behind_optimal']:.2f} points behind the optimal order"
        )
        for name, rows in one["gains"].items():  # type: ignore[attr-defined]
            print(f"  samples {name:<15} " + " ".join(f"{number:>6}" for number in BUDGETS) + "   mean")
            for policy, values in rows.items():
                print(f"    {policy:<19} " + " ".join(f"{value:6.1f}" for value in values) + f" {np.mean(values):6.1f}")


if __name__ == "__main__":
    main()
