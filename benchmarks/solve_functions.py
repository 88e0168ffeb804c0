"""How many of the 24 functions of `solve_tasks` are solved within a budget, by which model, and what it takes.

    python benchmarks/solve_functions.py --models smollm2-135m,qwen2.5-coder-1.5b --budget 60s --out results.jsonl
    python benchmarks/solve_functions.py --check        # the functions as they are pass their tests, without a model

Each function's body is taken away in a copy of its package; its own tests decide. A line of JSON per function is
appended to the file as soon as it is there; functions that are in it are not drawn again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import isobudget
from isobudget.tasks.body import body_text, functions_by_name, parse_source, with_body
from isobudget.tasks.candidate import lay_over
from isobudget.tasks.project import find_interpreter
from isobudget.tasks.project_tests import TargetTests, no_tests
from isobudget.tasks.selection import select
from isobudget.tasks.target import find_target

HERE = Path(__file__).parent / "solve_tasks"


def tasks() -> Iterator[tuple[str, str, str, list[str]]]:
    """Project, file, function and tests of every task."""
    for table in tomllib.loads((HERE / "tasks.toml").read_text())["tasks"]:
        for name, tests in table["functions"].items():
            yield table["project"], table["file"], name, [f"tests/{one}" for one in tests]


def emptied(project: str, file: str, name: str, folder: Path) -> tuple[Path, str]:
    """A copy of the project without the function's body, and the body."""
    root = folder / project
    shutil.copytree(HERE / project, root, ignore=shutil.ignore_patterns("__pycache__", "runs"))
    text = (root / file).read_text()
    function = functions_by_name(parse_source(text, file))[name]
    (root / file).write_text(with_body(text, function, "...\n"))
    return root, body_text(text, function.node)


def check() -> None:
    """Every function passes its tests with its own body, found in an answer; without it, it does not."""
    for project, file, name, tests in tasks():
        with tempfile.TemporaryDirectory() as folder:
            root, body = emptied(project, file, name, Path(folder))
            target = find_target(f"{root / file}::{name}")
            chosen = select(target.root, [str(root / one) for one in tests])
            with TargetTests(target, chosen, no_tests(), find_interpreter(target.root, sys.executable)) as ran:
                baseline = ran.prepare()
                plain = name.rpartition(".")[2]
                kind = "async def" if "await" in body else "def"
                indented = "".join(f"    {line}" for line in body.splitlines(keepends=True))
                began = time.monotonic()
                verdict = ran.judge(lay_over(target, f"{kind} {plain}():\n{indented}"))
                took = time.monotonic() - began
                print(f"{project:10} {name:20} {len(baseline.expected):2} tests {verdict.outcome} {took:.2f} s")
                assert verdict.passed, verdict


def solve_one(arguments: argparse.Namespace, project: str, file: str, name: str, tests: list[str]) -> dict[str, Any]:
    """Solve one function and say how."""
    with tempfile.TemporaryDirectory() as folder:
        root, _ = emptied(project, file, name, Path(folder))
        os.chdir(root)
        solution = isobudget.solve(
            f"{file}::{name}",
            tests,
            budget=arguments.budget,
            models=() if arguments.policy else arguments.models,
            policy=arguments.policy,
            python=sys.executable,
            format=arguments.format,
            show_tests=arguments.show_tests,
            run=Path(folder) / "run",
        )
        os.chdir(HERE)
        said = solution.to_dict()
        kept = ("solved", "model", "samples", "drawn", "spent", "loading_seconds", "ending", "tests_passed", "detail")
        return {"project": project, "function": name, "load": os.getloadavg()[0]} | {one: said[one] for one in kept}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", default="smollm2-135m,qwen2.5-coder-1.5b")
    parser.add_argument("--policy", type=Path, help="a file that `isobudget plan --write` made, instead of the models")
    parser.add_argument("--budget", default="60s")
    parser.add_argument("--format")
    parser.add_argument("--show-tests", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("solve_functions.jsonl"))
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    if arguments.check:
        check()
        return
    out = arguments.out.resolve()
    if arguments.policy:
        arguments.policy = arguments.policy.resolve()
    done = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    for project, file, name, tests in tasks():
        if any((one["project"], one["function"]) == (project, name) for one in done):
            continue
        done.append(solve_one(arguments, project, file, name, tests))
        with out.open("a") as opened:
            opened.write(json.dumps(done[-1]) + "\n")
        print(json.dumps(done[-1]), flush=True)
    solved = [one for one in done if one["solved"]]
    who = arguments.policy or arguments.models
    print(f"{len(solved)} of {len(done)} solved by {who} within {arguments.budget} each")
    for unit in ("seconds", "tokens", "flops"):
        print(f"mean {unit}: {sum(one['spent'][unit] for one in done) / len(done):.3g}")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
