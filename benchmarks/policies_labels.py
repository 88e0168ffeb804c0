"""What a label of the problems is worth: one order for each label (`by_label`) against one order for all (`greedy`).

    python benchmarks/policies_labels.py humaneval HUMANEVAL.jsonl MODEL=PRICE=FILE... [--splits 30]
    python benchmarks/policies_labels.py apps [--problems 1000] [--samples 20] [--splits 10]

humaneval: files of graded samples; the label is which third of the problems the prompt belongs to by its length.
apps:      three difficulties in the shares of the APPS test set, rates drawn from Beta mixtures that are fitted to the
           paper's tables and joined by a Gaussian copula (0.85), then counts of so many samples; Table 1's flops. A
           model of the tables, not a measurement.

Learned on a random half of the problems, measured on the other at equal expected spending; mean points and the standard
error over splits.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray
from policies_paper import fit
from scipy.stats import norm

from isobudget.costs.cost import Unit
from isobudget.curves import common_counts
from isobudget.files.jsonl import read_numbered
from isobudget.importers.counts import group_counts, read_counts
from isobudget.paper.tables import paper_cost, pass_tables
from isobudget.policies.arms import Arm, arm_grid, fit_prior, recorded_table, shrunk_table
from isobudget.policies.evaluate import mean_walk, walk
from isobudget.policies.labels import Labels, recorded_by_label, shrunk_by_label
from isobudget.policies.make import greedy_path

#: in samples of the cheapest arm
BUDGETS = (1, 2, 4, 8, 16, 32)
DIFFICULTIES = {"introductory": 0.2, "interview": 0.6, "competition": 0.2}


def read_humaneval(problems: str, files: list[str]) -> tuple[list[Arm], list[str]]:
    lengths = {str(one["task_id"]): len(str(one["prompt"])) for _, one in read_numbered(problems)}
    cuts = np.quantile(list(lengths.values()), [1 / 3, 2 / 3])
    given = [one.split("=") for one in files]
    groups = [next(iter(group_counts(read_counts(path)).values())) for _, _, path in given]
    models, _ = common_counts(groups)
    arms = [Arm.of(name, one.n, one.c, float(price)) for (name, price, _), one in zip(given, models, strict=True)]
    return arms, [str(np.searchsorted(cuts, lengths[task])) for task in models[0].task_ids]


def draw_apps(problems: int, samples: int, family: str = "Code Llama") -> tuple[list[Arm], list[str]]:
    rng = np.random.default_rng(0)
    rates: dict[str, list[NDArray[np.float64]]] = {}
    labels: list[str] = []
    for table in pass_tables():
        difficulty = next((one for one in DIFFICULTIES if one in table.benchmark.lower()), None)
        if difficulty is None or not any(model.startswith(family) for model in table.percent):
            continue
        count = round(DIFFICULTIES[difficulty] * problems)
        labels += [difficulty] * count
        common = rng.standard_normal(count)
        for model in (one for one in table.percent if one.startswith(family)):
            own = np.sqrt(0.85) * common + np.sqrt(0.15) * rng.standard_normal(count)
            percent = np.array(table.percent[model])
            mixture = fit(np.array(table.k[: len(percent)], dtype=np.float64), percent)
            rates.setdefault(model, []).append(mixture.rates(norm.cdf(own)))
    arms = []
    for model, parts in rates.items():
        cost = paper_cost(model, Unit.FLOPS)
        assert cost is not None
        arms.append(Arm.of(model, samples, rng.binomial(samples, np.concatenate(parts)), cost.per_sample))
    return arms, labels


def measure(arms: list[Arm], labels: Labels, splits: int) -> None:
    cheapest = min(arm.first_draw for arm in arms)
    gains: dict[int, list[float]] = {number: [] for number in BUDGETS}
    plain: dict[int, list[float]] = {number: [] for number in BUDGETS}
    grids = [arm_grid(arm) for arm in arms]
    for seed in range(splits):
        order = np.random.default_rng(seed).permutation(len(labels.of))
        train, out = order[: len(order) // 2], order[len(order) // 2 :]
        first, second = [arm.only(train) for arm in arms], [arm.only(out) for arm in arms]
        shrunk = [shrunk_table(arm, grid, fit_prior(arm)) for arm, grid in zip(first, grids, strict=True)]
        told = shrunk_by_label(first, grids, labels.only(train))
        held = [recorded_table(arm, grid) for arm, grid in zip(second, grids, strict=True)]
        held_told = recorded_by_label(held, labels.only(out))
        for number in BUDGETS:
            budget = number * cheapest
            success = []
            for taught, tested in ((shrunk, held), (told, held_told)):
                cost, reached = mean_walk(walk(tested, greedy_path(taught, budget)))
                success.append(100 * float(np.interp(budget, cost, reached)))
            plain[number].append(success[0])
            gains[number].append(success[1] - success[0])
    names = ", ".join(f"{name}: {int(np.sum(labels.of == at))}" for at, name in enumerate(labels.names))
    print(f"{len(labels.of)} problems ({names}), {splits} splits; budget in samples of the cheapest")
    for number in BUDGETS:
        own = np.array(gains[number])
        print(
            f"{number:>6}  greedy {np.mean(plain[number]):5.1f}  by label {own.mean():+5.2f} +- "
            f"{own.std(ddof=1) / np.sqrt(len(own)):.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("humaneval", "apps"))
    parser.add_argument("files", nargs="*")
    for name, value in (("splits", 30), ("problems", 1000), ("samples", 20)):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    if options.what == "apps":
        arms, labels = draw_apps(options.problems, options.samples)
    else:
        arms, labels = read_humaneval(options.files[0], options.files[1:])
    measure(arms, Labels.of_problems(labels), options.splits)


if __name__ == "__main__":
    main()
