"""Call-based tests with data in JSON, as APPS has them, and tests against a reference, as EvalPlus has them.

Both are run over the same wire as function tests. JSON results: a tuple counts as a list, at any depth; an expected
list of one item also stands for that item, as in APPS's own files. The entry point is a function, or a method of the
program's `class Solution`.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import json
import math
import random
import sys
from collections.abc import Iterator
from typing import Any

from isobudget.judge.messages import Case
from isobudget.judge.trusted.host import Host
from isobudget.judge.trusted.session import judge_over_wire
from isobudget.judge.verdict import Verdict

#: of the expected number, beside the problem's own tolerance: EvalPlus compares by numpy's `assert_allclose` with it
RELATIVE = 1e-7

#: what call-based programs find defined, as on the sites that they come from
PRELUDE = """
import bisect, collections, copy, functools, heapq, itertools, math, operator, random, re, string
from bisect import bisect_left, bisect_right, insort
from collections import Counter, OrderedDict, defaultdict, deque
from functools import cache, lru_cache, reduce
from heapq import heapify, heappop, heappush
from itertools import accumulate, chain, combinations, permutations, product
from math import ceil, comb, factorial, floor, gcd, inf, log, sqrt
from typing import *
"""


class _Numbered:
    """What tests by single calls have in common: they are numbered, and the first that fails is known by its number."""

    prelude = ""
    entry_point: str
    total: int
    running = 0

    def run(self, defined: dict[str, Any], held: set[int]) -> None:
        """Make every call and compare."""
        raise NotImplementedError

    def judge(self, host: Host, program: str) -> Verdict:
        """Judge a program over the wire."""
        return judge_over_wire(self, host, program)

    @property
    def asked(self) -> list[str]:
        """Every name that is asked of the sample."""
        return [self.entry_point]

    def first_failing(self, _error: BaseException) -> str:
        """Which call failed."""
        return f"call {self.running + 1} of {self.total}"

    def lacking(self, defined: dict[str, Any]) -> str:
        """What the program should define and does not, or an empty string."""
        return "" if defined else self.entry_point


class CallTests(_Numbered):
    """Calls with JSON arguments and the results that they must have."""

    prelude = PRELUDE

    def __init__(self, case: Case) -> None:
        tests = case.tests
        self.entry_point = case.entry_point
        with _long_numbers():
            self.arguments = [json.loads(text) for text in tests["arguments"]]
            self.results = [json.loads(text) for text in tests["results"]]
        self.total = len(self.results)

    @property
    def asked(self) -> list[str]:
        """The entry point, or the class whose method it is."""
        return [self.entry_point, "Solution"]

    def run(self, defined: dict[str, Any], held: set[int]) -> None:
        """Make every call and compare."""
        for number, (arguments, expected) in enumerate(zip(self.arguments, self.results, strict=True)):
            self.running = number
            function = defined.get(self.entry_point) or getattr(defined["Solution"](), self.entry_point)
            result = _as_json(function(*copy.deepcopy(arguments)))
            if result != expected and not (type(expected) is list and len(expected) == 1 and result == expected[0]):
                raise AssertionError(f"returned {_shown(result)}, expected {_shown(expected)}")
            held.add(number)


class ReferenceTests(_Numbered):
    """Calls whose results must be those of a reference, which runs here, on the trusted side."""

    def __init__(self, case: Case) -> None:
        tests = case.tests
        self.entry_point = case.entry_point
        self.tolerance = tests["tolerance"]
        self.inputs = [ast.literal_eval(text) for text in tests["inputs"]]
        self.total = len(self.inputs)
        space: dict[str, Any] = {"__name__": "reference"}
        exec(compile(tests["reference"], "<reference>", "exec", dont_inherit=True), space)
        random.seed(0)
        self.results = [space[self.entry_point](*copy.deepcopy(arguments)) for arguments in self.inputs]

    def run(self, defined: dict[str, Any], held: set[int]) -> None:
        """Make every call and compare with what the reference returned."""
        for number, (arguments, expected) in enumerate(zip(self.inputs, self.results, strict=True)):
            self.running = number
            result = defined[self.entry_point](*copy.deepcopy(arguments))
            if not (result == expected or (self.tolerance and _close(result, expected, self.tolerance))):
                raise AssertionError(f"returned {_shown(result)}, expected {_shown(expected)}")
            held.add(number)


@contextlib.contextmanager
def _long_numbers() -> Iterator[None]:
    """Let the tests hold whole numbers of any length; Python's limit stands again for what samples return."""
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        yield
    finally:
        sys.set_int_max_str_digits(before)


def _as_json(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_as_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _as_json(item) for key, item in value.items()}
    return value


def _close(value: Any, expected: Any, tolerance: float) -> bool:
    if isinstance(expected, float) and type(value) in (int, float):
        if math.isinf(expected) or expected != expected:
            return bool(value == expected or (value != value and expected != expected))
        return bool(abs(value - expected) <= tolerance + RELATIVE * abs(expected))
    if isinstance(expected, list | tuple) and type(value) is type(expected) and len(value) == len(expected):
        return all(_close(ours, theirs, tolerance) for ours, theirs in zip(value, expected, strict=True))
    return bool(value == expected)


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:
        return "a number too long to show"
    return text if len(text) <= 100 else text[:97] + "..."
