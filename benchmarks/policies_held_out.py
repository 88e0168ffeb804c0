"""How far what a plan states holds on problems that it was not made from.

    python benchmarks/policies_held_out.py gain COUNTS PRICES [--benchmark NAME] [--splits 30]
    python benchmarks/policies_held_out.py stated COUNTS PRICES [--splits 1000] [--folder]
    python benchmarks/policies_held_out.py truth [--trials 1000]

COUNTS is a file as `isobudget curves` reads it, PRICES a list such as 8B=1,70B=9.24 (a part of each model's name).

gain:   learned on a random half of the problems, measured on the other at equal expected spending, in points over the
        best single model with fixed k: chosen on the first half ("honest") and in hindsight on the second.
stated: success that the plan of one half states, with its interval, against what its schedule achieves on the other
        half: inside the interval widened by sqrt(2), as both halves are noisy. And never worse: what is recommended
        against the best fixed k in hindsight, less half the width of the difference's interval.
truth:  problems and samples drawn from a known distribution: does the interval hold the true success of the plan's
        schedule on all problems?
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from isobudget.curves import Bootstrap, common_counts
from isobudget.importers.counts import group_counts, read_counts
from isobudget.policies.arms import Arm, Table, arm_grid, fit_prior, recorded_table, shrunk_table
from isobudget.policies.choose import PlanRow, plan_rows, recommend
from isobudget.policies.evaluate import evaluate, mean_walk, walk
from isobudget.policies.learn import Learned, Policy, best_fixed, learn
from isobudget.policies.make import greedy_path
from isobudget.statistics.intervals import bootstrap_difference, effective_problems

Floats = NDArray[np.float64]

#: in samples of the dearest arm
BUDGETS = (0.5, 1.0, 2.0, 4.0, 8.0)
POLICIES = (Policy.FIXED_K, Policy.FIRST_PASS, Policy.CASCADE, Policy.GREEDY)


def read_arms(path: str, prices: str, benchmark: str | None) -> list[Arm]:
    wanted = dict(one.split("=") for one in prices.split(","))
    groups = [one for one in group_counts(read_counts(path)).values() if benchmark in (None, one.benchmark)]
    models, _ = common_counts(groups)
    arms = []
    for counts in models:
        name = next(part for part in sorted(wanted, key=len, reverse=True) if part.lower() in counts.name.lower())
        arms.append(Arm.of(name, counts.n, counts.c, float(wanted[name])))
    return arms


def halves(arms: list[Arm], splits: int) -> Iterator[tuple[list[Arm], list[Arm]]]:
    problems = len(arms[0].c)
    for seed in range(splits):
        order = np.random.default_rng(seed).permutation(problems)
        first, second = order[: problems // 2], order[problems // 2 :]
        yield [arm.only(first) for arm in arms], [arm.only(second) for arm in arms]


def at(tables: list[Table], path: object, budget: float) -> float:
    cost, success = mean_walk(walk(tables, path))  # type: ignore[arg-type]
    return float(np.interp(budget, cost, success))


def gain(arms: list[Arm], splits: int) -> None:
    dearest = max(arm.first_draw for arm in arms)
    rows: dict[float, list[list[float]]] = defaultdict(list)
    for first, second in halves(arms, splits):
        shrunk = [shrunk_table(one, arm_grid(arm), fit_prior(one)) for one, arm in zip(first, arms, strict=True)]
        own = [recorded_table(one, arm_grid(arm)) for one, arm in zip(first, arms, strict=True)]
        held = [recorded_table(one, arm_grid(arm)) for one, arm in zip(second, arms, strict=True)]
        for number in BUDGETS:
            budget = number * dearest
            chosen = best_fixed(first, budget).schedule
            assert chosen is not None
            honest = float(evaluate(chosen, second).success.mean())
            hindsight = float(best_fixed(second, budget).success.mean())
            greedy = at(held, greedy_path(shrunk, budget), budget)
            usable = [place for place, arm in enumerate(arms) if arm.first_draw <= budget * 1.000001]
            best = max(usable, key=lambda place: at([own[place]], greedy_path([own[place]], budget), budget))
            single = at([held[best]], greedy_path([own[best]], budget), budget)
            rows[number].append([greedy - honest, single - honest, greedy - hindsight, single - hindsight])
    print(f"{splits} half splits of {len(arms[0].c)} problems, points over the best single model with fixed k")
    print("budget in samples of the dearest; greedy, stopping: honest; greedy, stopping: in hindsight")
    for number, values in rows.items():
        means = 100 * np.mean(values, axis=0)
        print(f"{number:>6} " + " ".join(f"{mean:+6.1f}" for mean in means))


def stated(arms: list[Arm], splits: int, replicates: int) -> None:
    dearest = max(arm.first_draw for arm in arms)
    budgets = [number * dearest for number in BUDGETS]
    inside: dict[tuple[str, float], list[bool]] = defaultdict(list)
    worse: dict[float, list[float]] = defaultdict(list)
    apart: dict[float, list[tuple[float, float, float]]] = defaultdict(list)
    for first, second in halves(arms, splits):
        bootstrap = Bootstrap(replicates=replicates)
        learned, rows, picked = _planned(first, budgets, bootstrap)
        weights = bootstrap.weights(len(second[0].c))
        for place, (own, policy) in enumerate(zip(rows, picked, strict=True)):
            for row in own:
                assert row.schedule is not None
                held = evaluate(row.schedule, second).success
                low = row.success - np.sqrt(2) * (row.success - row.low)
                high = row.success + np.sqrt(2) * (row.high - row.success)
                here = bool(low - 1e-12 <= held.mean() <= high + 1e-12)
                inside[row.policy, BUDGETS[place]].append(here)
                if row.policy == policy:
                    inside["recommended", BUDGETS[place]].append(here)
                    success = learned[Policy(policy)][place].success
                    error = float(success.std(ddof=1)) / np.sqrt(len(success))
                    decide = float(effective_problems(1.0 - success[:, np.newaxis])[0])
                    apart[BUDGETS[place]].append((row.success - float(held.mean()), error, decide))
                    fixed = best_fixed(second, budgets[place]).success
                    _, most = bootstrap_difference(held[:, np.newaxis], fixed[:, np.newaxis], weights)
                    worse[BUDGETS[place]].append(float(most[0] < 0))
    print(f"{splits} half splits of {len(arms[0].c)} problems: held-out success inside the stated interval x sqrt(2)")
    names = list(dict.fromkeys(policy for policy, _ in inside))
    print(
        "budget  " + " ".join(f"{name:>12}" for name in names) + "  spread  decide  clearly below fixed k in hindsight"
    )
    for number in BUDGETS:
        shares = " ".join(f"{100 * np.mean(inside[name, number]):11.1f}%" for name in names)
        differences, errors, decide = np.array(apart[number]).T
        spread = differences.std() / (np.sqrt(2) * errors.mean()) if errors.any() else np.nan
        print(f"{number:>6}  {shares}  {spread:6.2f}  {decide.mean():6.1f}  {100 * np.mean(worse[number]):.1f}%")


def _planned(
    arms: list[Arm], budgets: list[float], bootstrap: Bootstrap
) -> tuple[dict[Policy, list[Learned]], list[list[PlanRow]], list[Policy | None]]:
    learned = learn(arms, budgets, POLICIES)
    weights = bootstrap.weights(len(arms[0].c))
    rows = plan_rows(
        learned, learned[Policy.FIXED_K], arms, weights, level=bootstrap.level, unit="flops", suite="tests"
    )
    return learned, rows, recommend(learned, weights, level=bootstrap.level)


def truth(trials: int, problems: int, replicates: int) -> None:
    """Rates of two models by a Gaussian copula (0.85), 30 samples each; the truth on 20,000 other problems."""
    from scipy.stats import beta, norm

    prices, shapes, n = (1.0, 6.0), ((0.6, 1.0), (1.0, 0.8)), 30
    budgets = [2.0, 4.0, 8.0, 16.0]
    rng = np.random.default_rng(0)

    def rates(count: int) -> list[Floats]:
        common = rng.standard_normal(count)
        normal = [np.sqrt(0.85) * common + np.sqrt(0.15) * rng.standard_normal(count) for _ in prices]
        return [beta.ppf(norm.cdf(one), *shape) for one, shape in zip(normal, shapes, strict=True)]

    everything = rates(20_000)
    inside: dict[str, list[list[bool]]] = defaultdict(list)
    for _ in range(trials):
        own = rates(problems)
        arms = [
            Arm.of(name, n, rng.binomial(n, rate), price) for name, rate, price in zip("ab", own, prices, strict=True)
        ]
        _, rows, picked = _planned(arms, budgets, Bootstrap(replicates=replicates))
        results = defaultdict(list)
        for per_budget, policy in zip(rows, picked, strict=True):
            for row in per_budget:
                assert row.schedule is not None
                fail = np.zeros(len(everything[0]))
                parts = [(row.schedule.chosen(0.0), row.schedule.last_share)]
                if row.schedule.last_share < 1:
                    parts.append((row.schedule.shorter(), 1 - row.schedule.last_share))
                for schedule, share in parts:
                    counts = schedule.counts()
                    powers = [(1 - rate) ** counts.get(name, 0) for name, rate in zip("ab", everything, strict=True)]
                    fail += share * np.multiply.reduce(powers)
                true = 1 - float(fail.mean())
                here = row.low <= true <= row.high
                results[row.policy].append(here)
                if row.policy == policy:
                    results["recommended"].append(here)
        for name, values in results.items():
            inside[name].append(values)
    print(
        f"{trials} trials, {problems} problems, n = {n}: true success of the plan's schedule inside its 95 % interval"
    )
    print("budget  " + " ".join(f"{name:>12}" for name in inside))
    for place, budget in enumerate(budgets):
        print(
            f"{budget:>6}  " + " ".join(f"{100 * np.mean([one[place] for one in v]):11.1f}%" for v in inside.values())
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("gain", "stated", "truth"))
    parser.add_argument("counts", nargs="?")
    parser.add_argument("prices", nargs="?")
    parser.add_argument("--benchmark")
    parser.add_argument("--splits", type=int)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--problems", type=int, default=100)
    parser.add_argument("--replicates", type=int, default=2000)
    options = parser.parse_args()
    if options.what == "truth":
        truth(options.trials, options.problems, options.replicates)
        return
    arms = read_arms(options.counts, options.prices, options.benchmark)
    if options.what == "gain":
        gain(arms, options.splits or 30)
    else:
        stated(arms, options.splits or 1000, options.replicates)


if __name__ == "__main__":
    main()
