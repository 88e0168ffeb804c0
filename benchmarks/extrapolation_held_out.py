"""How often the band of an extrapolation holds what the samples that were not fitted say.

    python benchmarks/extrapolation_held_out.py DATA [--splits 5]
    python benchmarks/extrapolation_held_out.py --simulated

DATA is a folder of public results with many samples a problem: p3 (1,000), codegen16b and evalperf (100). A random part
of each problem's samples is fitted (a hypergeometric draw of its count, in codegen16b the first ones in their order);
pass@k is then guessed at several k beyond them and held against the unbiased estimate from the samples that are left,
which has an error of its own. Shown for each number of fitted samples and each k / n: in how many cases each guess's
band held it, and by how many points the guess was too high on average. `--simulated`: instead, with known chances of
164 problems, of which a share cannot be solved at all.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isobudget.importers.counts import ModelCounts, group_counts, read_counts
from isobudget.statistics.extrapolation import extrapolate
from isobudget.statistics.pass_at_k import pass_curve

FILES = ("p3", "codegen16b", "evalperf")
FITTED, TIMES = (10, 20, 40, 100), (2, 4, 8)
Ints = NDArray[np.int64]


def groups(data: Path) -> Iterator[ModelCounts]:
    """Every model of the files."""
    for folder in FILES:
        for path in sorted((data / folder).glob("*.jsonl*")):
            if "samples" not in path.name:
                yield from group_counts(read_counts(path)).values()


def first_passes(group: ModelCounts, n: int, rng: np.random.Generator, split: int) -> Ints:
    """How many of n samples passed: of the first ones in the first split where their order is known, else of any."""
    if split == 0 and all(was is not None for was in group.passed):
        return np.array([sum(was[:n]) for was in group.passed if was is not None])
    return rng.hypergeometric(group.c, group.n - group.c, n)


def simulate() -> None:
    """By how many points both guesses are too high where some problems cannot be solved, and how often bands hold."""
    rng = np.random.default_rng(0)
    print("share that cannot be solved, chances, fitted: points too high and held, for beta-binomial, power law")
    for share in (0.0, 0.1, 0.2, 0.4):
        for a, b, n in ((a, b, n) for a, b in ((0.5, 1), (0.3, 3), (1, 2)) for n in (20, 100)):
            off, held = [], []
            for _ in range(12):
                chance = np.where(rng.random(164) < share, 0.0, rng.beta(a, b, 164))
                truth = np.mean(1 - (1 - chance) ** (16 * n))
                both = extrapolate(n, rng.binomial(n, chance), [16 * n], replicates=100)
                guesses = both.beta_binomial, both.power_law
                off.append([100 * (one.success[0] - truth) for one in guesses])
                held.append([one.low[0] <= truth <= one.high[0] for one in guesses])
            points, shares = np.nanmean(off, axis=0), np.mean(held, axis=0)
            print(f"{share} Beta({a}, {b}) {n}:", *(f"{x:+.1f} {y:.0%}" for x, y in zip(points, shares, strict=True)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--simulated", action="store_true")
    parser.add_argument("--splits", type=int, default=5)
    options = parser.parse_args()
    if options.simulated or options.data is None:
        simulate()
        return
    rng, cases = np.random.default_rng(0), defaultdict(list)
    for group in groups(options.data):
        for n in FITTED:
            sizes = [n * times for times in TIMES if n * times <= int(group.n.min()) - n]
            for split in range(options.splits if sizes else 0):
                c = first_passes(group, n, rng, split)
                truth = pass_curve(group.n - n, group.c - c, sizes[-1])[np.array(sizes) - 1]
                guesses = extrapolate(n, c, sizes)
                for guess in (guesses.beta_binomial, guesses.power_law):
                    held = (guess.low <= truth) & (truth <= guess.high)
                    for size, ok, off in zip(sizes, held, guess.success - truth, strict=True):
                        cases[guess.model, n, size // n].append((ok, 100 * off, group.name))
    print("guess, fitted, k / n: cases, held, points too high: mean, least, most")
    for (model, n, times), found in sorted(cases.items()):
        held, off = np.array([one[0] for one in found]), np.array([one[1] for one in found])
        print(
            f"{model} {n} {times}: {len(found)}, {held.mean():.0%}, {off.mean():+.1f} {off.min():+.1f} {off.max():+.1f}"
        )
    for model in sorted({key[0] for key in cases}):
        every = [one for key, found in cases.items() if key[0] == model for one in found]
        held, off = np.mean([one[0] for one in every]), np.mean([one[1] for one in every])
        print(f"{model}, all {len(every)} cases: held {held:.1%}, {off:+.2f} points too high")
        for name in dict.fromkeys(one[2] for one in every):
            own = [one for one in every if one[2] == name]
            print(f"  {name}: held {np.mean([one[0] for one in own]):.1%}, {np.mean([one[1] for one in own]):+.2f}")


if __name__ == "__main__":
    main()
