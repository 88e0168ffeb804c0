"""The judge on published reference solutions, under several numbers of workers, and on a busy machine."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from isobudget.judge import Judge, Limits, Outcome, Trust
from isobudget.problems.problem import CheckFunction, Problem
from support.published import humaneval, mbpp


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_humaneval_references_pass_apart_from_their_tests(shared_data: Path, workers: int) -> None:
    pairs = humaneval(shared_data)
    with Judge(workers) as judge:
        verdicts = list(judge.run(pairs))
    assert [(p.task_id, v) for (p, _), v in zip(pairs, verdicts, strict=True) if not v.passed] == []
    assert {verdict.trust for verdict in verdicts} == {Trust.SPLIT}
    assert len(verdicts) == 164


#: Two workers judge all pairs: a pair that fails by itself fails there. What goes wrong with another number of workers
#: does so whichever pairs they have: one worker, and eight, are given a third, the same every time. That is more than
#: one keeps at once.
PART, SEED = 650, 20261130


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_mbpp_references_pass_apart_from_their_tests(shared_data: Path, workers: int) -> None:
    pairs = mbpp(shared_data, "\n") + mbpp(shared_data, "\r\n")
    assert len(pairs) == 2 * 974
    chosen = pairs if workers == 2 else random.Random(SEED + workers).sample(pairs, PART)
    with Judge(workers, Limits(cpu_seconds=30.0, wall_seconds=300.0)) as judge:
        verdicts = list(judge.run(chosen))
    told = {(v.outcome, v.trust, v.tests_passed == v.tests_total, v.detail, v.first_failing) for v in verdicts}
    assert told == {(Outcome.PASSED, Trust.SPLIT, True, "", "")}
    assert len(verdicts) == len(chosen)


def test_verdicts_do_not_depend_on_the_number_of_workers() -> None:
    check = CheckFunction("def check(candidate):\n    assert candidate(3) == 9\n    assert candidate(4) == 16\n")
    problem = Problem("Own/0", "own", "", "f", check)
    programs = [
        "def f(x): return x * x",
        "def f(x): return 9",
        "import random\ndef f(x): return random.choice([9, 16])",
        "def f(x): return x / 0",
        "def f(x): return sorted({'a', 'b', 'c'}, key=hash)",
        "def f(x): return hash('x') % 2",
        "def f(x):",
        "import os\nos.fork()",
        "x = bytearray(1 << 40)",
        "open('state', 'a').write('x')\ndef f(x): return x * x if open('state').read() == 'x' else 0",
    ] * 6
    seen = []
    for workers in (1, 2, 8):
        with Judge(workers) as judge:
            run = list(judge.run((problem, program) for program in programs))
        seen.append([(v.outcome, v.detail, v.tests_passed, v.first_failing) for v in run])
    assert seen[0] == seen[1] == seen[2]


def test_a_busy_machine_causes_no_timeouts() -> None:
    check = CheckFunction("def check(candidate):\n    assert candidate() > 0\n")
    problem = Problem("Own/0", "own", "", "f", check)
    program = "import time\ndef f():\n    while time.process_time() < 0.5: pass\n    return 1"
    with Judge(workers=8, limits=Limits(cpu_seconds=1.0, wall_seconds=60.0)) as judge:
        # all workers at once, and some of them a second time, which is a sample of its own
        verdicts = list(judge.run([(problem, program)] * 12))
    assert [verdict.outcome for verdict in verdicts] == [Outcome.PASSED] * 12
    assert all(0.4 < verdict.seconds < 1.0 for verdict in verdicts)
