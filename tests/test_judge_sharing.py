"""Screened samples that share a process: what is screened out, and that the verdicts are those of the unshared way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isobudget.judge import Judge, Limits, Outcome, Verdict
from isobudget.judge.screening import objection
from isobudget.problems.problem import CheckFunction, Problem
from test_judge_data import humaneval

LIMITS = Limits(cpu_seconds=0.5, wall_seconds=10.0, memory_mb=256, output_kb=16)
CHECK = CheckFunction("def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(3) == 9\n")
SQUARE = Problem("Own/0", "own", "", "square", CHECK)


@pytest.mark.parametrize(
    "program",
    [
        "import math, re\nfrom typing import List, Optional\nfrom collections import Counter, defaultdict, deque",
        "import heapq\nfrom functools import lru_cache\n@lru_cache(None)\ndef f(n): return f(n - 1) if n else 0",
        "def f(x):\n    y = sorted(x, key=lambda z: -z)\n    y.append(1)\n    return ''.join(map(str, y)).format(1)",
        "def f(d):\n    try: d['a'] += 1\n    except KeyError as error: print(error)\n    return {**d}",
        "def f():\n  n = 0\n  def g():\n    nonlocal n\n    n += 1\n    yield n\n  return list(g())",
    ],
)
def test_ordinary_programs_may_share(program: str) -> None:
    assert objection(compile(program, "p", "exec")) == ""


@pytest.mark.parametrize(
    "program",
    [
        "import sys",
        "import os.path",
        "from typing import sys",
        "import typing as t\nt.sys.modules.clear()",
        "def f():\n    def g():\n        import random",
        "from math import *",
        "import math\nmath.pi = 3",
        "import math\nmath.pi += 3",
        "import math\ndel math.pi",
        "import math\nfor math.pi in [3]: pass",
        "import math\n[0 for math.pi in [3]]",
        "import math\nwith open('x') as math.pi: pass",
        "import math\nsetattr(math, 'pi', 3)",
        "s = setattr",
        "class A: pass",
        "f = lambda: eval('1')",
        "(x for x in []).gi_frame.f_back.f_globals",
        "def f(): return f.__globals__",
        "def f():\n    try: 1 / 0\n    except Exception as e: return e.__traceback__",
        "from functools import update_wrapper",
        "from operator import attrgetter",
        "from copy import dispatch_table",
        "from typing import get_type_hints",
        "from collections import abc",
        "from typing import Sequence\nSequence.register(int)",
        "async def f(): pass",
        "__builtins__",
        "open('x')",
    ],
)
def test_what_can_outlast_its_namespace_may_not_share(program: str) -> None:
    assert objection(compile(program, "p", "exec")) != ""


def both(programs: list[str]) -> tuple[list[Verdict], list[Verdict]]:
    pairs = [(SQUARE, program) for program in programs]
    with Judge(1, LIMITS) as alone, Judge(1, LIMITS, share=True) as sharing:
        return list(alone.run(pairs)), list(sharing.run(pairs))


def told(verdict: Verdict) -> tuple[object, ...]:
    return verdict.outcome, verdict.detail, verdict.tests_passed, verdict.first_failing, verdict.trust


def test_odd_samples_end_as_they_do_alone() -> None:
    right = "def square(x): return x * x"
    programs = [
        right,
        "def square(x): return 4",
        "def square(x): return x / 0",
        "def square(x):",
        "while True: pass",
        right,
        "def square(x): return square(x)",
        "def square(x): return 'x' * (1 << 40)",
        "print('x' * 20000)\n" + right,
        right,
        "import os; os._exit(0)",
        "import ctypes; ctypes.string_at(0)",
        "def square(x): yield x",
        "def other(x): return x",
        "square = 3",
        "def square(x): raise SystemExit",
        "import math\nmath.sqrt = lambda x: 2\n" + right,
        "import math\ndef square(x): return round(math.sqrt(x ** 4))",
        "x = (" * 500,
        right,
    ]
    alone, sharing = both(programs)
    assert [told(verdict) for verdict in alone] == [told(verdict) for verdict in sharing]
    assert [verdict.passed for verdict in sharing].count(True) == 6
    assert all(0 < verdict.seconds < 1.0 for verdict in sharing)


def test_a_sample_leaves_nothing_behind_for_the_next() -> None:
    programs = [
        "hidden = 5\ndef square(x): return x * x",
        "def square(x): return x * x if 'hidden' not in {**{}} and hidden else 0",
        "def sorted(x): return x\ndef square(x): return x * x",
        "def square(x): return x * x if sorted([2, 1]) == [1, 2] else 0",
        "def square(x, seen=[]): seen.append(x); return x * len(seen) * 2",
        "def square(x, seen=[]): seen.append(x); return x * len(seen) * 2",
    ]
    alone, sharing = both(programs)
    assert [told(verdict) for verdict in alone] == [told(verdict) for verdict in sharing]
    assert sharing[1].outcome is Outcome.ERROR


def test_verdicts_on_real_samples_are_equal(shared_data: Path) -> None:
    by_entry = {problem.entry_point: problem for problem, _ in humaneval(shared_data)}
    pairs = []
    with (shared_data / "codegen16b" / "samples.jsonl").open() as lines:
        for line in lines:
            record = json.loads(line)
            entry = record["prompt"].rpartition("def ")[2].partition("(")[0]
            pairs += [(by_entry[entry], record["prompt"] + text) for text in record["samples"][:2]]
    with Judge() as alone, Judge(share=True) as sharing:
        first, second = list(alone.run(pairs)), list(sharing.run(pairs))
    assert len(first) == 328
    assert [told(verdict) for verdict in first] == [told(verdict) for verdict in second]
