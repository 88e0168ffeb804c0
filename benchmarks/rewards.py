"""Speed of rewards that many processes ask for at once: one shared pool beside the judge that it is made of.

    python benchmarks/rewards.py [--verdicts 10000] [--processes 8] [--batch 64] [--rounds 3] [--json]

The programs are HumanEval's canonical solutions, every fifth broken. The judge has a worker for each core, as the pool
has. In a round, which takes both in changing order, the judge judges all of them as one stream, and the processes ask
the pool for batches, as trainers do. The pool is one that is started for the measurement, and its start is not timed.
The figure is the median over the rounds of the pool's throughput over the judge's; the rewards have to be the same.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isobudget.judge import Judge
from isobudget.judge.verdict import Limits
from isobudget.problems import load_benchmark
from isobudget.problems.problem import Problem
from isobudget.rewards import SharedPool

Pair = tuple[Problem, str]


def pairs(count: int) -> list[Pair]:
    """Programs, those of a problem one after the other."""
    problems = load_benchmark("humaneval").problems
    chosen = [problems[at * len(problems) // count] for at in range(count)]
    return [
        (one, one.program(one.reference or "") + ("\nraise ValueError\n" if at % 5 == 0 else ""))
        for at, one in enumerate(chosen)
    ]


def ask(mine: Sequence[Pair], batch: int, ready: Any, told: Any) -> None:
    """A process that asks the pool for batches: how many passed."""
    pool = SharedPool(Limits())
    ready.wait()
    batches = [mine[at : at + batch] for at in range(0, len(mine), batch)]
    told.put(sum(verdict.passed for each in batches for verdict in pool.judge(each)))
    pool.close()


def by_pool(work: Sequence[Pair], processes: int, batch: int) -> tuple[float, int]:
    """Seconds and passes of all processes together, from their common start."""
    context = multiprocessing.get_context("fork")
    ready, told = context.Barrier(processes + 1), context.Queue()
    shares = [work[at::processes] for at in range(processes)]
    started = [context.Process(target=ask, args=(share, batch, ready, told)) for share in shares]
    for one in started:
        one.start()
    ready.wait()
    begun = time.perf_counter()
    passed = sum(told.get(timeout=3600) for _ in started)
    seconds = time.perf_counter() - begun
    for one in started:
        one.join()
    return seconds, passed


def by_judge(work: Sequence[Pair]) -> tuple[float, int]:
    """The same by one stream of one judge."""
    with Judge() as judge:
        begun = time.perf_counter()
        passed = sum(verdict.passed for verdict in judge.run(work))
        return time.perf_counter() - begun, passed


def pools_below(folder: str) -> int:
    """Shared pools that listen below a folder."""
    count = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            count += b"isobudget.rewards.daemon" in words and any(one.startswith(folder.encode()) for one in words)
    return count


def measure(verdicts: int, processes: int, batch: int, rounds: int) -> dict[str, Any]:
    """All rounds."""
    work = pairs(verdicts)
    with tempfile.TemporaryDirectory(prefix="isobudget-bench-") as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        warm = SharedPool(Limits())
        warm.judge(work[:8])
        rates: dict[str, list[float]] = {"pool": [], "judge": []}
        same, pools = True, 1
        for number in range(rounds):
            found = {}
            for name in ("pool", "judge") if number % 2 else ("judge", "pool"):
                seconds, found[name] = by_pool(work, processes, batch) if name == "pool" else by_judge(work)
                rates[name].append(verdicts / seconds)
            same &= found["pool"] == found["judge"]
            pools = max(pools, pools_below(folder))
        warm.close()
    ratios = [one / other for one, other in zip(rates["pool"], rates["judge"], strict=True)]
    return {
        "verdicts": verdicts,
        "processes": processes,
        "pools": pools,
        "verdicts_per_second": {name: statistics.median(each) for name, each in rates.items()},
        "ratio": statistics.median(ratios),
        "ratios": [min(ratios), max(ratios)],
        "same_passes": same,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verdicts", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = measure(asked.verdicts, asked.processes, asked.batch, asked.rounds)
    if asked.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
