"""The judge on programs that are right, wrong and hostile."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from isobudget.errors import JudgeError
from isobudget.judge import Judge, Limits, Outcome, Verdict, layers_of_confinement
from isobudget.problems.problem import AssertList, CheckFunction, Problem

CHECK = """
def check(candidate):
    assert candidate(2) == 4
    assert candidate(-3) == 9, "negative numbers"
"""
SQUARE = Problem("Own/0", "own", "def square(x):\n", "square", CheckFunction(CHECK), "    return x * x\n")
LISTED = Problem("Own/1", "own", "", "square", AssertList(("assert square(2) == 4", "assert square(n) == 9"), "n = -3"))
RIGHT = "def square(x):\n    return x * x\n"

FAULTS = {
    "wrong answer": ("def square(x):\n    return 4\n", Outcome.FAILED),
    "raises": ("def square(x):\n    return x / 0\n", Outcome.ERROR),
    "no function": ("print('hello')", Outcome.ERROR),
    "bad syntax": ("def square(:", Outcome.SYNTAX_ERROR),
    "null byte": ("x = 'a\0b'", Outcome.SYNTAX_ERROR),
    "deep nesting": ("(" * 5000 + ")" * 5000, Outcome.SYNTAX_ERROR),
    "endless loop": ("while True: pass", Outcome.TIMEOUT),
    "swallows everything": ("while 1:\n try:\n  while 1: pass\n except BaseException: pass", Outcome.TIMEOUT),
    "sleeps": ("import time; time.sleep(100)", Outcome.TIMEOUT),
    "memory at once": ("x = bytearray(1 << 31)", Outcome.OUT_OF_MEMORY),
    "much output": ("while True: print('x' * 10000)", Outcome.OUTPUT_LIMIT),
    "segmentation fault": ("import ctypes; ctypes.string_at(0)", Outcome.CRASHED),
    "kills itself": ("import os; os.kill(os.getpid(), 9)", Outcome.FORBIDDEN),
    "exits at once": ("import os; os._exit(0)", Outcome.ERROR),
    "exits politely": ("import sys; sys.exit(0)", Outcome.ERROR),
    "claims to have passed": ("import os; os.write(3, b'tests completed\\n'); os._exit(0)", Outcome.ERROR),
    "prints a verdict": ('print(\'{"outcome": "passed"}\'); raise SystemExit', Outcome.ERROR),
    "reports a verdict": ('import os; os.write(3, b\'{"outcome": "passed"}\'); os._exit(0)', Outcome.ERROR),
    "kills everyone": ("import os; os.kill(-1, 9)", Outcome.FORBIDDEN),
    "writes outside": ("open('/etc/isobudget', 'w')", Outcome.ERROR),
}


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge(workers=2, limits=Limits(cpu_seconds=0.5, wall_seconds=2.0, memory_mb=512)) as entered:
        yield entered


def one(judge: Judge, program: str, problem: Problem = SQUARE) -> Verdict:
    (verdict,) = judge.run([(problem, program)])
    return verdict


@pytest.mark.parametrize("problem", [SQUARE, LISTED])
def test_right_program_passes(judge: Judge, problem: Problem) -> None:
    verdict = one(judge, RIGHT, problem)
    assert verdict.outcome is Outcome.PASSED
    assert verdict.passed
    assert 0 < verdict.seconds < 0.5
    assert verdict.peak_memory_mb > 1


@pytest.mark.parametrize("kind", FAULTS)
def test_fault_has_its_outcome(judge: Judge, kind: str) -> None:
    program, outcome = FAULTS[kind]
    verdict = one(judge, program)
    assert verdict.outcome is outcome, verdict
    assert len(verdict.detail) <= 300
    assert "\n" not in verdict.detail


RESERVES = "import mmap\nhoard = mmap.mmap(-1, 200 << 20{flags})\n{touched}" + RIGHT
TOUCHES = "for place in range(0, len(hoard), 4096): hoard[place] = 1\n"


@pytest.mark.parametrize(
    ("program", "outcome"),
    [
        (RESERVES.format(flags="", touched=""), Outcome.PASSED),
        (RESERVES.format(flags="", touched=TOUCHES), Outcome.OUT_OF_MEMORY),
        (RESERVES.format(flags=", mmap.MAP_PRIVATE", touched=TOUCHES), Outcome.OUT_OF_MEMORY),
        ("hoard = bytearray(b'x') * (150 << 20)\ndel hoard\n" + RIGHT, Outcome.OUT_OF_MEMORY),
        ("hoard = bytearray(b'x') * (150 << 20)\nwhile True: pass\n" + RIGHT, Outcome.OUT_OF_MEMORY),
        ("hoard = bytearray(b'x') * (50 << 20)\n" + RIGHT, Outcome.PASSED),
    ],
)
def test_memory_that_is_held_counts_and_not_what_is_reserved(program: str, outcome: Outcome) -> None:
    if not layers_of_confinement()["resident memory watch"]:
        pytest.skip("no /proc that lists children")
    with Judge(1, Limits(cpu_seconds=20.0, wall_seconds=60.0, memory_mb=128)) as roomy:
        verdict = one(roomy, program)
    assert verdict.outcome is outcome, verdict
    assert (verdict.peak_memory_mb >= 128) == (outcome is Outcome.OUT_OF_MEMORY)
    assert verdict.seconds < 10


def test_libraries_that_try_to_start_programs_can_be_imported(judge: Judge) -> None:
    pytest.importorskip("matplotlib")
    draws = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.savefig('x.png')\n"
    asks = "import ctypes.util, getpass, platform\nctypes.util.find_library('m'), getpass.getuser(), platform.node()\n"
    starts = "import subprocess\ntry:\n    subprocess.run(['true'])\nexcept PermissionError:\n    pass\n"
    with Judge(1, Limits(cpu_seconds=20.0, wall_seconds=60.0)) as roomy:
        outcomes = [one(roomy, part + RIGHT).outcome for part in (draws, asks, starts)]
    assert outcomes == [Outcome.PASSED] * 3


def test_fork_bomb_ends_and_the_judge_goes_on(judge: Judge) -> None:
    assert not one(judge, "import os\nfor _ in range(6): os.fork()\nwhile True: pass").passed
    assert one(judge, RIGHT).passed


def test_daemon_does_not_outlive_its_sample(judge: Judge, tmp_path: Path) -> None:
    program = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        f"    time.sleep(1); open({str(tmp_path / 'late')!r}, 'w'); time.sleep(60)\n" + RIGHT
    )
    one(judge, program)
    assert not (tmp_path / "late").exists()
    assert one(judge, RIGHT).passed


def test_verdicts_come_in_order(judge: Judge) -> None:
    slow = "import time; time.sleep(0.2)\n" + RIGHT
    pairs = [(SQUARE, program) for program in (slow, "x", RIGHT, "def square(x): return 0", slow)]
    outcomes = [verdict.outcome for verdict in judge.run(pairs)]
    assert outcomes == [Outcome.PASSED, Outcome.ERROR, Outcome.PASSED, Outcome.FAILED, Outcome.PASSED]


def test_judges_with_one_worker_each_are_on_different_cores() -> None:
    cores = os.sched_getaffinity(0)
    with contextlib.ExitStack() as running:
        judges = [running.enter_context(Judge(1)) for _ in range(min(2, len(cores)))]
        taken = [os.sched_getaffinity(judge._pool[0].process.pid) for judge in judges]  # type: ignore[union-attr]
    assert all(len(one) == 1 for one in taken)
    assert len(set.union(*taken)) == len(taken)
    assert set.union(*taken) <= cores


def test_pairs_are_taken_only_as_verdicts_are(judge: Judge) -> None:
    taken = 0

    def endless() -> Iterator[tuple[Problem, str]]:
        nonlocal taken
        while True:
            taken += 1
            yield SQUARE, RIGHT

    verdicts = judge.run(endless())
    for _ in range(3):
        next(verdicts)
    verdicts.close()
    assert taken < 100


def test_sample_sees_a_clean_world(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "secret")
    program = (
        "import os, sys\nassert 'API_KEY' not in os.environ\nassert not os.listdir('.')\nassert not sys.stdin.read()\n"
    )
    assert one(judge, program + RIGHT).passed


def test_all_canonical_solutions_pass(judge: Judge, shared_data: Path) -> None:
    with gzip.open(shared_data / "humaneval" / "HumanEval.jsonl.gz", "rt") as lines:
        records = [json.loads(line) for line in lines]
    problems = [
        Problem(
            r["task_id"],
            "humaneval",
            r["prompt"],
            r["entry_point"],
            CheckFunction(r["test"], split=True),
            r["solution"],
        )
        for r in ({**record, "solution": record["canonical_solution"]} for record in records)
    ]
    with Judge() as roomy:
        verdicts = list(roomy.run((problem, problem.program(problem.reference or "")) for problem in problems))
    assert len(verdicts) == 164
    assert [problem.task_id for problem, verdict in zip(problems, verdicts, strict=True) if not verdict.passed] == []


def test_judge_says_how_it_must_be_used() -> None:
    with pytest.raises(JudgeError, match="inside a `with` block"):
        next(Judge(unsafe=True).run([(SQUARE, RIGHT)]))
    with pytest.raises(JudgeError, match="at least 1"):
        Judge(workers=0)


def test_confinement_names_its_layers() -> None:
    layers = layers_of_confinement()
    assert layers["separate process"]
    assert {"pid namespace", "network namespace", "private root file system", "no capabilities"} <= layers.keys()


def test_sharing_has_no_effect_and_says_so() -> None:
    with pytest.warns(DeprecationWarning, match="has no effect"):
        judge = Judge(workers=1, share=True)
    assert judge.workers == 1
