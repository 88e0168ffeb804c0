"""The wire and the workers: nothing that arrives does more than make plain data, and what dies is replaced."""

from __future__ import annotations

import asyncio
import collections
import datetime
import decimal
import fractions
import json
import os
import signal
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isobudget.errors import JudgeError
from isobudget.judge import Judge, Limits, Outcome, packing, unpacking, wire
from isobudget.judge.confinement.confine import LAYERS, missing, require
from isobudget.judge.messages import Case
from isobudget.judge.trusted import remote
from isobudget.judge.trusted.kinds.functions import FunctionTests
from isobudget.judge.trusted.session import of_exception, run_tests, watch_tests
from isobudget.problems.problem import CheckFunction, Problem, ProgramTests

RIGHT = "def f(x): return x * x"
CHECK = "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate([3]) == [9]\n"
SQUARE = Problem("Own/0", "own", "", "f", CheckFunction("def check(candidate):\n    assert candidate(2) == 4\n"), RIGHT)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**1200), 10**1200)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
)
hashables = st.recursive(
    scalars, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=5
)
values = st.recursive(
    hashables | st.complex_numbers(allow_nan=False) | st.fractions() | st.decimals(allow_nan=False) | st.timedeltas(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(hashables, inner, max_size=3)
        | st.sets(hashables, max_size=3)
        | st.lists(inner, max_size=3).map(collections.deque)
    ),
    max_leaves=12,
)
tags = st.sampled_from([*unpacking._MAKERS, "int", "handle", "__class__", "eval", ""])
forms = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(tags | st.text(max_size=5), inner, max_size=2),
    max_leaves=10,
)


def cross(value: Any) -> Any:
    """A value after it has crossed, as text, to new objects."""
    packer = packing.Packer(lambda thing: {"handle": {"mine": 0}})
    return unpacking.Unpacker(lambda handle: handle).unpack(wire.decode(wire.encode(packer.pack(value))))


def types_of(value: Any) -> Any:
    """The types of a value and of all that is in it, in order."""
    if isinstance(value, dict):
        return type(value), [(types_of(key), types_of(item)) for key, item in value.items()]
    if isinstance(value, list | tuple | collections.deque):
        return type(value), [types_of(item) for item in value]
    return type(value)


@given(values)
@settings(max_examples=150, deadline=None)
def test_what_crosses_is_equal_and_of_the_same_types(value: Any) -> None:
    crossed = cross(value)
    assert crossed == value
    assert types_of(crossed) == types_of(value)


@given(forms)
@settings(max_examples=300, deadline=None)
def test_any_json_makes_plain_data_or_is_refused(form: Any) -> None:
    try:
        value = unpacking.Unpacker(lambda handle: handle).unpack(form)
    except (wire.WireError, ImportError, MemoryError):
        return
    modules = {"builtins", "collections", "datetime", "decimal", "fractions", "isobudget.judge.unpacking"}
    assert type(value).__module__ in modules


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes_make_a_message_or_are_refused(data: bytes) -> None:
    reader, writer = os.pipe()
    try:
        os.write(writer, data)
        os.close(writer)
        try:
            message = wire.receive(reader)
        except wire.WireError:
            return
        assert json.loads(data[4:]) == message or message != message
    finally:
        os.close(reader)


def test_subclasses_arrive_as_the_plain_type() -> None:
    class Int(int):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = int.__hash__

    class Text(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = str.__hash__

    class Items(list[int]):
        def __iter__(self) -> Any:
            return iter([1, 2, 3])

    assert type(cross(Int(5))) is int
    assert type(cross(Text("x"))) is str
    assert cross(Items([7])) == [7]
    assert cross(datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC)).tzinfo is datetime.UTC
    assert cross(decimal.Decimal("1.50")).as_tuple() == decimal.Decimal("1.50").as_tuple()
    assert cross(fractions.Fraction(1, 3)) == fractions.Fraction(1, 3)


def test_an_error_that_cannot_be_printed_is_no_fault_of_the_judge() -> None:
    class Session:
        raised = None

    verdict = of_exception(AssertionError(10**10_000), Session())  # type: ignore[arg-type]
    assert (verdict.outcome, verdict.detail) == (Outcome.FAILED, "AssertionError")


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_what_dies_is_replaced() -> None:
    with Judge(1, Limits(cpu_seconds=1.0, wall_seconds=10.0)) as judge:
        assert [verdict.passed for verdict in judge.run([(SQUARE, RIGHT)])] == [True]
        process = judge._pool[0].process
        assert process is not None
        (outer,) = children(process.pid)
        (zygote,) = children(outer)
        os.kill(zygote, signal.SIGKILL)
        assert [verdict.passed for verdict in judge.run([(SQUARE, RIGHT)] * 2)] == [True] * 2
        os.kill(process.pid, signal.SIGKILL)
        assert [verdict.passed for verdict in judge.run([(SQUARE, RIGHT)] * 5)] == [True] * 5


def test_tests_that_hang_over_an_answer_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isobudget.judge.worker.GRACE_SECONDS", 0.5)
    check = CheckFunction("def check(candidate):\n    assert (candidate(1) ** 50_000_000) % 7 == 1\n")
    problem = Problem("Own/1", "own", "", "f", check, "def f(x): return 1")
    pairs = [(problem, "def f(x): return 7"), (problem, "def f(x): return 1"), (SQUARE, RIGHT)]
    with Judge(1, Limits(cpu_seconds=0.5, wall_seconds=0.5)) as judge:
        verdicts = list(judge.run(pairs))
    assert [verdict.outcome for verdict in verdicts] == [Outcome.TIMEOUT, Outcome.PASSED, Outcome.PASSED]


def test_many_slow_tests_are_not_held_for_a_worker_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isobudget.judge.worker.GRACE_SECONDS", 1.0)
    problem = Problem("Own/1", "own", "", "", ProgramTests(("1",) * 14, ("1",) * 14))
    with Judge(1, Limits(cpu_seconds=0.5, wall_seconds=1.0)) as judge:
        (verdict,) = judge.run([(problem, "import time\ntime.sleep(0.3)\nprint(input())")])
    assert verdict.outcome is Outcome.PASSED, verdict


def test_a_run_that_is_left_early_leaves_no_answers_behind() -> None:
    wrong = "def f(x): return 5"
    with Judge(2, Limits(cpu_seconds=1.0, wall_seconds=10.0)) as judge:
        verdicts = judge.run([(SQUARE, wrong)] * 50)
        assert next(verdicts).outcome is Outcome.FAILED
        with pytest.raises(JudgeError, match="another run"):
            next(judge.run([(SQUARE, RIGHT)]))
        verdicts.close()
        assert [verdict.passed for verdict in judge.run([(SQUARE, RIGHT)] * 10)] == [True] * 10


def test_run_async_yields_the_same() -> None:
    async def judge_all() -> list[bool]:
        with Judge(1) as judge:
            return [
                verdict.passed async for verdict in judge.run_async([(SQUARE, RIGHT), (SQUARE, "def f(x): return 0")])
            ]

    assert asyncio.run(judge_all()) == [True, False]


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with Judge(2) as judge:
        assert [verdict.passed for verdict in judge.run([(SQUARE, "open('x', 'w').write('x')\n" + RIGHT)] * 4)] == [
            True
        ] * 4
        assert len(list(tmp_path.iterdir())) == 2
    assert list(tmp_path.iterdir()) == []


def test_too_few_layers_are_refused_by_name() -> None:
    assert missing(LAYERS) == []
    assert missing(set(LAYERS) - {"system call filter"}) != []
    assert missing(set(LAYERS) - {"ordinary user"}) != []
    assert missing(set(LAYERS) - {"Landlock files"}) == []
    assert missing(set(LAYERS) - {"pid namespace"}) == []
    assert missing(set(LAYERS) - {"pid namespace", "system call filter"}) != []
    with pytest.raises(JudgeError, match="no resource limits"):
        require(set(LAYERS) - {"resource limits"})
    with pytest.raises(JudgeError, match="cannot be confined"), Judge(1, without=("namespaces", "seccomp")):
        pass
    with Judge(1, without=("namespaces", "seccomp"), unsafe=True) as judge:
        assert [verdict.passed for verdict in judge.run([(SQUARE, RIGHT)])] == [True]


replies = st.one_of(
    st.binary(max_size=60),
    forms.map(lambda form: framed(json.dumps(form).encode())),
    st.sampled_from(
        [
            ["refused", "", "", "x"],
            ["loaded", {"f": {"handle": {"yours": 0}}}],
            ["loaded", {"f": {"handle": {"mine": 0, "type": "function"}}}],
            ["loaded", {"f": 4}],
            ["value", {"handle": {"mine": 7, "type": "Foo"}}],
            ["value", {"same": 0}],
            ["value", 1, [[0, 9], [1, {"list": []}]]],
            ["value", {"fraction": [{"int": "0x" + "f" * 99999}, {"int": "0x" + "e" * 99999}]}],
            ["value", {"array": ["<f8", [-1], []]}],
            ["back", 0, []],
            ["raised", "StopIteration", "", "StopIteration"],
            ["raised", "SystemExit", "", "SystemExit"],
            ["raised"],
        ]
    ).map(lambda message: framed(json.dumps(message).encode())),
)


def framed(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


@given(st.lists(replies, max_size=5))
@settings(max_examples=200, deadline=None)
def test_whatever_a_sample_says_costs_it_its_verdict_and_nothing_else(said: list[bytes]) -> None:
    watch_tests()
    case = Case("CheckFunction", {"source": CHECK}, "f", "", "", None)
    tests = FunctionTests(case)
    ours, theirs = socket.socketpair()
    speaker = threading.Thread(target=speak, args=(theirs, said))
    speaker.start()
    session = remote.SampleSession(ours.detach())
    verdict = run_tests(tests, session, "", set())
    session.close()
    speaker.join()
    assert verdict.outcome not in (Outcome.PASSED, Outcome.INVALID)


def speak(theirs: socket.socket, said: list[bytes]) -> None:
    """Answer every request by the next of the replies, and then close."""
    with theirs:
        for reply in said:
            try:
                if not theirs.recv(1 << 16):
                    return
                theirs.sendall(reply)
            except OSError:
                return
            if len(reply) < 4 or len(reply) != 4 + int.from_bytes(reply[:4], "big"):
                # What is no frame is waited for in vain; the zygote ends such a process.
                return


@pytest.mark.parametrize("raised", ["StopIteration", "GeneratorExit", "StopAsyncIteration"])
def test_no_error_of_a_sample_ends_a_loop_without_a_word(raised: str) -> None:
    check = "def check(candidate):\n    for got in map(candidate, [1, 2]):\n        assert got == 0\n"
    problem = Problem("Own/0", "own", "", "f", CheckFunction(check, split=True))
    with Judge(1) as judge:
        (verdict,) = judge.run([(problem, f"def f(x): raise {raised}")])
    assert verdict.outcome is Outcome.ERROR


DIES = "import os\nclass X:\n    def __str__(self): os._exit(0)\n    __repr__ = __str__\ndef f(a): return X()\n"


@pytest.mark.parametrize("test", ["got = candidate(1)\n    assert got == 6, got", "assert {6: 1}[candidate(1)]"])
def test_a_sample_that_dies_while_its_error_is_written_is_an_error(test: str) -> None:
    problem = Problem("Own/0", "own", "", "f", CheckFunction(f"def check(candidate):\n    {test}\n", split=True))
    with Judge(1) as judge:
        outcomes = [verdict.outcome for verdict in judge.run([(problem, DIES), (SQUARE, RIGHT)])]
    assert outcomes == [Outcome.ERROR, Outcome.PASSED]


def test_what_ends_a_worker_again_and_again_is_the_samples_where_the_reference_passes() -> None:
    # Stands for whatever may still end a tester: these tests end it themselves, over one sample and no other.
    check = "import os\ndef check(candidate):\n    if candidate(2) == 5: os._exit(1)\n    assert candidate(2) == 4\n"
    source = CheckFunction(check, split=True)
    known, unknown = (Problem("Own/0", "own", "", "f", source, reference) for reference in (RIGHT, None))
    with Judge(1, Limits(cpu_seconds=1.0, wall_seconds=10.0)) as judge:
        pairs = [(known, "def f(x): return 5"), (unknown, "def f(x): return 5"), (SQUARE, RIGHT)]
        outcomes = [verdict.outcome for verdict in judge.run(pairs)]
    assert outcomes == [Outcome.CRASHED, Outcome.INVALID, Outcome.PASSED]


def test_details_are_one_printable_line() -> None:
    program = "def f(x): raise ValueError('a\\x1b[2Jb\\nc\\u202e\\ud800')"
    with Judge(1) as judge:
        (verdict,) = judge.run([(SQUARE, program)])
    assert verdict.detail.isprintable()
    assert verdict.detail.startswith("ValueError: a")
