"""Repairing beside drawing anew, on the quickstart problems as functions of a project: chains of both embedded models.

    python benchmarks/solve_repair.py RUN --model smollm2-135m --draws 12 --repairs 2
    python benchmarks/solve_repair.py RUN --model qwen2.5-coder-1.5b --draws 6 --repairs 2
    isobudget plan RUN --unit flops --no-share-prompt

Every problem is a file of its own with its signature and docstring; each of its asserts is a test. Problems that the
run has for a model already are left out, so that it can be stopped and started again.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

import isobudget
from isobudget.problems.problem import AssertList
from isobudget.problems.quickstart import load_quickstart
from isobudget.records.attempts import TaskRow
from isobudget.records.parts import read_rows


def make_project(root: Path) -> list[tuple[str, str]]:
    """The problems as a project: of each its target and its tests."""
    (root / "tests").mkdir(parents=True)
    (root / "pytest.ini").write_text("[pytest]\n")
    made = []
    for number, problem in enumerate(load_quickstart().problems):
        name = f"q{number:02}"
        assert isinstance(problem.tests, AssertList)
        (root / f"{name}.py").write_text(f"{problem.prompt}    ...\n")
        tests = [f"def test_{place}():\n    {line}\n" for place, line in enumerate(problem.tests.asserts)]
        text = f"from {name} import {problem.entry_point}\n\n\n" + "\n\n".join(tests)
        (root / "tests" / f"test_{name}.py").write_text(text)
        made.append((f"{name}.py::{problem.entry_point}", f"tests/test_{name}.py"))
    return made


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--repairs", type=int, default=2)
    parser.add_argument("--problems", type=int, default=30)
    parser.add_argument("--until", help="stop before a problem is begun after this time, such as 01:45")
    arguments = parser.parse_args()
    run = arguments.run.resolve()
    done = {row.target for row in read_rows(run / "tasks", TaskRow) if row.schedule.startswith(arguments.model)}
    with tempfile.TemporaryDirectory() as folder:
        tasks = make_project(Path(folder) / "quickstart")
        os.chdir(Path(folder) / "quickstart")
        random.Random(0).shuffle(tasks)  # what is there when it is stopped is a fair part of them
        for target, tests in tasks[: arguments.problems]:
            if target in done or (arguments.until and time.strftime("%H:%M") >= arguments.until):
                continue
            solution = isobudget.solve(
                target,
                tests,
                budget="100000samples",
                models=arguments.model,
                explore=arguments.draws,
                repair=arguments.repairs,
                max_tokens=160,
                run=run,
                python=sys.executable,
            )
            said = f"{solution.samples} samples, {solution.repairs} of them repairs, {solution.spent['seconds']:.0f} s"
            print(f"{arguments.model} {target}: {said}", flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
