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
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isobudget.errors import JudgeError
from isobudget.judge import Judge, Limits, Outcome, packing, unpacking, wire
from isobudget.judge.confinement.confine import LAYERS, missing, require
from isobudget.judge.trusted.session import of_exception
from isobudget.problems.problem import CheckFunction, Problem, ProgramTests

RIGHT = "def f(x): return x * x"
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
