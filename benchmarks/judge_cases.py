"""How the judge does on cases whose right verdict is known: `want` and what it says, group by group.

    python benchmarks/judge_cases.py FOLDER [--verbose] [--json]

FOLDER holds GROUP.problems.jsonl and GROUP.samples.jsonl: own problems, and samples with the field `want`. A file
`livecodebench-format.jsonl` beside them is judged on the programs below. The last line counts the groups together.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from isobudget.errors import IsobudgetError
from isobudget.judge import Judge, Limits
from isobudget.problems import load_benchmark
from isobudget.problems.problem import Problem

PAIRWISE = (
    "class Solution:\n    def solve(self, a: List[int]) -> int:\n        return sum(x + y for x, y in pairwise(a))\n"
)
DEPTH = "def depth(n):\n    return 0 if n == 0 else 1 + depth(n - 1)\n"
#: problem, program, verdict as LiveCodeBench's own judge gives it
LIVECODEBENCH = (
    ("sumsq", "n = int(input())\nprint(sum(i * i for i in range(1, n + 1)))\n", "passed"),
    ("sumsq", "n = int(input())\nprint(sum(i * i for i in range(1, n + 1)) + 1)\n", "failed"),
    ("gcdp", "a, b = map(int, input().split())\nprint(gcd(a, b))\n", "passed"),
    ("rec", DEPTH + "print(depth(int(input())))\n", "passed"),
    ("pairw", PAIRWISE, "passed"),
    ("recf", "class Solution:\n    def solve(self, n):\n        return n and 1 + self.solve(n - 1)\n", "passed"),
    ("flo", "class Solution:\n    def solve(self, a):\n        return sum(a) / len(a)\n", "failed"),
    ("flo", "class Solution:\n    def solve(self, a):\n        return round(sum(a) / len(a), 9)\n", "passed"),
    ("exit1", "import sys\nprint(input())\nsys.exit(1)\n", "passed"),
)


def groups(folder: Path) -> Iterator[tuple[str, list[tuple[Problem, str, str]]]]:
    """Every group's name, and its triples of problem, program and the verdict that it must get."""
    for path in sorted(folder.glob("*.problems.jsonl")):
        name = path.name.removesuffix(".problems.jsonl")
        problems = {problem.task_id: problem for problem in load_benchmark(str(path)).problems}
        triples = []
        for line in (folder / f"{name}.samples.jsonl").read_text().splitlines():
            record = json.loads(line)
            problem = problems[record["task_id"]]
            program = record.get("solution") or problem.program(record["completion"])
            triples.append((problem, program, record["want"]))
        yield name, triples
    path = folder / "livecodebench-format.jsonl"
    if path.exists():
        problems = {problem.task_id: problem for problem in load_benchmark(f"livecodebench={path}").problems}
        yield (
            "livecodebench",
            [(_named(problems, name), program, want) for name, program, want in LIVECODEBENCH],
        )


def _named(problems: dict[str, Problem], name: str) -> Problem:
    return next(problem for task_id, problem in problems.items() if task_id.rpartition("/")[2] == name)


def main() -> None:
    """Judge every group and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--verbose", action="store_true", help="every case, not only those that differ")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    counts: dict[str, list[int]] = {}
    for name, triples in groups(given.folder):
        with Judge(limits=Limits(cpu_seconds=10.0, wall_seconds=60.0)) as judge:
            verdicts = list(judge.run((problem, program) for problem, program, _ in triples))
        right = 0
        for (problem, _, want), verdict in zip(triples, verdicts, strict=True):
            same = verdict.outcome.value == want
            right += same
            if not given.json and (given.verbose or not same):
                print(f"  {problem.task_id:32} want {want:8} got {verdict.outcome.value:13}", end=" ")
                print(f"{verdict.trust.value:6} {verdict.detail[:80]}")
        counts[name] = [right, len(triples)]
        if not given.json:
            print(f"{name}: {right} of {len(triples)}")
    total = [sum(right for right, _ in counts.values()), sum(number for _, number in counts.values())]
    print(json.dumps({"groups": counts, "all": total}) if given.json else f"all: {total[0]} of {total[1]}")


if __name__ == "__main__":
    try:
        main()
    except IsobudgetError as error:
        raise SystemExit(str(error)) from None
