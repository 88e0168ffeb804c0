"""Tests that run in one process with the sample: ordinary pytest files, and what is no pass."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from isobudget.judge import Judge, Limits, Outcome, Trust, Verdict
from isobudget.problems.problem import CheckFunction, Problem, PytestFile

TWO = """
import pytest
from solution import f

def test_one():
    assert f(1) == 2

def test_two(tmp_path):
    (tmp_path / "x").write_text("3")
    assert f(int((tmp_path / "x").read_text())) == 4
"""
RIGHT = "def f(x): return x + 1\n"


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge(workers=1, limits=Limits(cpu_seconds=2.0, wall_seconds=20.0)) as entered:
        yield entered


def one(judge: Judge, program: str, source: str = TWO, reference: str | None = RIGHT) -> Verdict:
    (verdict,) = judge.run([(Problem("Own/0", "own", "", "f", PytestFile(source), reference), program)])
    assert verdict.trust is Trust.SHARED
    return verdict


NO_PASS = {
    "wrong": "def f(x): return x",
    "ends early": "import os\nos._exit(0)",
    "ends in a test": "import os\ndef f(x): os._exit(0)",
    "exits": "raise SystemExit(0)",
    "skips": "import pytest\ndef f(x): pytest.skip('no')",
    "skips all": "import pytest\npytest.skip('no', allow_module_level=True)",
    "empties the module": "import sys\nfor name in list(sys.modules): sys.modules.pop(name)\n" + "def f(x): return 0",
    "forges reports": "import os, json\n"
    "for message in (['report', 'test_one', 'passed', '', '', 0, 'x'], ['completed', '', '', '', '', 0, 'x']):\n"
    "    data = json.dumps(message).encode()\n    os.write(3, len(data).to_bytes(4, 'big') + data)\n" + RIGHT,
    "writes rubbish": "import os\nos.write(3, b'x' * 100)\nos._exit(0)",
    "closes the wire": "import os\nos.close(3)\ndef f(x): return 0",
    "does not end": "while True: pass",
}  # fmt: skip


def test_right_ones_pass(judge: Judge) -> None:
    verdict = one(judge, RIGHT)
    assert (verdict.outcome, verdict.tests_passed, verdict.tests_total) == (Outcome.PASSED, 2, 2)
    assert one(judge, RIGHT, reference=None).outcome is Outcome.PASSED


@pytest.mark.parametrize("with_reference", [True, False])
@pytest.mark.parametrize("kind", NO_PASS)
def test_what_is_no_pass(judge: Judge, kind: str, with_reference: bool) -> None:
    verdict = one(judge, NO_PASS[kind], reference=RIGHT if with_reference else None)
    assert verdict.outcome not in (Outcome.PASSED, Outcome.INVALID), verdict
    assert one(judge, RIGHT).outcome is Outcome.PASSED


def test_a_test_that_the_reference_runs_may_not_be_skipped(judge: Judge) -> None:
    source = "import pytest, solution\n@pytest.mark.skipif(hasattr(solution, 'odd'), reason='odd')\n"
    source += "def test_a(): assert solution.f(1) == 2\ndef test_b(): assert solution.f(2) == 3\n"
    assert one(judge, RIGHT, source).outcome is Outcome.PASSED
    verdict = one(judge, RIGHT + "odd = 1\n", source)
    assert (verdict.outcome, verdict.first_failing) == (Outcome.ERROR, "test_a")
    assert verdict.detail == "the test test_a was skipped"


PYTEST = {
    "capsys": ("def test_a(capsys):\n    f(1)\n    assert capsys.readouterr().out == '1\\n'", "def f(x): print(x)"),
    "redirect": (
        "import io, contextlib\ndef test_a():\n    out = io.StringIO()\n"
        "    with contextlib.redirect_stdout(out): f(1)\n"
        "    assert out.getvalue() == '1\\n'",
        "def f(x): print(x)",
    ),
    "fixtures": ("import pytest\n@pytest.fixture\ndef one(): return 1\ndef test_a(one): assert f(one) == 2", RIGHT),
    "classes": ("class TestA:\n    def test_a(self): assert f(1) == 2", RIGHT),
    "unittest": (
        "import unittest\nclass A(unittest.TestCase):\n    def test_a(self): self.assertEqual(f(1), 2)", RIGHT,
    ),
    "generators": (
        "import itertools\ndef test_a(): assert list(itertools.islice(f(1), 2)) == [1, 2]",
        "def f(x):\n    while True:\n        yield x\n        x += 1",
    ),
    "seeds": ("import random\ndef test_a():\n    random.seed(1)\n    x = f(1)\n    random.seed(1)\n"
              "    assert x == random.random()", "import random\ndef f(x): return random.random()"),
    "threads": ("from concurrent.futures import ThreadPoolExecutor as T\ndef test_a():\n    with T(4) as pool:\n"
                "        assert list(pool.map(f, [1, 2])) == [2, 3]", RIGHT),
    "numpy": ("import numpy as np\ndef test_a():\n    x = np.zeros(2)\n    f(x)\n    assert x.sum() == 2",
              "def f(x): x += 1"),
    "files": ("import tempfile\ndef test_a():\n    with tempfile.NamedTemporaryFile('w') as x:\n        x.write('a')\n"
              "        x.flush()\n        assert f(x.name) == 'a'", "def f(x): return open(x).read()"),
    "reading": ("def test_a(monkeypatch):\n    monkeypatch.setattr('builtins.input', lambda: '5')\n"
                "    assert f(1) == 6",
                "def f(x): return x + int(input())"),
    "environment": ("import os\ndef test_a(monkeypatch):\n    monkeypatch.setenv('K', '5')\n    assert f(1) == 6",
                    "import os\ndef f(x): return x + int(os.environ['K'])"),
}  # fmt: skip


@pytest.mark.parametrize("kind", PYTEST)
def test_ordinary_pytest_files(judge: Judge, kind: str) -> None:
    source, right = PYTEST[kind]
    source = f"from solution import f\n{source}\n"
    assert one(judge, right, source, right).outcome is Outcome.PASSED
    for wrong in ("def f(x): return None", "def f(x): raise ValueError", "def g(x): return x"):
        assert one(judge, wrong, source, right).outcome in (Outcome.FAILED, Outcome.ERROR)


def test_source_tests_see_the_sample_as_plain_python_does(judge: Judge) -> None:
    check = CheckFunction(
        "def check(candidate):\n    x = candidate(1)\n    assert x == 2, 'no'\n    assert x + 1 == 3\n"
    )
    problem = Problem("Own/0", "own", "", "f", check)
    pairs = [(problem, program) for program in (RIGHT, "def f(x): return x", "def f(x): return 1 / 0", "def f(:")]
    right, wrong, raises, broken = judge.run(pairs)
    assert right.outcome is Outcome.PASSED
    assert (wrong.outcome, wrong.first_failing, wrong.detail) == (
        Outcome.FAILED,
        "assert x == 2, 'no'",
        "AssertionError: no",
    )
    assert (raises.outcome, raises.detail) == (Outcome.ERROR, "ZeroDivisionError: division by zero")
    assert broken.outcome is Outcome.SYNTAX_ERROR


def test_nothing_above_the_scratch_folder_is_looked_at(tmp_path: Path) -> None:
    """Where there are no namespaces, files of others lie there."""
    (tmp_path / "conftest.py").write_text("raise SystemExit('looked at')\n")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    tests = {"module": "solution", "source": "def test_a(): pass\n"}
    run = "from isobudget.judge.untrusted.shared_tests import run_pytest"
    code = f"{run}; print([run_pytest(lambda *_: None, 'x = 1', {tests!r}, stop=True)])"
    done = subprocess.run([sys.executable, "-c", code], cwd=scratch, capture_output=True, text=True, check=False)
    assert done.stdout.endswith("['']\n"), done.stdout + done.stderr
