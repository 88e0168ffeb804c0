"""How far off the guesses beyond the samples are, where the truth is known: the table of docs/estimators.md.

    python benchmarks/extrapolation.py COUNTS.jsonl.gz [--k 1000] [--fitted 40,100,400] [--seed 0] [--json]

COUNTS holds many samples of each problem, such as the counts of Python Programming Puzzles with n = 1000. A random few
of each problem's samples (without replacement: a hypergeometric draw of its count) are fitted by both models of
`isobudget.statistics.extrapolation`, and their guess of pass@k is put beside pass@k of all samples, with its band.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass

import numpy as np

from isobudget.importers.counts import ModelCounts, group_counts, read_counts
from isobudget.statistics.extrapolation import Guess, extrapolate
from isobudget.statistics.pass_at_k import pass_curve

REPLICATES = 200


@dataclass(frozen=True, slots=True)
class Line:
    """One guess beside the truth, in percent. `n` samples of each problem were fitted."""

    name: str
    n: int
    k: int
    model: str
    actual: float
    guess: float
    low: float
    high: float
    held: bool


def lines_of(group: ModelCounts, fitted: list[int], k: int, generator: np.random.Generator) -> list[Line]:
    """Both guesses for each number of fitted samples."""
    actual = 100 * float(pass_curve(group.n, group.c, k)[-1])
    lines = []
    for n in fitted:
        c = generator.hypergeometric(group.c, group.n - group.c, n)
        both = extrapolate(n, c, [k], replicates=REPLICATES)
        lines += [_line(group.name, n, k, actual, guess) for guess in (both.beta_binomial, both.power_law)]
    return lines


def _line(name: str, n: int, k: int, actual: float, guess: Guess) -> Line:
    success, low, high = (100 * float(values[0]) for values in (guess.success, guess.low, guess.high))
    return Line(name, n, k, guess.model, actual, success, low, high, low <= actual <= high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts")
    parser.add_argument("--k", type=int, default=1000)
    parser.add_argument("--fitted", default="40,100,400")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    fitted = [int(n) for n in options.fitted.split(",")]
    generator = np.random.default_rng(options.seed)
    groups = group_counts(read_counts(options.counts)).values()
    lines = [line for group in groups for line in lines_of(group, fitted, options.k, generator)]
    if options.json:
        print(json.dumps([asdict(line) for line in lines], indent=1))
        return
    print(f"{'':40} {'n':>5} {'actual':>7} {'guess':>7}  band")
    for line in lines:
        mark = "" if line.held else "  does not hold it"
        name = f"{line.name}, {line.model}"
        print(f"{name:40} {line.n:5} {line.actual:7.1f} {line.guess:7.1f}  {line.low:.1f}-{line.high:.1f}{mark}")


if __name__ == "__main__":
    main()
