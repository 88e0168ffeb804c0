"""Limits hold for what a sample does, not for what the judge does for it; what cannot be carried is nobody's fault."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from isobudget.errors import InputError
from isobudget.judge import Judge, Limits, Outcome, Trust, Verdict, wire
from isobudget.problems import load_benchmark
from isobudget.problems.own.carried import MOST_DEPTH
from isobudget.problems.problem import (
    CallTests,
    CheckFunction,
    Form,
    Problem,
    ProgramTests,
    PytestFile,
    ReferenceInputs,
    Tests,
)

ADDS = "def f(x):\n    return x + 1\n"
CALLS = 20_000
MANY = f"def check(candidate):\n    for i in range({CALLS}):\n        assert candidate(i) == i + 1\n"
#: less than the wire takes for so many calls
SHORT = Limits(cpu_seconds=0.1, wall_seconds=20.0)


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge(workers=1, limits=SHORT) as entered:
        yield entered


def one(judge: Judge, tests: Tests, program: str, reference: str | None = None) -> Verdict:
    (verdict,) = judge.run([(Problem("Own/0", "own", "", "f", tests, reference, Form.TEXT), program)])
    return verdict


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize("tests", [CheckFunction(MANY, split=True), PytestFile(
    f"from solution import f\ndef test_a():\n    for i in range({CALLS}):\n        assert f(i) == i + 1\n"
)], ids=["check", "pytest"])  # fmt: skip
def test_cheap_calls_are_no_timeout(judge: Judge, tests: Tests) -> None:
    with Judge(workers=1, limits=SHORT, trust="split") as split:
        verdict = one(split, tests, ADDS)
    assert (verdict.outcome, verdict.trust) == (Outcome.PASSED, Trust.SPLIT)
    assert verdict.seconds > SHORT.cpu_seconds


def test_work_of_the_sample_is_charged_all_the_same(judge: Judge) -> None:
    works = "def f(x):\n    for _ in range(10_000):\n        pass\n    return x + 1\n"
    verdict = one(judge, CheckFunction(MANY, split=True), works)
    assert verdict.outcome is Outcome.TIMEOUT
    assert one(judge, CheckFunction(MANY, split=True), "def f(x):\n    while True: pass\n").outcome is Outcome.TIMEOUT


def test_calling_back_buys_no_time(judge: Judge) -> None:
    tests = CheckFunction("def check(candidate):\n    assert candidate(lambda: 1) == 2\n", split=True)
    assert one(judge, tests, "def f(ask):\n    while ask(): pass\n").outcome is Outcome.TIMEOUT


PRINTS = "import os\nprint('x' * {size})\n"
PLAIN = "print('x' * {size})\n"


@pytest.mark.parametrize("program", [PRINTS, PLAIN], ids=["a process per test", "one process"])
@pytest.mark.parametrize("without", [(), ("namespaces",)])
def test_output_above_eight_mebibytes_where_it_is_expected(program: str, without: tuple[str, ...]) -> None:
    size = 9 << 20
    tests = ProgramTests(("", ""), ("x" * size + "\n",) * 2)
    with Judge(workers=1, without=without, unsafe=bool(without)) as judge:
        assert one(judge, tests, program.format(size=size)).outcome is Outcome.PASSED
        assert one(judge, tests, program.format(size=size - 1)).outcome is Outcome.FAILED
        assert one(judge, tests, program.format(size=2 * size + (1 << 17))).outcome is Outcome.OUTPUT_LIMIT
        # Where less is expected, less may be written.
        few = one(judge, ProgramTests(("",), ("x\n",)), program.format(size=size))
        assert few.outcome in (Outcome.OUTPUT_LIMIT, Outcome.ERROR)


def test_a_program_too_long_for_a_message_has_failed() -> None:
    long = f"# {'x' * wire.FRAME_BYTES}\n"
    source = "from solution import f\ndef test_a(tmp_path):\n    assert f(1) == 2\n"
    kinds: list[Tests] = [
        CheckFunction("def check(candidate):\n    assert candidate(1) == 2\n"),
        CallTests(("[1]",), ("2",)),
        ProgramTests(("",), ("2\n",)),
        PytestFile(source),
    ]
    with Judge(workers=1) as judge:
        for tests in kinds:
            verdict = one(judge, tests, long + ADDS)
            assert (verdict.outcome, verdict.detail) == (Outcome.ERROR, "the program is longer than 8 MiB")
            right = "print(2)\n" if isinstance(tests, ProgramTests) else ADDS
            assert one(judge, tests, right).outcome is Outcome.PASSED


def test_a_long_table_in_a_program_is_no_error() -> None:
    # Its compiled form is too long to be handed on to the processes of the next tests.
    table = f"import os\nT = '{'0123456789' * 500_000}'\n"
    tests = ProgramTests(("7\n", "9\n"), ("7\n", "9\n"))
    with Judge(workers=1) as judge:
        assert one(judge, tests, table + "print(T[int(input())])\n").outcome is Outcome.PASSED


def test_a_result_too_long_for_a_message_has_failed(judge: Judge) -> None:
    tests = CheckFunction("def check(candidate):\n    assert len(candidate(1)) == 17 << 20\n", split=True)
    verdict = one(judge, tests, "def f(x):\n    return 'x' * (17 << 20)\n")
    assert verdict.outcome in (Outcome.ERROR, Outcome.TIMEOUT)
    assert "more than 16 MiB" in verdict.detail or verdict.outcome is Outcome.TIMEOUT


@pytest.mark.parametrize(
    ("tests", "right"),
    [
        (
            "def check(candidate):\n    assert candidate('x' * (17 << 20)) == 17 << 20\n",
            "def f(x):\n    return len(x)\n",
        ),
        (
            "def check(candidate):\n    x = []\n    for _ in range(700):\n        x = [x]\n"
            "    assert candidate(x) == 701\n",
            "def f(x):\n    n = 1\n    while x:\n        x, n = x[0], n + 1\n    return n\n",
        ),
        (
            "import threading\ndef check(candidate):\n    seen = []\n"
            "    go = lambda: seen.append(candidate(1))\n    all_ = [threading.Thread(target=go) for _ in range(8)]\n"
            "    for one in all_: one.start()\n    for one in all_: one.join()\n    assert seen == [2] * 8\n",
            ADDS,
        ),
    ],
    ids=["long arguments", "nesting", "threads"],
)
def test_what_cannot_be_carried_is_judged_in_one_process(tests: str, right: str) -> None:
    with Judge(workers=1) as judge:
        verdict = one(judge, CheckFunction(tests), right, right)
        assert verdict.outcome is Outcome.PASSED, verdict
        wrong = one(judge, CheckFunction(tests), "def f(x):\n    return 0\n", right)
        assert wrong.outcome in (Outcome.FAILED, Outcome.ERROR)


def test_threads_of_tests_take_turns_on_the_wire() -> None:
    source = (
        "import threading\ndef check(candidate):\n    seen = []\n"
        "    def go(n):\n        for _ in range(50): seen.append(candidate(n) == n + 1)\n"
        "    all_ = [threading.Thread(target=go, args=(n,)) for n in range(4)]\n"
        "    for one in all_: one.start()\n    for one in all_: one.join()\n    assert seen == [True] * 200\n"
    )
    with Judge(workers=1, trust="split") as judge:
        assert one(judge, CheckFunction(source), ADDS).outcome is Outcome.PASSED


@pytest.mark.parametrize("shape", ["lists", "dicts"])
def test_what_is_loaded_can_be_carried(judge: Judge, shape: str) -> None:
    text = nested(MOST_DEPTH - 2) if shape == "lists" else '{"a":' * (MOST_DEPTH - 2) + "1" + "}" * (MOST_DEPTH - 2)
    same = "def f(x):\n    return x\n"
    for rules in ("own", "livecodebench"):
        assert one(judge, CallTests((f"[{text}]",), (text,), rules), same).outcome is Outcome.PASSED
    assert one(judge, ReferenceInputs(same, (f"[{text}]",)), same).outcome is Outcome.PASSED


LONG = "x" * (16 << 20)
LINE = {"task_id": "a", "form": "text", "prompt": "Do it.", "entry_point": "f"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"arguments": [[LONG]], "results": [1]},
            r"field arguments\[0\]: takes 16.0 MiB, but the judge accepts at most 15 MiB;",
        ),
        ({"arguments": [[1]], "results": [LONG]}, r"field results\[0\]: takes 16.0 MiB"),
        ({"arguments": [json.loads(nested(150))], "results": [1]}, "nested more than 100 levels deep"),
        ({"arguments": [[1]], "results": [json.loads(nested(150))]}, "nested more than 100 levels deep"),
        ({"call_inputs": [[LONG]], "reference": ADDS}, r"field call_inputs\[0\]: takes 16.0 MiB"),
        ({"call_inputs": [nested(150)], "reference": ADDS}, "nested more than 100 levels deep"),
        ({"test": f"def check(f):\n    assert f('{LONG}')\n"}, "field test: takes 16.0 MiB, .* accepts at most 7 MiB;"),
        ({"test_list": [f"assert f('{LONG[:4 << 20]}')"] * 2}, "field test_list: takes 8.0 MiB"),
        ({"pytest": f"from solution import f\ndef test_a():\n    assert f('{LONG}')\n"}, "field pytest: takes 16.0"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_is_refused_while_loading(
    tmp_path: Path, fields: dict[str, object], message: str
) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps(LINE | fields) + "\n")
    with pytest.raises(InputError, match=f"line 1, {message}" if message.startswith("field") else message):
        load_benchmark(str(path))
