"""Problems to extract programs for, and what holds of every extraction."""

from __future__ import annotations

from isobudget.problems.problem import AssertList, CallTests, Form, Problem, ProgramTests
from isobudget.prompts import Extracted, extract

HEAD = '''from typing import List


def double(n: int) -> int:
    return 2 * n


def total(numbers: List[int]) -> int:
    """Sum of the doubled numbers.
    >>> total([1, 2])
    6
    """
'''
SOURCE = Problem("own/0", "own", HEAD, "total", AssertList(("assert total([1, 2]) == 6",)))
TEXT = Problem("own/1", "own", "Write total.", "total", AssertList(("assert total([1]) == 2",)), form=Form.TEXT)
WHOLE = Problem("own/2", "own", "Read and print.", "", ProgramTests(("1",), ("2",)), form=Form.TEXT)
METHOD = Problem("own/3", "own", "LeetCode.", "total", CallTests(("[1]",), ("2",)), form=Form.TEXT)

BODY = "    return sum(double(n) for n in numbers)\n"


def taken(rule: str, text: str, problem: Problem = SOURCE, head: str | None = None) -> Extracted:
    """Extract, and check what holds of every extraction."""
    head = (HEAD if problem is SOURCE else "") if head is None else head
    found = extract(rule, problem, head, text)
    assert found.before + found.kept + found.after == text
    return found


def result(program: str, argument: object = (1, 2)) -> object:
    """What the program's `total` makes of an argument. The programs of these tests are our own."""
    namespace: dict[str, object] = {}
    exec(compile(program, "<program>", "exec"), namespace)
    return namespace["total"](argument)  # type: ignore[operator]


def fenced(code: str, language: str = "python", mark: str = "```") -> str:
    """Code in a Markdown block."""
    return f"{mark}{language}\n{code}{mark}\n"
