"""Comparison of outputs and results by the rules that docs/judge.md states."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isobudget.judge import Judge, Outcome
from isobudget.judge.trusted.compare import PRINTED, RESULT, Tolerance, same_output, same_result, stated
from isobudget.judge.unpacking import Array
from isobudget.problems.problem import CallTests, Problem, ProgramTests, ReferenceInputs


@pytest.mark.parametrize(
    ("printed", "expected", "same"),
    [
        ("1000000008", "1000000007", False),
        ("12345678901234567000", "12345678901234567890", False),
        ("2" + "0" * 400, "1" + "0" * 400, False),
        ("10101010101010101011", "10101010101010101010", False),
        ("7", "007", False),
        ("007", "007", True),
        ("+7", "7", True),
        ("-0", "0", True),
        ("7.0", "7", True),
        ("7.0000001", "7", False),
        ("1_000", "1000", False),
        ("\u0661", "1", False),
        ("1e3", "1000", False),
        ("1", "1.0", True),
        ("0.999999", "1.0", True),
        ("0.9999", "1.0", False),
        ("1000.0", "1e3", True),
        ("nan", "1.0", False),
        ("inf", "1e400", False),
        ("2e400", "1e400", False),
        ("1\n2", "1\n\n2\n", True),
        ("1\n\n\n2", "1\n2", True),
        ("1 2", "1\n2", False),
        ("Yes", "yes", False),
    ],
)
def test_own_rule(printed: str, expected: str, same: bool) -> None:
    assert same_output(printed, expected) is same


@pytest.mark.parametrize(
    ("printed", "expected", "same"),
    [
        ("1.0", "1", True),
        ("1.50", "1.5", True),
        ("0.30000000000000004", "0.3", False),
        ("1\n\n2", "1\n2", False),
        ("  1 2 ", "1 2", True),
        ("1  2", "1 2", True),
        ("a  b", "a b", False),
    ],
)
def test_livecodebench_compares_decimals_exactly(printed: str, expected: str, same: bool) -> None:
    assert same_output(printed, expected, "livecodebench") is same


@given(st.integers(), st.integers())
def test_whole_numbers_agree_only_if_they_are_equal(one: int, other: int) -> None:
    assert same_output(str(one), str(other)) is (one == other)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_agrees_with_itself_however_it_is_written(value: float) -> None:
    assert same_output(f"{value:.17e}", repr(value))
    assert same_result(value, value, RESULT)


def test_a_stated_tolerance_counts() -> None:
    assert same_output("0.33", "0.3333", tolerance=stated(0.01, PRINTED))
    assert not same_output("0.33", "0.3333", tolerance=stated(0.001, PRINTED))
    assert not same_output("3", "4", tolerance=stated(10.0, PRINTED))


@pytest.mark.parametrize(
    ("result", "tolerance", "same"),
    [
        ("1e-9", 1e-6, True),  # relative to 1, because 0.0 is smaller
        ("1e-5", 1e-6, False),
        ("1e-300", 0.0, False),
        ("0.0", 0.0, True),
        ("1e-9", None, False),  # without a stated tolerance only 0 is within 1e-6 of 0
    ],
)
def test_a_stated_tolerance_holds_near_zero_for_calls_as_for_printed_numbers(
    result: str, tolerance: float | None, same: bool
) -> None:
    tests = CallTests(("[]",), ("[0.0]",), tolerance=tolerance)
    program = f"def f():\n    return [{result}]\n"
    assert verdicts(Problem("Own/0", "own", "", "f", tests), program) == [Outcome.PASSED if same else Outcome.FAILED]
    if tolerance is not None:
        assert same_output(result, "0.0", tolerance=stated(tolerance, PRINTED)) is same


@pytest.mark.parametrize(
    ("ours", "expected", "same"),
    [
        (0.1 + 0.2, 0.3, True),
        ([1, (2, 0.1 + 0.2)], [1, (2, 0.3)], True),
        ({"a": 0.1 + 0.2}, {"a": 0.3}, True),
        ({"a": 1}, {"b": 1}, False),
        (math.nan, math.nan, True),
        (math.inf, 10**400, False),
        (math.inf, math.inf, True),
        (math.inf, 1e300, False),
        (10**400, 1e300, False),
        (0.1 + 0.2 + 1j, 0.3 + 1j, True),
        ("0.3", 0.3, False),
        (True, 1.0, True),
        (3.0, 3, True),
        (3.0000001, 3, False),
        (Array("<f8", (2,), [1.0, math.nan]), Array("<f8", (2,), [1.0, math.nan]), True),
        (Array("<f8", (1,), [1.0]), 1.0, False),
        (Array("<f8", (0,), []), 1.0, False),
        (Array("<f8", (2, 1), [1.0, 2.0]), Array("<f8", (1, 2), [1.0, 2.0]), False),
        (iter([1, 2]), iter([1, 2]), True),
        ([1, 2], iter([1, 2]), False),
    ],
)
def test_results(ours: Any, expected: Any, same: bool) -> None:
    assert same_result(ours, expected, Tolerance(1e-6)) is same


def verdicts(problem: Problem, *programs: str) -> list[Outcome]:
    with Judge(1) as judge:
        return [verdict.outcome for verdict in judge.run((problem, program) for program in programs)]


def test_a_checker_decides_where_several_answers_are_right() -> None:
    check = "def check(input, output, expected):\n    return sum(map(int, output.split())) == int(input)\n"
    problem = Problem("Own/0", "own", "", "", ProgramTests(("5\n",), ("2 3\n",), checker=check))
    assert verdicts(problem, "print(1, 4)", "print(1, 5)") == [Outcome.PASSED, Outcome.FAILED]
    raises = Problem("Own/0", "own", "", "", ProgramTests(("5\n",), ("2 3\n",), checker=check))
    assert verdicts(raises, "print('a')")[0] is not Outcome.PASSED


def test_a_reference_may_return_nan_or_a_generator_or_raise() -> None:
    reference = "def f(x):\n    if x < 0: raise ValueError(x)\n    return float('nan') if x else (n for n in [1, 2])\n"
    problem = Problem("Own/0", "own", "", "f", ReferenceInputs(reference, ("[0]", "[1]", "[-1]")))
    other = reference.replace("ValueError", "KeyError")
    none = "def f(x): return float('nan') if x else iter([1, 2])"
    assert verdicts(problem, reference, other, none) == [Outcome.PASSED, Outcome.ERROR, Outcome.FAILED]


def test_nodes_and_answers_in_place() -> None:
    place = Problem("Own/0", "own", "", "f", CallTests(("[[2, 1]]",), ("[1, 2]",)))
    assert verdicts(place, "def f(x): x.sort()", "def f(x): pass") == [Outcome.PASSED, Outcome.FAILED]
    tree = Problem("Own/0", "own", "", "f", CallTests(("[[1, 2, null, 3]]", "[[]]"), ("[1, null, 2, null, 3]", "[]")))
    mirror = (
        "class Solution:\n    def f(self, root: Optional[TreeNode]) -> Optional[TreeNode]:\n        if root:\n"
        "            root.left, root.right = self.f(root.right), self.f(root.left)\n        return root\n"
    )
    assert verdicts(tree, mirror, mirror.replace("root.left)", "None)")) == [Outcome.PASSED, Outcome.FAILED]
