"""How long a plan takes, and how much memory: 5,000 problems, four models, 1,000 samples each, 20 budgets.

    python benchmarks/policies_speed.py [--problems 5000] [--models 4] [--samples 1000] [--budgets 20]

The counts are made up and written to a COUNTS file first; the time is that of `isobudget.api.plan` alone, reading it.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from isobudget import api


def write_counts(path: Path, problems: int, models: int, samples: int) -> None:
    rng = np.random.default_rng(0)
    common = rng.standard_normal(problems)
    with path.open("w") as file:
        for model in range(models):
            own = common + 0.5 * rng.standard_normal(problems) + model - 2.0
            passed = rng.binomial(samples, 1 / (1 + np.exp(-1.7 * own)))
            for task, c in enumerate(passed.tolist()):
                file.write(json.dumps({"model": f"m{model}", "task_id": task, "n": samples, "c": c}) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("problems", 5000), ("models", 4), ("samples", 1000), ("budgets", 20)):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        counts, costs = Path(folder) / "counts.jsonl", Path(folder) / "costs.toml"
        write_counts(counts, options.problems, options.models, options.samples)
        costs.write_text("".join(f"[models.m{model}]\nflops = {3.0**model}\n" for model in range(options.models)))
        budgets = np.geomspace(1, 1000, options.budgets).tolist()
        start, busy = time.perf_counter(), time.process_time()
        made = api.plan(counts, budget=budgets, costs=str(costs))
        seconds, busy = time.perf_counter() - start, time.process_time() - busy
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(made.rows)} rows in {seconds:.1f} s ({busy:.1f} s of processor time), {memory:,.0f} MB at most")


if __name__ == "__main__":
    main()
