"""The quickstart problems through the gateway: by its policy and by each model alone, against what the plan predicts.

    isobudget plan runs/quickstart --budget 4x --write policy.toml
    python benchmarks/gateway_end_to_end.py policy.toml --out results.jsonl [--problems 30] [--url http://.../v1]

Without `--url` a gateway is started, with the policy's models and a ledger in a temporary folder. A model alone draws
as many samples as the plan's budget pays for by the plan's prices. A line of JSON a problem and way is appended to the
file as soon as it is there, and printed; what is in the file is not asked for again. A request that fails is a line as
well, with its status, and is asked for again the next time.

The plan's interval is that of its estimate; so many problems as are asked add the chance of their samples to it.
"""

from __future__ import annotations

import argparse
import http.client
import json
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from gateway import process
from isobudget.grid import with_unit
from isobudget.problems import load_benchmark
from isobudget.problems.problem import AssertList, Benchmark, Problem
from isobudget.solving.policy_file import PolicyFile, read_policy

SERVE = """
import sys
from isobudget import api
ready = lambda url: print(url, flush=True)
api.serve(sys.argv[1], port=0, ledger=sys.argv[2], config=sys.argv[3], on_ready=ready)
"""
#: on two cores a sample of the larger model takes seconds
WALL_SECONDS = 1800
AUTO = "isobudget/auto"


def ways(policy: PolicyFile) -> dict[str, int | None]:
    """What is asked: the policy, and each model alone with the most samples that the budget pays for."""
    alone = {name: max(1, price.affordable(policy.budget)) for name, price in policy.prices.items()}
    return {AUTO: None, **alone}


def body_of(problem: Problem, benchmark: Benchmark, model: str, samples: int | None) -> dict[str, Any]:
    """The request for one problem."""
    assert isinstance(problem.tests, AssertList)
    ours: dict[str, Any] = {"tests": "\n".join([problem.tests.setup, *problem.tests.asserts])}
    ours |= {"entry_point": problem.entry_point} | ({} if samples is None else {"samples": samples})
    return {
        **{"model": model, "prompt": problem.prompt, "stop": list(benchmark.stop), "max_tokens": benchmark.max_tokens},
        **{"temperature": benchmark.temperature, "top_p": benchmark.top_p, "isobudget": ours},
    }


def asked(url: str, body: dict[str, Any]) -> dict[str, Any]:
    """What came of a request."""
    where = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(where.netloc, timeout=WALL_SECONDS + 60)
    began = time.perf_counter()
    try:
        connection.request("POST", f"{where.path}/completions", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = json.loads(answer.read())
    finally:
        connection.close()
    seconds = round(time.perf_counter() - began, 3)
    if answer.status != 200:
        return {"status": answer.status, "seconds": seconds, "error": said["error"]["message"]}
    ours = said["isobudget"]
    kept = {name: ours[name] for name in ("samples", "models", "verdicts", "ending", "cost")}
    return {"status": 200, "solved": ours["verified"], "seconds": seconds, **kept}


def known(place: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The results that are in a file, without those that failed."""
    lines = place.read_text().splitlines() if place.exists() else []
    rows = [json.loads(line) for line in lines if line.endswith("}")]
    return {(row["way"], row["task_id"]): row for row in rows if row["status"] == 200}


def measured(url: str, policy: PolicyFile, problems: int, out: Path) -> Iterator[dict[str, Any]]:
    """A row for every problem and way; what is not in the file is asked for and appended."""
    benchmark, there = load_benchmark("quickstart"), known(out)
    for problem in benchmark.problems[:problems]:
        for way, samples in ways(policy).items():
            row = there.get((way, problem.task_id))
            if row is None:
                row = {"way": way, "task_id": problem.task_id}
                row |= asked(url, body_of(problem, benchmark, way, samples))
                with out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(json.dumps(row), flush=True)
            yield row


def print_summary(rows: list[dict[str, Any]], policy: PolicyFile) -> None:
    """Solved, spent and seconds of every way, and what the plan predicts of its own."""
    for way in ways(policy):
        mine = [row for row in rows if row["way"] == way and row["status"] == 200]
        costs = [row["cost"].get(policy.unit) for row in mine]
        spent = "unknown" if None in costs or not costs else with_unit(sum(costs) / len(costs), policy.unit)
        solved, seconds = sum(row["solved"] for row in mine), sum(row["seconds"] for row in mine)
        print(f"{way}: {solved} of {len(mine)} solved, {spent} a problem, {seconds:.1f} s in all")
    print_prediction([row["solved"] for row in rows if row["way"] == AUTO and row["status"] == 200], policy)
    if failed := sum(row["status"] != 200 for row in rows):
        print(f"{failed} requests failed: the same command asks them again")


def print_prediction(solved: list[bool], policy: PolicyFile) -> None:
    """What the plan predicts of its own way, beside what was measured."""
    expected = policy.expected
    if not solved or not expected.keys() >= {"success", "low", "high", "expected_cost"}:
        return
    share, low, high = sum(solved) / len(solved), expected["low"], expected["high"]
    predicted = f"{expected['success']:.1%} [{low:.1%}, {high:.1%}]"
    cost = with_unit(expected["expected_cost"], policy.unit)
    inside = "inside" if low <= share <= high else "outside"
    print(f"the plan: {predicted}, {cost} a problem; measured {share:.1%}, {inside}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("policy", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--problems", type=int, default=30)
    parser.add_argument("--url", help="of a gateway that runs, whose isobudget/auto is this policy")
    given = parser.parse_args()
    policy = read_policy(given.policy)
    with ExitStack() as stack:
        url = given.url
        if url is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            config = folder / "serve.toml"
            config.write_text(f"wall_seconds = {WALL_SECONDS}\n")
            url = stack.enter_context(
                process(SERVE, str(given.policy.absolute()), str(folder / "ledger.sqlite"), str(config))
            )
        print_summary(list(measured(url, policy, given.problems, given.out)), policy)


if __name__ == "__main__":
    main()
