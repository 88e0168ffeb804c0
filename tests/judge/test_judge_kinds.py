"""The judge on every kind of tests: whole programs, calls with JSON, a reference, and what crosses the wire."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from isobudget.judge import Judge, Limits, Outcome, Trust, Verdict
from isobudget.judge.trusted.compare import same_output
from isobudget.problems.problem import (
    AssertList,
    CallTests,
    CheckFunction,
    ObservedCalls,
    ObservedPrograms,
    Problem,
    ProgramTests,
    PytestFile,
    ReferenceInputs,
    Tests,
)


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge(workers=2, limits=Limits(cpu_seconds=1.0, wall_seconds=5.0, memory_mb=512)) as entered:
        yield entered


def one(judge: Judge, tests: Tests, program: str, entry_point: str = "f", reference: str | None = None) -> Verdict:
    (verdict,) = judge.run([(Problem("Own/0", "own", "", entry_point, tests, reference), program)])
    return verdict


ADD = ProgramTests(("1 2\n", "5 7\n"), ("3\n", "12\n"))


@pytest.mark.parametrize(
    ("program", "outcome", "held"),
    [
        ("a, b = map(int, input().split())\nprint(a + b)", Outcome.PASSED, 2),
        ("import sys\nprint(sum(map(int, sys.stdin.read().split())))", Outcome.PASSED, 2),
        ("import os, sys\nsys.stdout.write(str(sum(map(int, os.read(0, 99).split()))))", Outcome.PASSED, 2),
        (
            "print(sum(map(int, open(0))) if False else sum(map(int, open(0).read().split())), end='')",
            Outcome.PASSED,
            2,
        ),
        ("if __name__ == '__main__':\n    print(sum(map(int, input().split())), '\\n')", Outcome.PASSED, 2),
        ("import atexit\natexit.register(lambda: print(sum(map(int, input().split()))))", Outcome.PASSED, 2),
        ("print(sum(map(int, input().split())))\nexit()", Outcome.PASSED, 2),
        ("with open('/dev/stdin') as lines: print(sum(map(int, lines.read().split())))", Outcome.PASSED, 2),
        ("open('/dev/stdout', 'w').write(str(sum(map(int, input().split()))))", Outcome.PASSED, 2),
        ("open(1, 'w').write(str(sum(map(int, input().split()))))", Outcome.PASSED, 2),
        (
            "import sys\nx = open('/dev/stderr', 'w')\nx.write('y')\nprint(sum(map(int, input().split())))",
            Outcome.PASSED,
            2,
        ),
        ("print(3)\nopen('/dev/stdin', 'w').write('x')", Outcome.FAILED, 1),
        ("open('/streams/more', 'w')", Outcome.ERROR, 0),
        ("import sys\nprint(3)\nsys.stderr.write('noise')", Outcome.FAILED, 1),
        ("print(3)\nexit(1)", Outcome.ERROR, 0),
        ("print(input() + 1)", Outcome.ERROR, 0),
        ("print((", Outcome.SYNTAX_ERROR, 0),
        ("while True: pass", Outcome.TIMEOUT, 0),
        ("while True: print('x' * 1000)", Outcome.OUTPUT_LIMIT, 0),
        ("x = 'a' * (1 << 30)", Outcome.OUT_OF_MEMORY, 0),
        ("import ctypes; ctypes.string_at(0)", Outcome.CRASHED, 0),
        ("import os; os.fork()", Outcome.FORBIDDEN, 0),
        ("import os; os._exit(0)", Outcome.FAILED, 0),
    ],
)
def test_whole_programs(judge: Judge, program: str, outcome: Outcome, held: int) -> None:
    verdict = one(judge, ADD, program)
    assert verdict.outcome is outcome, verdict
    assert (verdict.tests_passed, verdict.tests_total) == (held, 2)
    assert verdict.trust is Trust.SPLIT
    assert verdict.first_failing == ("" if verdict.passed else f"test {held + 1} of 2")


def test_a_run_leaves_nothing_to_the_next(judge: Judge) -> None:
    program = "import os\nprint(sum(map(int, input().split())) + len(os.listdir('.')))\nopen('left', 'w').write('x')"
    assert one(judge, ADD, program).passed
    assert one(judge, ADD, program).passed


@pytest.mark.parametrize(
    ("printed", "expected", "same"),
    [
        ("1 2\n3", "1 2\n3\n", True),
        ("1  2 \n3", "1 2\n3\n\n", True),
        ("0.3333333", "0.33333333333", True),
        ("1000000.1", "1000000.2", True),
        ("1.0", "1", True),
        ("YES", "Yes", False),
        ("2\n1", "1\n2", False),
        ("1 2 3", "1 2", False),
        ("1\n2", "1 2", False),
        ("", "", True),
        ("", "0", False),
        ("nan", "1", False),
        ("inf", "5", False),
    ],
)
def test_output_is_compared_by_the_documented_rule(printed: str, expected: str, same: bool) -> None:
    assert same_output(printed, expected) is same


PAIRS = CallTests(("[[1, 2, 3], 2]", "[[], 1]"), ("[[1, 2], [3]]", "[]"))
BATCH = "def batch(x, n): return [x[i:i + n] for i in range(0, len(x), n)]"
CHUNKS = "def f(x, n): return tuple(tuple(x[i:i + n]) for i in range(0, len(x), n))"


@pytest.mark.parametrize(
    ("program", "outcome"),
    [
        (CHUNKS, Outcome.PASSED),
        (
            "class Solution:\n    def f(self, x: List[int], n):\n        return list(batch(x, n))\n" + BATCH,
            Outcome.PASSED,
        ),
        ("def f(x, n): return [x]", Outcome.FAILED),
        ("def f(x): return x", Outcome.ERROR),
        ("def g(x): return x", Outcome.ERROR),
    ],
)
def test_calls_with_json(judge: Judge, program: str, outcome: Outcome) -> None:
    verdict = one(judge, PAIRS, program)
    assert verdict.outcome is outcome, verdict
    assert verdict.tests_total == 2


def test_calls_against_a_reference(judge: Judge) -> None:
    tests = ReferenceInputs("def f(x): return sum(x) / len(x)", ("[[1, 2]]", "[[0.1, 0.2, 0.3]]"), 1e-6)
    assert one(judge, tests, "def f(x): return sum(x) / len(x) + 1e-9").passed
    verdict = one(judge, tests, "def f(x): return sum(x) / 2")
    assert (verdict.outcome, verdict.tests_passed, verdict.first_failing) == (Outcome.FAILED, 1, "call 2 of 2")


@pytest.mark.parametrize(("result", "right"), [(1e9 + 50.0, True), (1e9 + 200.0, False), (1e9 - 50.0, True)])
def test_large_results_are_compared_by_their_size_too(judge: Judge, result: float, right: bool) -> None:
    tests = ReferenceInputs("def f(x): return 1e9", ("[0]",), 1e-6)
    assert one(judge, tests, f"def f(x): return {result!r}").passed is right


def test_calls_with_numbers_beyond_pythons_limit_of_digits(judge: Judge) -> None:
    long = "7" * 5000
    tests = CallTests((f"[{long}]",), (long,))
    assert one(judge, tests, "def f(x): return x").passed
    assert one(judge, tests, "def f(x): return x + 1").outcome is Outcome.FAILED


PYTEST = """
import pytest
from solution import square

@pytest.mark.parametrize("x", [1, 2, 3])
def test_squares(x):
    assert square(x) == x ** 2

def test_refuses_text():
    with pytest.raises(TypeError):
        square("a")
"""


@pytest.mark.parametrize(
    ("program", "outcome", "held", "failing"),
    [
        ("def square(x): return x * x", Outcome.PASSED, 4, ""),
        ("def square(x): return x * x if x < 3 else 0", Outcome.FAILED, 2, "test_squares[3]"),
        ("def square(x): return x / 0", Outcome.ERROR, 0, "test_squares[1]"),
        ("def square(x): return x * (x if isinstance(x, int) else 1)", Outcome.FAILED, 3, "test_refuses_text"),
        ("def cube(x): return x", Outcome.ERROR, 0, ""),
        ("import os; os._exit(0)", Outcome.ERROR, 0, ""),
        ("def square(x):\n    import os; os._exit(0)", Outcome.ERROR, 0, None),
    ],
)
def test_pytest_files(judge: Judge, program: str, outcome: Outcome, held: int, failing: str | None) -> None:
    verdict = one(judge, PytestFile(PYTEST), program, "square", "def square(x): return x * x")
    assert verdict.outcome is outcome, verdict
    assert verdict.tests_passed == held
    assert failing is None or verdict.first_failing == failing
    # `raises` looks at how the sample fails, which only plain Python shows exactly.
    assert verdict.trust is Trust.SHARED
    with Judge(1, Limits(cpu_seconds=1.0, wall_seconds=5.0), trust="split") as apart:
        split = one(apart, PytestFile(PYTEST), program, "square")
    assert (split.outcome, split.tests_passed, split.trust) == (outcome, held, Trust.SPLIT)


def test_tests_that_print_and_read_do_not_disturb_the_judge(judge: Judge) -> None:
    check = "import os\nprint('x' * 100000)\nos.write(1, b'y' * 1000)\nassert not os.read(0, 10)\n"
    tests = CheckFunction(check + "def check(candidate):\n    print(candidate(1))\n    assert candidate(1) == 1\n")
    assert [one(judge, tests, "def f(x): return x").passed for _ in range(3)] == [True] * 3


CROSSING = {
    "numbers": "f(float('inf')) == float('inf') and f(1 + 2j) == 1 + 2j and f(10 ** 5000) == 10 ** 5000",
    "not a number": "f(float('nan')) != f(float('nan'))",
    "negative zero": "str(f(-0.0)) == '-0.0'",
    "nested": "f([(1, {2: {3}}), b'x', None]) == [(1, {2: {3}}), b'x', None]",
    "lone surrogate": "f('\\ud800') == '\\ud800'",
    "collections": "f(collections.Counter('aab'))['a'] == 2",
    "ranges": "f(range(3)) == range(3)",
    "generators": "list(count(3)) == [0, 1, 2]",
    "a generator is no list": "count(3) != [0, 1, 2]",
    "dict views": "f({1: 2}.keys()) == {1: 2}.keys()",
    "closures": "adder(2)(3) == 5",
    "instances go back": "norm(Point(3, 4)) == 5",
}
#: what only plain Python shows exactly
TOGETHER = {
    "types are kept": "type(f(True)) is bool and type(f(1.0)) is float and type(f((1,))) is tuple",
    "types": "f(int) is int",
    "slices": "f(slice(1)) == slice(1)",
    "functions of the tests": "apply(lambda x: x + 1, 2) == 3",
    "classes": "Point(1, 2).x == 1 and Point(1, 2).total() == 3 and str(Point(1, 2)) == '1/2'",
    "errors": "raised(ValueError)",
}
WORLD = """
from collections import namedtuple
def f(x): return x
def apply(g, x): return g(x)
def count(n): yield from range(n)
def adder(n): return lambda x: x + n
def append(x): x.append(4); x[0][0] = 9
class Point:
    def __init__(self, x, y): self.x, self.y = x, y
    def total(self): return self.x + self.y
    def __str__(self): return f"{self.x}/{self.y}"
def norm(p): return (p.x ** 2 + p.y ** 2) ** 0.5
def fail(): raise ValueError("no")
"""
SETUP = """
def raised(kind):
    try:
        fail()
    except kind as error:
        return str(error) == "no"
"""


@pytest.mark.parametrize("what", CROSSING)
def test_plain_data_crosses(judge: Judge, what: str) -> None:
    verdict = one(judge, AssertList((f"assert {CROSSING[what]}",)), WORLD, reference=WORLD)
    assert verdict.passed, verdict
    assert verdict.trust is Trust.SPLIT


@pytest.mark.parametrize("what", TOGETHER)
def test_what_needs_the_objects_themselves_runs_in_one_process(judge: Judge, what: str) -> None:
    tests = AssertList((f"assert {TOGETHER[what]}",), SETUP if what == "errors" else "")
    verdict = one(judge, tests, WORLD, reference=WORLD)
    assert verdict.passed, verdict
    assert verdict.trust is Trust.SHARED


def test_arguments_are_changed_in_place(judge: Judge) -> None:
    setup = "inner = [1]\nouter = [inner, 2]\nappend(outer)"
    tests = AssertList(("assert outer == [[9], 2, 4]", "assert outer[0] == [9]"), setup)
    assert one(judge, tests, WORLD).passed


def test_what_cannot_cross_is_judged_in_one_process_and_labelled(judge: Judge) -> None:
    tests = AssertList(("assert f(Mine()) == 3",), "class Mine:\n    value = 3\n")
    program = "def f(x): return x.value"
    verdict = one(judge, tests, program, reference=program)
    assert (verdict.outcome, verdict.trust) == (Outcome.PASSED, Trust.SHARED)
    wrong = one(judge, tests, "def f(x): return 4", reference=program)
    assert (wrong.outcome, wrong.trust) == (Outcome.FAILED, Trust.SHARED)
    alone = one(judge, tests, program)
    assert (alone.outcome, alone.trust) == (Outcome.PASSED, Trust.SHARED)
    with Judge(1, trust="split") as apart:
        split = one(apart, tests, program, reference=program)
    assert (split.outcome, split.trust) == (Outcome.ERROR, Trust.SPLIT)


def test_helpers_come_from_the_prompt_and_not_from_the_sample(judge: Judge) -> None:
    prompt = "def double(x):\n    return 2 * x\n\ndef f(x):\n    '''Half of it.'''\n"
    check = CheckFunction("def check(candidate):\n    assert double(candidate(4)) == 4\n")
    problem = Problem("Own/0", "own", prompt, "f", check, "    return x / 2\n")
    right = prompt + "    return x / 2\n"
    forged = right.replace("x / 2", "7") + "def double(x):\n    return 4\n"
    assert [verdict.passed for verdict in judge.run([(problem, right), (problem, forged)])] == [True, False]


def test_every_kind_survives_the_run_folder() -> None:
    from isobudget.records.rows import problem_of, row_of

    observed = (ObservedCalls(("[1]",)), ObservedPrograms(("1", "2")))
    kinds = (PAIRS, ADD, PytestFile("x", "m"), ReferenceInputs("x", ("[1]",), 0.5), *observed)
    for tests in (*kinds, AssertList(("assert f",), "s"), CheckFunction("c")):
        problem = Problem("Own/0", "own", "p", "f", tests)
        assert problem_of(row_of(problem)) == problem


def test_apps_problems(judge: Judge, shared_data: Path) -> None:
    judged = 0
    for folder in sorted((shared_data / "apps_5" / "train").iterdir()):
        data = json.loads((folder / "input_output.json").read_text())
        name = data.get("fn_name", "")
        if name:
            inputs, outputs = (tuple(map(json.dumps, data[one])) for one in ("inputs", "outputs"))
            tests: Tests = CallTests(inputs, outputs, "apps")
        else:
            tests = ProgramTests(tuple(data["inputs"]), tuple(data["outputs"]), "apps")
        problem = Problem(folder.name, "apps", "", name or "main", tests)
        graded = json.loads((folder / "gen_solutions.json").read_text())
        for sample, verdict in zip(graded, judge.run((problem, one["code"]) for one in graded), strict=True):
            assert verdict.passed == (sample["result"] is True), (folder.name, sample["result"], verdict)
            judged += 1
    assert judged == 83
