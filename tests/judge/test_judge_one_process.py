"""Whole programs that run all tests in one process: what is screened out, and that the verdicts are the same."""

from __future__ import annotations

import dis
import time
from pathlib import Path
from types import CodeType

import pytest

from isobudget.judge import Judge, Limits, Outcome, Verdict
from isobudget.judge.messages import Case, WorkerSettings
from isobudget.judge.trusted import zygotes
from isobudget.judge.trusted.host import Host
from isobudget.judge.trusted.kinds import programs
from isobudget.judge.untrusted import screening
from isobudget.judge.untrusted.screening import objection
from isobudget.problems.problem import CheckFunction, Problem, ProgramTests

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
        "def f(x): return type(x).__name__\nif __name__ == '__main__': print(f(1))",
        "def f():\n  n = 0\n  def g():\n    nonlocal n\n    n += 1\n    yield n\n  return list(g())",
    ],
)
def test_ordinary_programs_may_run_their_tests_in_one_process(program: str) -> None:
    assert objection(compile(program, "p", "exec")) == ""


@pytest.mark.parametrize(
    "program",
    [
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
def test_what_can_outlast_its_namespace_may_not(program: str) -> None:
    assert objection(compile(program, "p", "exec")) != ""


@pytest.mark.parametrize(
    "program",
    [
        "n = int(input())\nprint(n)\nexit()",
        "import sys\ninput = sys.stdin.readline\nsys.setrecursionlimit(999)\nif __name__ == '__main__': print(input())",
        "from sys import stdin, stdout\nstdout.write(stdin.buffer.read().decode())",
    ],
)
def test_whole_programs_may_read_and_print(program: str) -> None:
    assert objection(compile(program, "p", "exec")) == ""


@pytest.mark.parametrize(
    "program",
    [
        "import sys\nsys.modules.clear()",
        "import sys\nsys.stdin = None",
        "import sys\nsys.settrace(print)",
        "from sys import path",
        "import sys as s\ns._getframe()",
        "open(0)",
        "import os",
        "import threading",
        "import atexit",
        "import random",
        "__builtins__['print'] = None",
        "import sys\nsys.displayhook(1)",
        "class A: pass",
    ],
)
def test_whole_programs_may_not_reach_further(program: str) -> None:
    assert objection(compile(program, "p", "exec")) != ""


ADD = Problem("Own/1", "own", "", "", ProgramTests(("1 2\n", "5 7\n", "1 1\n"), ("3\n", "12\n", "2\n")))
SUM = "print(sum(map(int, input().split())))\n"


def test_whole_programs_end_as_they_do_with_a_process_for_each_test() -> None:
    programs = [
        SUM,
        "import sys\n" + SUM + "sys.exit(0)",
        "import sys\nprint(sum(map(int, sys.stdin.buffer.read().split())))\nsys.stdout.close()\nsys.stdin.close()",
        "from sys import *\n" + SUM,
        "import sys\nprint(sum(map(int, sys.stdin.read().split())), end='')",
        "seen = []\n" + SUM + "seen.append(1)\nprint(end=' ' * len(seen))",
        "import sys\nif sys.stdin.seekable(): " + SUM,
        "import sys\nsys.setrecursionlimit(200)\ndef f(n): return n and f(n - 1)\nf(150)\n" + SUM,
        "def f(n): return n and f(n - 1)\nf(800)\n" + SUM,
        "import os\n" + SUM,
        "print(3)",
        "print(3)\nexit(1)",
        "import sys\nsys.exit('no')",
        "print(input() + 1)",
        "print((",
        "raise ValueError('a\\nb')",
        "def f(): return f()\nf()",
        "x = 'x' * (1 << 40)",
        "while True: pass",
        "print('x' * (1 << 20))",
        "x = [0] * (1 << 22)\n" + SUM,
        "import sys\nsys.stdout.write('3')\nsys.stdout.detach()",
        "input()\nprint(input())",
        "",
    ]
    each, one = both(programs, ADD)
    assert [told(verdict) for verdict in each] == [told(verdict) for verdict in one]
    assert [verdict.passed for verdict in one].count(True) == 11
    assert all(verdict.seconds > 0 and verdict.peak_memory_mb > 1 for verdict in one)


def test_a_program_leaves_nothing_behind_for_its_next_test() -> None:
    programs = [
        "try:\n    left\nexcept NameError:\n    left = 1\n    " + SUM,
        "def f(x, seen=[]):\n    seen.append(x)\n    return len(seen)\nprint(f(1) * sum(map(int, input().split())))",
        "import sys\nsys.setrecursionlimit(50)\n" + SUM,
        "from functools import lru_cache\n@lru_cache(None)\ndef f(): return input()\n" + SUM.replace("input", "f"),
        "print(sum(map(int, input().split())), end='')",
    ]
    each, one = both(programs, ADD)
    assert [verdict.passed for verdict in each] == [verdict.passed for verdict in one] == [True] * len(programs)


def test_functions_and_programs_take_turns_in_one_worker() -> None:
    pairs = [(ADD, SUM), (SQUARE, "def square(x): return x * x"), (ADD, "print(3)")] * 3
    with Judge(1, LIMITS) as judge:
        assert [verdict.passed for verdict in judge.run(pairs)] == [True, True, False] * 3


def both(programs: list[str], problem: Problem) -> tuple[list[Verdict], list[Verdict]]:
    """Verdicts with a process for each test, and with one where that may be."""
    pairs = [(problem, program) for program in programs]
    with Judge(1, LIMITS, one_process=False) as each, Judge(1, LIMITS) as one:
        return list(each.run(pairs)), list(one.run(pairs))


def forks(program: str, folder: Path, repeat: int = 1) -> tuple[Verdict, int]:
    """What becomes of a program's tests when one process may run them, and how many processes that takes."""
    folder.chmod(0o711)
    started: list[int] = []
    settings = WorkerSettings(0, 0, (), (), True, LIMITS, "auto", base=str(folder))
    host = Host(settings, zygotes.launch(settings))
    host.beat = lambda: started.append(1)
    try:
        assert isinstance(ADD.tests, ProgramTests)
        given = {"inputs": ADD.tests.inputs * repeat, "outputs": ADD.tests.outputs * repeat}
        tests = programs.ProgramTests(Case("ProgramTests", given, "", "", "", None))
        return tests.judge(host, program), len(started)
    finally:
        host.close()


def test_what_is_screened_takes_one_process_and_else_every_test_has_its_own(tmp_path: Path) -> None:
    verdict, processes = forks(SUM, tmp_path)
    assert (verdict.outcome, verdict.tests_passed, processes) == (Outcome.PASSED, 3, 1)
    verdict, processes = forks("import os\n" + SUM, tmp_path)
    assert (verdict.outcome, verdict.tests_passed, processes) == (Outcome.PASSED, 3, 1 + 3)


def rounds_in(cpu_seconds: float) -> int:
    """How often an empty loop goes round in that time on this machine."""
    code, taken = compile("for n in range(1000000): pass", "loop", "exec"), []
    for _ in range(5):
        begun = time.process_time()
        exec(code, {})
        taken.append(time.process_time() - begun)
    return int(1_000_000 * cpu_seconds / sorted(taken)[2])


def test_tests_that_are_too_slow_together_have_the_limit_each(tmp_path: Path) -> None:
    # each within the limit and all twelve beyond it, also where the loop is now three times as fast or slow as before
    rounds = rounds_in(0.3 * LIMITS.cpu_seconds)
    verdict, processes = forks(f"for n in range({rounds}): pass\n" + SUM, tmp_path, repeat=4)
    assert (verdict.outcome, verdict.tests_passed, processes) == (Outcome.PASSED, 12, 1 + 12), verdict
    assert verdict.seconds > LIMITS.cpu_seconds


def test_imports_are_read_as_the_standard_library_reads_them() -> None:
    files = sorted(Path(dis.__file__).parent.glob("*.py"))[:60]
    codes = [compile(path.read_bytes(), str(path), "exec", dont_inherit=True) for path in files]
    codes.append(compile("\n".join(f"import m{number}" for number in range(700)), "many", "exec"))
    found = 0
    while codes:
        code = codes.pop()
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        theirs = [(one.opcode, one.arg) for one in dis.get_instructions(code) if one.opcode in screening.IMPORTING]
        assert list(screening.operations(code.co_code)) == theirs
        found += len(theirs)
    assert found > 1000


def told(verdict: Verdict) -> tuple[object, ...]:
    return verdict.outcome, verdict.detail, verdict.tests_passed, verdict.first_failing, verdict.trust
