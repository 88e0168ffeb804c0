"""Spellings of answers: fences, thoughts, end tokens, lost indentation, docstrings said again, helpers in other blocks.

Each line of `spellings.jsonl` is the same right program, written down in another way; what comes out must compute what
was asked for, but where only an unfinished thought holds it, or a tab stands behind spaces.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isobudget.problems.problem import AssertList, Form, Problem
from isobudget.prompts import extract
from support.extraction import result

HEAD = '''def total(numbers):
    """Sum of the doubled numbers.
    >>> total([1, 2])
    6
    """
'''
TESTS = AssertList(("assert total([1, 2]) == 6",))
SOURCE = Problem("own/0", "own", HEAD, "total", TESTS)
TEXT = Problem("own/1", "own", "Write total.", "total", TESTS, form=Form.TEXT)
CASES = [json.loads(line) for line in Path(__file__).with_name("spellings.jsonl").read_text().splitlines()]
#: these go on the head, which a task in words does not have
GOES_ON = ("body", "docstring", "prose then body", "closes", "nested function", "nbsp")


def is_right(program: str) -> bool:
    try:
        return result(program) == 6
    except (SyntaxError, NameError, KeyError):
        return False


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_completions(case: dict[str, str]) -> None:
    assert is_right(extract("function", SOURCE, HEAD, case["text"]).program) is case["right"]


@pytest.mark.parametrize(
    "case", [one for one in CASES if not one["name"].startswith(GOES_ON)], ids=lambda case: case["name"]
)
def test_chat_answers(case: dict[str, str]) -> None:
    assert is_right(extract("block", TEXT, "", case["text"]).program) is case["right"]
