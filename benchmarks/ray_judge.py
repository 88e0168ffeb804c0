"""Speed of the judge on a local Ray cluster beside the same judge without Ray: two workers each, taking turns.

    python benchmarks/ray_judge.py [--samples 100000] [--turns 20] [--json]

HumanEval's canonical solutions, over and over, a share of them wrong. Both judges are started before anything is timed,
and their starts are told apart. Every turn judges the same programs by the one and by the other, in changing order; the
verdicts have to be the same. The figure is the median over the turns of Ray's throughput over the local one.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from typing import Any

from isobudget.cluster.connect import connected
from isobudget.cluster.executor import Cluster
from isobudget.judge import Judge
from isobudget.problems import load_benchmark
from isobudget.problems.problem import Problem
from isobudget.progress import SILENT

WORKERS = 2


def programs(count: int) -> Iterator[tuple[Problem, str]]:
    """So many programs: each problem's reference several times in a row, every fifth of them broken."""
    problems = load_benchmark("humaneval").problems
    for at in range(count):
        problem = problems[at * len(problems) // count]
        yield problem, problem.program(problem.reference or "") + ("\nraise ValueError\n" if at % 5 == 0 else "")


def turn(judge: Judge, count: int) -> tuple[float, list[str]]:
    """Seconds and outcomes."""
    begun = time.perf_counter()
    outcomes = [verdict.outcome.value for verdict in judge.run(programs(count))]
    return time.perf_counter() - begun, outcomes


def measure(samples: int, turns: int) -> dict[str, Any]:
    """All turns."""
    count, begun = samples // turns, time.perf_counter()
    with connected("local", cpus=WORKERS) as ray:
        starts = {"ray": time.perf_counter() - begun}
        local, remote = Judge(WORKERS), Cluster(lambda: ray, None, SILENT, "local").judge(WORKERS)
        begun = time.perf_counter()
        with remote:
            starts["ray_actors"] = time.perf_counter() - begun
            begun = time.perf_counter()
            with local:
                starts["local"] = time.perf_counter() - begun
                seconds: dict[str, list[float]] = {"local": [], "ray": []}
                same = True
                for number in range(turns):
                    found = {}
                    for name in ("local", "ray") if number % 2 else ("ray", "local"):
                        took, found[name] = turn(local if name == "local" else remote, count)
                        seconds[name].append(took)
                    same &= found["local"] == found["ray"]
    ratios = [one / other for one, other in zip(seconds["local"], seconds["ray"], strict=True)]
    return {
        "samples": count * turns,
        "starts_seconds": starts,
        "samples_per_second": {name: count * turns / sum(each) for name, each in seconds.items()},
        "ratio": statistics.median(ratios),
        "ratios": [min(ratios), max(ratios)],
        "same_verdicts": same,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = measure(asked.samples, asked.turns)
    if asked.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
