"""Published benchmarks with their reference solutions, as problems for the judge."""

from __future__ import annotations

import ast
import gzip
import json
import warnings
from pathlib import Path

from isobudget.problems.problem import AssertList, CheckFunction, Problem

Pairs = list[tuple[Problem, str]]


def humaneval(shared_data: Path) -> Pairs:
    with gzip.open(shared_data / "humaneval" / "HumanEval.jsonl.gz", "rt") as lines:
        records = [json.loads(line) for line in lines]
    return [
        (
            Problem(r["task_id"], "humaneval", r["prompt"], r["entry_point"], CheckFunction(r["test"], split=True)),
            r["prompt"] + r["canonical_solution"],
        )
        for r in records
    ]


def mbpp(shared_data: Path, newline: str) -> Pairs:
    """Problems and references with one line ending throughout; the function under test is the one that tests call."""
    pairs: Pairs = []
    for line in (shared_data / "mbpp" / "mbpp.jsonl").read_text().splitlines():
        record = json.loads(line)
        code, setup, *asserts = (
            text.replace("\r\n", "\n").replace("\n", newline)
            for text in (record["code"], record["test_setup_code"], *record["test_list"])
        )
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(code)
        defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        calls = (node.func for node in ast.walk(ast.parse(asserts[0])) if isinstance(node, ast.Call))
        entry_point = next(call.id for call in calls if isinstance(call, ast.Name) and call.id in defined)
        problem = Problem(
            str(record["task_id"]), "mbpp", "", entry_point, AssertList(tuple(asserts), setup, split=True)
        )
        pairs.append((problem, code))
    return pairs
