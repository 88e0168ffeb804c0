"""Five packages of the index with their own tests: the body of one function is taken away and found again.

    pip download --no-deps --no-binary :all: python-slugify humanize more-itertools inflection boltons   # then unpack
    python benchmarks/solve_packages.py FOLDER --python VENV/bin/python

FOLDER holds the unpacked sdists; the interpreter has pytest and what their tests need (text-unidecode, freezegun). Of
each package: the function's own tests run confined and pass with the original body; then, with the body taken away, a
server offers nine wrong bodies and the original one, which is found again; the whole suite runs once with it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import isobudget
from isobudget.judge.verdict import Verdict
from isobudget.tasks.body import behind_docstring, body_text, functions_by_name, parse_source, with_body
from isobudget.tasks.candidate import lay_over
from isobudget.tasks.outcome import last_line
from isobudget.tasks.project import find_interpreter
from isobudget.tasks.project_tests import CandidateLimits, TargetTests, no_tests
from isobudget.tasks.selection import select
from isobudget.tasks.target import find_target

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.solve_project import answering, declare  # type: ignore[import-not-found]

#: of each package: the sdist's name, the file, the function, its own tests, and the whole suite
PACKAGES = (
    ("python_slugify", "slugify/slugify.py", "_modern_truncate", ("tests",), "tests"),
    ("humanize", "src/humanize/filesize.py", "naturalsize", ("tests/test_filesize.py",), "tests"),
    ("more_itertools", "more_itertools/more.py", "chunked", ("tests/test_more.py::ChunkedTests",), "tests"),
    ("inflection", "inflection/__init__.py", "ordinal", ("test_inflection.py::test_ordinal",), "test_inflection.py"),
    ("boltons", "boltons/strutils.py", "bytes2human", ("tests/test_strutils.py::test_bytes2human",), "tests"),
)
WRONG = 9


def found_again(project: Path, file: str, name: str, tests: list[str], python: str) -> isobudget.Solution:
    """Take the body away, and have it offered among wrong ones."""
    path = project / file
    original = path.read_text(encoding="utf-8")
    function = functions_by_name(parse_source(original, file))[name]
    body = body_text(original, function.node)
    emptied = with_body(original, function, "...\n")
    path.write_text(emptied, encoding="utf-8")
    indented = "".join(f"    {line}" if line.strip() else line for line in body.splitlines(keepends=True))

    def answers(_model: str, seed: int) -> str:
        return indented if seed == WRONG else f"    return {seed}\n"

    try:
        with tempfile.TemporaryDirectory() as folder, answering(answers) as (url, _):
            os.environ["ISOBUDGET_MODELS_TOML"] = str(declare(Path(folder) / "models.toml", url))
            os.chdir(project)
            solution = isobudget.solve(
                f"{file}::{name}",
                tests,
                only_reaching=True,
                budget="20samples",
                models="small",
                python=python,
                run=Path(folder) / "run",
            )
    finally:
        path.write_text(original, encoding="utf-8")
    assert body_text(solution.code, functions_by_name(parse_source(solution.code, file))[name].node) == body or not body
    return solution


def judged(project: Path, file: str, name: str, tests: list[str], python: str, seconds: float) -> tuple[Verdict, float]:
    """The tests with the original body laid over, as a candidate."""
    target = find_target(str(project / file) + f"::{name}")
    chosen = select(target.root, [str(project / one) for one in tests])
    limits = CandidateLimits(cpu_seconds=seconds)
    with TargetTests(target, chosen, no_tests(), find_interpreter(target.root, python), limits) as ran:
        ran.prepare(refuse_solved=False, only_reaching=True)
        assert behind_docstring(target.functions()[0].node)
        began = time.monotonic()
        verdict = ran.judge(lay_over(target, target.text))
        return verdict, time.monotonic() - began


def whole_suite(project: Path, file: str, name: str, suite: str, python: str) -> str:
    """The whole suite once, confined, with the file as it is."""
    target = find_target(str(project / file) + f"::{name}")
    chosen = select(target.root, [str(project / suite)])
    limits = CandidateLimits(allow_subprocess=True)
    with TargetTests(target, chosen, no_tests(), find_interpreter(target.root, python), limits) as ran:
        ran.start()
        run = ran.run(target.text, chosen.arguments, 600)
    ids = run.collected or ()
    passed = len(run.passed(ids)) + len(run.skipped)
    failed = [f"{one}: {last_line(run.messages[one])}" for one in ids if run.outcomes.get(one) == "failed"]
    failed += [f"{one}: {last_line(text)}" for one, text in run.errors.items()]
    return "\n        ".join([f"{passed} of {len(ids)} passed or skipped, {run.cpu_seconds:.1f} CPU s", *failed[:5]])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--only")
    arguments = parser.parse_args()
    for package, file, name, tests, suite in PACKAGES:
        if arguments.only not in (None, package):
            continue
        (project,) = (one.resolve() for one in arguments.folder.glob(f"{package}-*") if one.is_dir())
        own, seconds = judged(project, file, name, list(tests), arguments.python, 60)
        print(f"{package}: {name}: own tests {own.outcome} ({own.tests_passed} of {own.tests_total}), {seconds:.1f} s")
        if not own.passed:
            print(f"    {own.first_failing}: {own.detail}")
        solution = found_again(project, file, name, list(tests), arguments.python)
        print(f"    found again among {WRONG} wrong ones: {solution.solved}, after {solution.samples} samples")
        print(f"    whole suite: {whole_suite(project, file, name, suite, arguments.python)}", flush=True)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
