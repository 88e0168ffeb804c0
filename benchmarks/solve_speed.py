"""What a candidate costs beyond collecting and running its tests in the warm process, and what a cold one costs.

python benchmarks/solve_speed.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from isobudget.tasks.candidate import lay_over
from isobudget.tasks.project import find_interpreter
from isobudget.tasks.project_tests import TargetTests, no_tests
from isobudget.tasks.selection import select
from isobudget.tasks.target import find_target

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.solve_project import RIGHT, make_project  # type: ignore[import-not-found]

ROUNDS = 40


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = make_project(Path(folder))
        target = find_target(f"{root}/src/pkg/text.py::slugify")
        chosen = select(target.root, [f"{root}/tests/test_text.py"])
        began = time.perf_counter()
        with TargetTests(target, chosen, no_tests(), find_interpreter(target.root, sys.executable)) as tests:
            tests.prepare()
            ready = time.perf_counter() - began
            text = lay_over(target, f"def slugify(text, sep='-'):\n{RIGHT}")
            whole, beyond, cpu = [], [], []
            for _ in range(ROUNDS):
                began = time.perf_counter()
                run = tests.run(text, chosen.arguments, 5.0)
                whole.append(time.perf_counter() - began)
                beyond.append(whole[-1] - run.session_seconds)
                cpu.append(run.cpu_seconds)
            assert len(run.passed(run.collected or ())) == 4
        target.path.write_text(text)
        cold = []
        for _ in range(5):
            began = time.perf_counter()
            words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_text.py"]
            subprocess.run(words, cwd=root, check=True, capture_output=True, env={"PYTHONPATH": str(root / "src")})
            cold.append(time.perf_counter() - began)
    print(f"ready after {ready:.2f} s (view, two runs with stubs, imports)")
    for name, values in (
        ("a candidate", whole),
        ("beyond collecting and running", beyond),
        ("CPU", cpu),
        ("cold", cold),
    ):
        print(f"{name}: median {1000 * statistics.median(values):.0f} ms, fastest {1000 * min(values):.0f} ms")


if __name__ == "__main__":
    main()
