"""Calls with JSON and printed tokens: what counts as the expected answer, kind by kind."""

from __future__ import annotations

import json

import pytest

from isobudget.judge import Judge, Outcome
from isobudget.judge.trusted.compare import same_output
from isobudget.problems.problem import CallTests, Form, Problem

NAN, INF = float("nan"), float("inf")
LINKED = "class Solution:\n    def f(self, head: Optional[ListNode]) -> Optional[ListNode]:\n"
TREE = "class Solution:\n    def f(self, root: Optional[TreeNode]) -> {}:\n"
#: what it is: arguments, the expected result, program, whether it is right
CASES: dict[str, tuple[list[object], object, str, bool]] = {
    "near": ([1], 0.1, "def f(x): return 0.1 + 1e-9", True),
    "far": ([1], 0.1, "def f(x): return 0.1001", False),
    "whole numbers are exact": ([1], 10**9 + 7, "def f(x): return 10 ** 9 + 8", False),
    "a whole float": ([1], 3, "def f(x): return 3.0", True),
    "a float near a whole number": ([1], 3, "def f(x): return 3.0000000001", False),
    "near at depth": ([1], {"a": [1.5, [2.5]]}, "def f(x): return {'a': (1.5 + 1e-9, [2.5])}", True),
    "nan": ([1], [1.0, NAN], "def f(x): return [1.0, float('nan')]", True),
    "a number for nan": ([1], NAN, "def f(x): return 1.0", False),
    "a large number for infinity": ([1], INF, "def f(x): return 1e308", False),
    "a generator": ([3], [0, 1, 2], "def f(x): yield from range(x)", True),
    "a map": ([3], [0, 1, 2], "def f(x): return map(int, range(x))", True),
    "a range": ([3], [0, 1, 2], "def f(x): return range(x)", True),
    "a short range": ([3], [0, 1, 2], "def f(x): return range(x - 1)", False),
    "keys": ([{"a": 1}], ["a"], "def f(x): return x.keys()", True),
    "values": ([{"a": 1}], [1], "def f(x): return x.values()", True),
    "items": ([{"a": 1}], [["a", 1]], "def f(x): return x.items()", True),
    "a set": ([3], [0, 1, 2], "def f(x): return set(range(x))", False),
    "a deque": ([2], [0, 1], "from collections import deque\ndef f(x): return deque(range(x))", True),
    "an array": ([2], [[0, 0], [0, 0]], "import numpy as np\ndef f(x): return np.zeros((x, x), int)", True),
    "an empty array": ([2], 5, "import numpy as np\ndef f(x): return np.array([])", False),
    "half infinity": ([2], 10**6, "import numpy as np\ndef f(x): return np.float16('inf')", False),
    "in place": ([[3, 1, 2]], [1, 2, 3], "def f(x): x.sort()", True),
    "not in place": ([[3, 1, 2]], [1, 2, 3], "def f(x): x = sorted(x)", False),
    "nothing is expected": ([[1]], None, "def f(x): x.append(2)", True),
    "something for nothing": ([[1]], None, "def f(x): return x", False),
    "one item for a list": ([1], [5], "def f(x): return 5", False),
    "a static method": ([2], 4, "class Solution:\n    @staticmethod\n    def f(x): return 2 * x", True),
    "names of typing": ([[1]], 1, "class Solution:\n    def f(self, x: List[int]) -> Optional[int]: return x[0]", True),
    "a linked list": (
        [[1, 2, 3]], [3, 2, 1],
        LINKED + "        p = None\n        while head: head.next, p, head = p, head, head.next\n        return p",
        True,
    ),
    "a linked list as it was": ([[1, 2, 3]], [3, 2, 1], LINKED + "        return head", False),
    "no linked list": ([[]], [], LINKED + "        return head", True),
    "a tree": (
        [[3, 9, 20, None, None, 15, 7]], 3,
        TREE.format("int") + "        return 0 if not root else 1 + max(self.f(root.left), self.f(root.right))", True,
    ),
    "a tree turned": (
        [[4, 2, 7, 1, 3]], [4, 7, 2, None, None, 3, 1],
        TREE.format("Optional[TreeNode]")
        + "        if root: root.left, root.right = self.f(root.right), self.f(root.left)\n        return root", True,
    ),
    "equal to everything": ([1], 2, "class A:\n    def __eq__(self, o): return True\ndef f(x): return A()", False),
    "a number equal to everything": (
        [1], 2, "class A(int):\n    def __eq__(self, o): return True\n    __hash__ = int.__hash__\nf = lambda x: A(5)",
        False,
    ),
    "a list equal to everything": (
        [1], [1], "class L(list):\n    def __eq__(self, o): return True\ndef f(x): return L([2])", False,
    ),
    "a coroutine": ([1], 2, "async def f(x): return x + 1", False),
    "an object that can be called": ([1], 2, "class A:\n    def __call__(self, x): return x + 1\nf = A()", True),
}  # fmt: skip


def test_results_of_calls() -> None:
    pairs = []
    for name, (arguments, expected, program, _) in CASES.items():
        tests = CallTests((json.dumps(arguments),), (json.dumps(expected),))
        pairs.append((Problem(name, "own", "", "f", tests, None, Form.TEXT), program))
    with Judge(workers=2) as judge:
        found = {problem.task_id: verdict for (problem, _), verdict in zip(pairs, judge.run(pairs), strict=True)}
    assert {name: found[name] for name, case in CASES.items() if found[name].passed != case[3]} == {}
    odd = {name: verdict for name, verdict in found.items() if verdict.outcome not in
           (Outcome.PASSED, Outcome.FAILED, Outcome.ERROR)}  # fmt: skip
    assert odd == {}


@pytest.mark.parametrize(
    ("rules", "program", "right"),
    [
        ("apps", "def f(x): return 5", True),
        ("livecodebench", "def f(x): return 5", False),
        ("livecodebench", "def f(x): return (5,)", True),
        ("livecodebench", "def f(x): return [5.0000001]", False),
    ],
)
def test_rules_of_benchmarks(rules: str, program: str, right: bool) -> None:
    problem = Problem("a", "b", "", "f", CallTests(("[1]",), ("[5]",), rules), None, Form.TEXT)
    with Judge(workers=1) as judge:
        (verdict,) = judge.run([(problem, program)])
    assert verdict.passed is right


TOKENS = [
    ("1.5", "1.500001", True), ("1.5", "1.6", False), ("3", "3.0", True), ("3.0", "3", True), ("1e3", "1000", True),
    ("007", "7", False), ("7", "007", True), ("-0", "0", True), ("1_000", "1000", False), ("1000", "1_000", False),
    ("nan", "nan", True), ("NaN", "nan", False), ("inf", "1e999", False), ("1000000007", "1000000008", False),
    ("100000.0", "100000.5", True), ("100000.0", "100002", False), ("a b", "a  b", True), ("a b", "a\nb", False),
    ("a\n\nb", "a\nb", True), ("YES", "yes", False), ("x", "", False), ("", "x", False), ("1 2 3", "1 2 3 ", True),
    ("0.0", "1e-9", True), ("0.0", "0.001", False), ("0.5", ".5", True), ("1.0", "1,0", False), ("0x10", "16", False),
    ("1.5", "Infinity", False), ("1.0", "\u0661.\u0660", False), ("12", "\u0661\u0662", False),
    ("2024-01-01", "2024-1-1", False),
]  # fmt: skip


@pytest.mark.parametrize(("expected", "printed", "same"), TOKENS)
def test_printed_tokens(expected: str, printed: str, same: bool) -> None:
    assert same_output(printed, expected, "own") is same
