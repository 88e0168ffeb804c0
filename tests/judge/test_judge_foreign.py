"""Foreign tests: what they may not do, that they judge as other tests do, and that nothing they say is believed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from isobudget.judge import Judge, Limits, Outcome, Verdict
from isobudget.judge import worker as worker_module
from isobudget.problems.given import given_problem
from isobudget.problems.problem import Problem

GOOD, BAD = "def double(x):\n    return 2 * x\n", "def double(x):\n    return 3 * x\n"
PRINTS, PRINTS_WRONG = "print(2 * int(input()))\n", "print(7)\n"
#: what hostile tests end with if they were kept from nothing
TOLD = "raise AssertionError('got ' + str({}))\n"


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge(1, Limits(cpu_seconds=1), foreign=True) as judge:
        yield judge


def run(judge: Judge, problem: Problem, program: str = GOOD) -> Verdict:
    (verdict,) = judge.run([(problem, program)])
    return verdict


KINDS = {
    "asserts": ("assert double(2) == 4\n", GOOD, BAD),
    "check": ("def check(candidate):\n    assert candidate(2) == 4\n", GOOD, BAD),
    "pytest": ("def test_it(tmp_path):\n    (tmp_path / 'a').write_text('4')\n    assert double(2) == 4\n", GOOD, BAD),
    "programs": ({"inputs": ["2\n"], "outputs": ["4\n"]}, PRINTS, PRINTS_WRONG),
    "checker": (
        {
            "inputs": ["2\n"],
            "outputs": ["4\n"],
            "checker": "def check(given, printed, expected):\n    return int(printed) == int(expected)\n",
        },
        PRINTS,
        PRINTS_WRONG,
    ),
    "reference": (
        {"call_inputs": ["[2]", "[3]"], "reference": "def double(x):\n    return x + x\n"},
        GOOD,
        BAD,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_foreign_tests_judge_as_others_do(judge: Judge, kind: str) -> None:
    tests, right, wrong = KINDS[kind]
    problem = given_problem(tests, "double" if "programs" not in kind and kind != "checker" else "")
    assert run(judge, problem, right).passed
    assert run(judge, problem, wrong).outcome is Outcome.FAILED


def test_what_is_no_plain_data_shares_a_process_and_the_rest_runs_apart(judge: Judge) -> None:
    assert run(judge, given_problem("assert double(2) == 4\n")).trust == "split"
    assert run(judge, given_problem("assert double is not None\nassert vars(double) == {}\n")).trust == "shared"


READS = {
    "a file of the user": "open({secret!r}).read()",
    "a folder of the user": "__import__('os').listdir({folder!r})",
    "the environment of the judge": "open('/proc/{pid}/environ').read()",
    "the memory of the judge": "open('/proc/{pid}/mem', 'rb').read(1)",
    "own sources": "open({source!r}).read()",
    "passwords": "open('/etc/passwd').read()",
    "a connection": "__import__('socket').create_connection(('127.0.0.1', 9)).close()",
    "a file outside": "open('/etc/isobudget-was-here', 'w').write('x')",
    "a program": "__import__('os').execv('/bin/sh', ['sh'])",
    "a process": "__import__('os').fork()",
    "a signal": "__import__('os').kill({pid}, 0)",
    "a name space": "__import__('ctypes').CDLL(None, use_errno=True).unshare(0x10000000) or 'namespace'",
}


def in_the_tester(source: str) -> Problem:
    """Tests whose source runs in the tester, as a checker does."""
    checker = f"{source}\ndef check(given, printed, expected):\n    return int(printed) == int(expected)\n"
    return given_problem({"inputs": ["2\n"], "outputs": ["4\n"], "checker": checker})


@pytest.mark.parametrize("what", READS)
def test_foreign_tests_reach_nothing(judge: Judge, what: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the-secret")
    names = {"secret": str(secret), "folder": str(tmp_path), "pid": os.getpid(), "source": worker_module.__file__}
    source = TOLD.format(READS[what].format(**names))
    for problem, program in ((given_problem(f"assert 1\n{source}"), GOOD), (in_the_tester(source), PRINTS)):
        verdict = run(judge, problem, program)
        assert not verdict.passed
        assert "got" not in verdict.detail
    assert run(judge, given_problem("assert double(1) == 2\n")).passed
    assert not Path("/etc/isobudget-was-here").exists()


def test_a_checker_and_a_prompt_are_confined_too(judge: Judge, tmp_path: Path) -> None:
    place = tmp_path / "written"
    writes = f"open({str(place)!r}, 'w').write('x')\n"
    checker = f"{writes}def check(given, printed, expected):\n    return True\n"
    fields = {"inputs": ["2\n"], "outputs": ["4\n"], "checker": checker}
    assert run(judge, given_problem(fields), PRINTS).outcome is Outcome.INVALID
    source = f"def double(x):\n    return x + x\n{writes}"
    assert not run(judge, given_problem({"call_inputs": ["[2]"], "reference": source}, "double")).passed
    assert not place.exists()


#: a way to the descriptors over which the tester answers its judge
ANSWERS = """
import os, stat
for number in range(3, 64):
    try:
        if stat.S_ISFIFO(os.fstat(number).st_mode):
            os.write(number, {data!r})
    except OSError:
        pass
"""
LIES = {
    "no frame": b"\xff" * 64,
    "no JSON": b"\x00\x00\x00\x02{]",
    "no message": b"\x00\x00\x00\x0212",
    "marshal": b"\x00\x00\x00\x05\xe9\x01\x00\x00\x00",
    "a verdict of another form": b'\x00\x00\x00\x12["verdict", [1,2]]',
}


@pytest.mark.parametrize("lie", LIES)
def test_what_is_no_verdict_ends_the_worker_and_nothing_else(judge: Judge, lie: str) -> None:
    hostile = in_the_tester(ANSWERS.format(data=LIES[lie]))
    assert run(judge, hostile, PRINTS).outcome is Outcome.INVALID
    assert run(judge, given_problem("assert double(1) == 2\n")).passed


def test_tests_that_never_end_end_with_their_worker(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "GRACE_SECONDS", -59.0)  # a second in all
    endless = "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass\n"
    assert run(judge, in_the_tester(endless), PRINTS).outcome is Outcome.TIMEOUT
    alive = ANSWERS.format(data=b'\x00\x00\x00\x09["alive"]').replace("\n", "\n    ")
    assert run(judge, in_the_tester(f"while True:\n    {alive}\n"), PRINTS).outcome is Outcome.TIMEOUT
    monkeypatch.undo()
    assert run(judge, given_problem("assert double(1) == 2\n")).passed


def test_memory_of_foreign_tests_is_bounded(judge: Judge) -> None:
    verdict = run(judge, in_the_tester("x = bytearray(6 << 30)\n"), PRINTS)
    assert verdict.outcome is Outcome.INVALID
    assert "MemoryError" in verdict.detail


GARBAGE = [
    [],
    ["passed"],
    ["passed", 0.1, 1.0, "", "split", None, None, ""],
    ["passed", "0.1", 1.0, "", "split", None, None, "", []],
    ["passed", 0.1, 1.0, "a\nb", "split", None, None, "", []],
    ["passed", 0.1, 1.0, "", "split", -1, None, "", []],
    ["passed", 0.1, 1.0, "", "split", 10**30, None, "", []],
    ["passed", 0.1, 1.0, "x" * 301, "split", None, None, "", []],
    ["passed", 0.1, 1.0, "", "trusted", None, None, "", []],
    ["won", 0.1, 1.0, "", "split", None, None, "", []],
    ["passed", 0.1, 1.0, "", "split", None, None, "", [1]],
    {"outcome": "passed"},
]


@pytest.mark.parametrize("fields", GARBAGE)
def test_a_verdict_that_nobody_trusts_has_the_form_of_one(fields: object) -> None:
    with pytest.raises(ValueError):
        Verdict.of_foreign(fields)
