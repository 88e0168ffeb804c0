"""The rule by which tests may run apart from the sample: what it accepts, what it objects to, and what it decides."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from isobudget.judge import Judge, Limits, Outcome, Trust
from isobudget.judge.trusted.rule import read
from isobudget.problems.problem import AssertList, CheckFunction, Problem

PLAIN = [
    "assert candidate(1) == 2",
    "assert candidate([1, 2], n=3) == [3] and not candidate(x=0)",
    "assert abs(candidate(0.5) - 0.25) < 1e-9",
    "assert math.isclose(candidate(2), 4.0)",
    "import math\nassert math.isclose(candidate(2), 4.0)",
    "assert sorted(candidate([2, 1])) == [1, 2] and len(candidate([])) == 0",
    "assert candidate(1) is None or candidate(2) is True",
    "for n in range(5):\n    assert candidate(n) == n * n",
    "assert all(candidate(n) == n for n in range(3))",
    "import random\nrandom.seed(1)\nx = [random.random() for _ in range(9)]\nassert candidate(x) == sorted(x)",
    "x = [1]\ncandidate(x)\nx.append(2)\nx[0] = 5\nassert x == [5, 2]",
    "def expected(n):\n    return n * n\nassert candidate(3) == expected(3)",
    "assert candidate(2)[0] == 1 and candidate(3)['a'] == 2",
    "assert helper(candidate(2)) == 3",
    "p = Pair(1, 2)\np.weight = 3\nassert candidate([p]) == 3",
]
OTHER = [
    "class A: pass\nassert candidate(A()) == 1",
    "with candidate() as x: pass",
    "try:\n    candidate(1)\nexcept ValueError: pass",
    "import asyncio\nasyncio.run(candidate(1))",
    "async def f(): return await candidate(1)",
    "x = candidate(1)\nx.append(2)",
    "x = candidate(1)\nx[0] = 2",
    "x = candidate(1)\nx += [2]",
    "x = candidate(1)\nfor row in x:\n    row.append(1)",
    "def grow(rows):\n    rows.append(1)\ngrow(candidate(1))",
    "assert candidate(1).total() == 3",
    "a = [1]\nassert candidate(a) is a",
    "assert candidate(1) is 5",
    "assert isinstance(candidate(1), list)",
    "assert type(candidate(1)) is int",
    "assert candidate(lambda x: x) == 1",
    "def g(x): return x\nassert candidate(g) == 1",
    "assert candidate(n for n in range(3)) == 1",
    "assert candidate(map(str, [1])) == 1",
    "assert candidate(iter([1])) == 1",
    "assert next(candidate(1)) == 1",
    "import numpy as np\nassert np.array_equal(candidate(1), [1])",
    "assert np.allclose(candidate(1), [1])",
    "import os\nassert candidate(os.sep)",
    "assert candidate(open('x').read())",
    "assert candidate(1).__class__ is int",
    "assert id(candidate(1)) == 1",
    "@decorate\ndef f(): pass",
    "string = candidate(1)\nassert string.upper() == 'A'",
    "seen = []\nseen.append(candidate(1))",
    "global x",
    "assert (x := candidate(1)) == 1",
]


@pytest.mark.parametrize("source", PLAIN)
def test_plain_tests_may_run_apart(source: str) -> None:
    assert read(source, "f", ["Pair"], {"helper"}).objection == ""


@pytest.mark.parametrize("source", OTHER)
def test_everything_else_may_not(source: str) -> None:
    assert read(source, "f", [], set()).objection != ""


@pytest.mark.parametrize(
    ("source", "holds"),
    [
        ("assert candidate(1) == [1]", False),
        ("for n in range(3):\n    assert candidate(n) == [n]", False),
        ("a = candidate(1)\nb = candidate(2)\nassert a == [1]", True),
        ("assert [candidate(n) for n in range(3)] == [[0], [1], [2]]", True),
        ("assert candidate(1) + candidate(2) == [1, 2]", True),
        ("for x in candidate(1):\n    assert candidate(x) == [x]", True),
    ],
)
def test_results_that_outlive_the_next_call_are_seen(source: str, holds: bool) -> None:
    assert read(source, "f", [], set()) == ("", holds)


@pytest.mark.parametrize(
    ("source", "accepted"),
    [
        ("from solution import f\ndef test_a():\n    assert f(1) == 2", True),
        (
            "import pytest\nfrom solution import f\n@pytest.mark.parametrize('x, y', [(1, 2)])\n"
            "def test_a(x, y):\n    assert f(x) == pytest.approx(y)",
            True,
        ),
        ("from solution import *\ndef test_a():\n    assert f(1) == 2", False),
        ("import solution\ndef test_a():\n    assert solution.f(1) == 2", False),
        ("from solution import f\ndef test_a(tmp_path):\n    assert f(1) == 2", False),
        ("import pytest\nfrom solution import f\ndef test_a():\n    with pytest.raises(ValueError): f(1)", False),
        ("import pytest\nfrom solution import f\n@pytest.fixture\ndef x(): return 1\ndef test_a(): assert f(1)", False),
    ],
)
def test_pytest_files_are_read_by_the_same_rule(source: str, accepted: bool) -> None:
    assert (read(source, "", [], set(), "solution").objection == "") is accepted


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge(workers=1, limits=Limits(cpu_seconds=2.0, wall_seconds=20.0)) as entered:
        yield entered


def decided(judge: Judge, source: str, reference: str | None, program: str) -> tuple[Outcome, Trust]:
    tests = CheckFunction(f"def check(candidate):\n    {source.replace(chr(10), chr(10) + '    ')}\n")
    (verdict,) = judge.run([(Problem("Own/0", "own", "", "f", tests, reference), program)])
    return verdict.outcome, verdict.trust


def test_the_reference_decides_and_never_the_sample(judge: Judge) -> None:
    source, right = "assert candidate(2) == 4", "def f(x): return x * x"
    strange = "class Foo:\n    def __eq__(self, other): return True\ndef f(x): return Foo()"
    assert decided(judge, source, right, right) == (Outcome.PASSED, Trust.SPLIT)
    assert decided(judge, source, right, strange) == (Outcome.ERROR, Trust.SPLIT)
    assert decided(judge, source, None, right) == (Outcome.PASSED, Trust.SHARED)
    # A reference that passes nowhere does not make way for the weaker judge.
    assert decided(judge, source, "def f(x): return 3", strange) == (Outcome.ERROR, Trust.SPLIT)
    # One that passes only with its objects at hand does.
    assert decided(judge, source, strange, right) == (Outcome.PASSED, Trust.SHARED)


def test_what_cannot_cross_is_named(judge: Judge) -> None:
    problem = Problem("Own/0", "own", "", "f", AssertList(("assert f(1) == 1",)), "def f(x): return 1")
    (verdict,) = judge.run([(problem, "class Foo: pass\ndef f(x): return Foo()")])
    detail = "the program returned an object of type Foo, which is not plain data"
    assert (verdict.outcome, verdict.detail) == (Outcome.ERROR, detail)


def test_one_list_that_is_returned_again_and_again_is_seen(judge: Judge) -> None:
    source = "assert [candidate(n) for n in range(3)] == [[0], [1], [2]]"
    reference = "def f(n): return [n]"
    shared_list = "kept = []\ndef f(n):\n    kept[:] = [n]\n    return kept"
    assert decided(judge, source, reference, reference) == (Outcome.PASSED, Trust.SHARED)
    assert decided(judge, source, reference, shared_list) == (Outcome.FAILED, Trust.SHARED)


def test_rows_that_are_one_list_stay_one(judge: Judge) -> None:
    world = "\ndef flip(g):\n    g[0][0] = 1\n    return g\n"
    right, wrong = "def f(n): return [[0] * n for _ in range(n)]" + world, "def f(n): return [[0] * n] * n" + world
    for split in (True, False):
        apart = AssertList(("assert flip(f(3)) == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]",), split=split)
        pairs = [(Problem("Own/0", "own", "", "f", apart, right), program) for program in (right, wrong)]
        assert [verdict.passed for verdict in judge.run(pairs)] == [True, False]
