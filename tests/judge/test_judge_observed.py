"""Inputs without a right answer: equal results have equal texts, and what goes wrong is told and stops nothing."""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isobudget.judge import Judge, Limits, Outcome, Trust, Verdict
from isobudget.judge.messages import Case, WorkerSettings
from isobudget.judge.trusted import zygotes
from isobudget.judge.trusted.host import Host
from isobudget.judge.trusted.kinds import observed
from isobudget.judge.trusted.kinds.observed import MOST_INPUTS, TEXT_CHARS, canonical
from isobudget.judge.trusted.session import watch_tests
from isobudget.problems.problem import ObservedCalls, ObservedPrograms, Problem

LIMITS = Limits(cpu_seconds=0.3, wall_seconds=3.0, memory_mb=512, output_kb=16)
INPUTS = ("[1]", "[[1, 2]]", "[0]", "['a']")

numbers = st.one_of(
    st.booleans(),
    st.integers(-3, 3),
    st.integers(-(10**400), 10**400),
    st.floats(allow_nan=False),
    st.sampled_from([0.0, -0.0, 0.5, 1.0, -2.0]),
    st.fractions(max_denominator=4),
    st.decimals(allow_nan=False, allow_infinity=False, places=2),
    st.complex_numbers(allow_nan=False),
)
hashables = st.recursive(numbers | st.none() | st.text(max_size=3) | st.binary(max_size=3), st.frozensets, max_leaves=4)
values = st.recursive(
    hashables,
    lambda inner: st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple) | st.sets(hashables, max_size=3),
    max_leaves=6,
)


@given(values, values)
@settings(max_examples=200, deadline=None)
def test_equal_values_have_equal_texts(one: Any, other: Any) -> None:
    assert (canonical(one) == canonical(other)) == (one == other)


@given(st.integers(-5, 5), st.sampled_from([bool, int, float, complex, fractions.Fraction, decimal.Decimal]))
def test_one_number_of_any_type_has_one_text(number: int, kind: type) -> None:
    assert (canonical([kind(number)]) == canonical([number])) == (kind(number) == number)


@given(st.dictionaries(hashables, values, max_size=4))
@settings(max_examples=50, deadline=None)
def test_order_and_kind_of_a_dict_do_not_matter(given_dict: dict[Any, Any]) -> None:
    turned = dict(reversed(given_dict.items()))
    for kind in (dict, collections.OrderedDict, lambda items: collections.defaultdict(list, items)):
        assert canonical(kind(turned)) == canonical(given_dict)


EAST = datetime.timezone(datetime.timedelta(hours=2))
Point = collections.namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (-0.0, 0),
        (1e308, int(1e308)),
        (decimal.Decimal("0.50"), fractions.Fraction(1, 2)),
        (decimal.Decimal("0.1"), fractions.Fraction(1, 10)),
        (decimal.Decimal("1e2500"), decimal.Decimal("10e2499")),
        (decimal.Decimal("0e99999"), 0),
        ([10**5000], [10**5000]),
        (Point(1, 2), (1.0, 2)),
        (range(0, 3, 2), range(0, 4, 2)),
        (range(5, 5), range(0)),
        (bytearray(b"x"), b"x"),
        (np.float64(0.5), 0.5),
        (np.int32(7), 7),
        (np.bool_(True), 1),
        (np.array([1, 2]), np.array([1.0, 2.0])),
        ({1: 2}.keys(), {1.0}),
        (collections.Counter("aab"), {"b": 1, "a": 2}),
        (collections.deque([1], 3), collections.deque([1])),
        (
            datetime.datetime(2024, 1, 1, 12, tzinfo=datetime.UTC),
            datetime.datetime(2024, 1, 1, 14, tzinfo=EAST),
        ),
        (float("nan"), decimal.Decimal("nan")),
        (float("inf"), decimal.Decimal("inf")),
    ],
)
def test_what_agrees(one: Any, other: Any) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1], (1,)),
        (0.1, decimal.Decimal("0.1")),
        ("1", 1),
        ("a", b"a"),
        ([], ()),
        (set(), {}),
        (float("inf"), float("-inf")),
        (np.array([1]), [1]),
        (None, "None"),
        ("?function", len),
        (int, "int"),
        ({1: "a", 2: "b"}, {1: "b", 2: "a"}),
        (datetime.datetime(2024, 1, 1), datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)),
        (decimal.Decimal("1e2500"), decimal.Decimal("1e2501")),
    ],
)
def test_what_differs(one: Any, other: Any) -> None:
    assert canonical(one) != canonical(other)


def test_long_texts_are_cut_and_told_apart() -> None:
    one, other = canonical("a" * 10_000), canonical("a" * 9_999 + "b")
    assert one != other
    assert len(one) == len(other) < TEXT_CHARS + 100
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    assert canonical(deep) == "?nested too deeply"


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge(workers=2, limits=LIMITS) as entered:
        yield entered


def calls(judge: Judge, program: str, arguments: tuple[str, ...] = INPUTS, starter: str = "") -> Verdict:
    problem = Problem("Own/0", "own", "", "f", ObservedCalls(arguments), starter=starter)
    (verdict,) = judge.run([(problem, program)])
    return verdict


@pytest.mark.parametrize(
    ("program", "texts"),
    [
        ("def f(x): return x", ("1", "[1, 2]", "0", "'a'")),
        ("def f(x): return 1 / x", ("1", "!TypeError", "!ZeroDivisionError", "!TypeError")),
        ("class Solution:\n    def f(self, x): return {x: 2.0}", ("{1: 2}", "!TypeError", "{0: 2}", "{'a': 2}")),
        ("class Odd(Exception): pass\ndef f(x): raise Odd", ("!Odd",) * 4),
        ("def f(x): return f if x == 1 else object()", ("?function", "?object", "?object", "?object")),
        ("def f(x): return type(x)", ("type(int)", "type(list)", "type(int)", "type(str)")),
        ("def f(x):\n    yield 1\n    yield 2.0", ("iterator([1, 2])",) * 4),
        ("def f(x):\n    while x: pass\n    return 1", ("!timeout", "!timeout", "1", "!timeout")),
        ("def f(x):\n    while not x: pass\n    return 1", ("1", "1", "!timeout", "1")),
        ("import os\ndef f(x):\n    if not x: os._exit(0)\n    return 1", ("1", "1", "!ended", "1")),
        ("import os\ndef f(x):\n    if not x: os.fork()\n    return 1", ("1", "1", "!forbidden", "1")),
        ("import ctypes\ndef f(x):\n    if not x: ctypes.string_at(0)\n    return 1", ("1", "1", "!crashed", "1")),
        ("def f(x): return 'x' * (1 << 40) if x else 1", ("!MemoryError", "!MemoryError", "1", "!MemoryError")),
        ("def f(x): return 'x' * (1 << 24) if x else 1", ("!WireError", "!WireError", "1", "!WireError")),
        ("def f(x): return x.__self__", ("!AttributeError",) * 4),
        ("def f(x): raise SystemExit", ("!SystemExit",) * 4),
    ],
)  # fmt: skip
def test_calls_are_told(judge: Judge, program: str, texts: tuple[str, ...]) -> None:
    verdict = calls(judge, program)
    assert verdict.observed == texts
    assert (verdict.outcome, verdict.trust) == (Outcome.PASSED, Trust.SPLIT)
    assert verdict.seconds > 0


@pytest.mark.parametrize(
    ("program", "outcome", "text"),
    [
        ("def f(", Outcome.SYNTAX_ERROR, "!SyntaxError"),
        ("import no_such_module", Outcome.ERROR, "!ModuleNotFoundError"),
        ("def g(x): return x", Outcome.ERROR, "!NameError"),
        ("while True: pass", Outcome.TIMEOUT, "!timeout"),
        ("import os; os.fork()", Outcome.FORBIDDEN, "!forbidden"),
        ("import os; os._exit(0)", Outcome.ERROR, "!ended"),
        ("x = bytearray(1 << 40)", Outcome.OUT_OF_MEMORY, "!MemoryError"),
    ],
)
def test_programs_that_do_not_load_have_their_outcome(judge: Judge, program: str, outcome: Outcome, text: str) -> None:
    verdict = calls(judge, program)
    assert (verdict.outcome, verdict.observed) == (outcome, (text,) * 4)


HOSTILE = {
    "repr": "class A(list):\n    def __repr__(self): return '1'\n    __str__ = __repr__\ndef f(x): return A([x])",
    "number": "class A(int):\n    __repr__ = lambda s: '7'\n    __eq__ = lambda *_: True\ndef f(x): return [A(9)]",
    "float": "class A(float):\n    is_integer = lambda s: True\n    __int__ = lambda s: 7\ndef f(x): return A(1.5)",
    "name": "A = type('!passed', (), {})\ndef f(x): return A()",
    "long name": "A = type('A' * 1000, (), {})\ndef f(x): return A()",
    "error's name": "A = type('?x: y', (Exception,), {})\ndef f(x): raise A",
    "long error": "A = type('A' * 1000, (Exception,), {})\ndef f(x): raise A",
    "equal keys": "class A(str):\n  __eq__ = lambda *_: 0\n  __hash__ = str.__hash__\n"
    "def f(x): return {A('a'): 1, A('a'): 2}",
    "exit in a finalizer": "import os\nclass A:\n    def __del__(self): os._exit(0)\ndef f(x): A(); return 1",
    "wire": "import os\ndef f(x): os.write(3, b'\\0\\0\\0\\2{}'); return 1",
    "fake frame": "import os\ndef f(x): os.write(3, b'\\0\\0\\0\\x0f[\"value\",\"!no\"]'); return 1",
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("repr", "[1]"),
        ("number", "[9]"),
        ("float", "1.5"),
        ("name", "?object"),
        ("long name", "?object"),
        ("error's name", "!Exception"),
        ("long error", "!Exception"),
        ("equal keys", "{'a': 2}"),
        ("exit in a finalizer", "!ended"),
        ("wire", "!broken"),
    ],
)
def test_a_sample_cannot_make_up_its_texts(judge: Judge, kind: str, text: str) -> None:
    verdict = calls(judge, HOSTILE[kind], ("[1]", "[1]"))
    assert verdict.observed[0] == text
    assert verdict.outcome is Outcome.PASSED


def test_a_forged_frame_says_only_what_a_call_returns(judge: Judge) -> None:
    verdict = calls(judge, HOSTILE["fake frame"], ("[1]", "[1]"))
    # The forged frame and the real one are both its own: a value that it returns, told as what it is.
    assert set(verdict.observed) <= {"'!no'", "!broken", "1"}
    assert calls(judge, "def f(x): return x", ("[1]",)).observed == ("1",)


def test_after_three_timeouts_the_rest_is_given_up(judge: Judge) -> None:
    start = time.monotonic()
    verdict = calls(judge, "def f(x):\n    while x: pass", tuple(f"[{n}]" for n in range(500)))
    assert verdict.observed == ("None",) + ("!timeout",) * 499
    assert verdict.seconds < 6 * LIMITS.cpu_seconds
    assert time.monotonic() - start < 20


def test_the_limit_is_for_each_call(judge: Judge) -> None:
    program = (
        "from time import process_time as now\ndef f(x):\n  end = now() + 0.12\n  while now() < end: pass\n  return x"
    )
    verdict = calls(judge, program, tuple(f"[{n}]" for n in range(8)))
    assert verdict.observed == tuple(map(str, range(8)))


def test_answers_that_are_slow_to_read_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Keys with one hash: a table of them takes quadratic time to build, on either side.
    program = "def f(x): return dict.fromkeys(k * ((1 << 61) - 1) for k in range(1, 4001)) if x else {1: 2}"
    monkeypatch.setattr(observed, "TESTS_SECONDS", 0.02)
    before = signal.getsignal(signal.SIGPROF)
    watch_tests()
    tmp_path.chmod(0o711)
    settings = WorkerSettings(0, 0, (), (), True, Limits(cpu_seconds=5.0), "auto", base=str(tmp_path))
    host = Host(settings, zygotes.launch(settings))
    try:
        case = Case("ObservedCalls", {"arguments": ("[0]", "[1]", "[0]")}, "f", "", "", None)
        verdict = observed.ObservedCalls(case).judge(host, program)
        assert verdict.observed == ("{1: 2}", "!timeout", "!timeout")
        assert verdict.outcome is Outcome.PASSED
        case = case._replace(tests={"arguments": ("[0]",)})
        assert observed.ObservedCalls(case).judge(host, program).observed == ("{1: 2}",)
    finally:
        host.close()
        signal.signal(signal.SIGPROF, before)


def test_much_output_is_an_outcome(judge: Judge) -> None:
    verdict = calls(judge, "def f(x):\n    print('x' * 20000)\n    return x")
    assert verdict.outcome is Outcome.OUTPUT_LIMIT
    assert verdict.observed == ("1", "[1, 2]", "0", "'a'")


def test_names_of_sites_are_defined_where_code_is_handed_out(judge: Judge) -> None:
    program = "def f(x): return gcd(4, 6)"
    assert calls(judge, program, ("[1]",)).observed == ("!NameError",)
    assert calls(judge, program, ("[1]",), starter="class Solution:\n").observed == ("2",)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("[1]", "__import__('os')"), "input 2: the arguments are not literals"),
        (("[1",), "input 1: the arguments are not literals"),
        (("(1,)",), "input 1: the arguments are a tuple, not a list"),
        (("[" * 5000,), "input 1: the arguments are not literals"),
        (("[1]",) * (MOST_INPUTS + 1), f"{MOST_INPUTS + 1:,} inputs to observe; at most {MOST_INPUTS:,} are"),
    ],
)
def test_arguments_are_literals(judge: Judge, arguments: tuple[str, ...], message: str) -> None:
    verdict = calls(judge, "def f(x): return x", arguments)
    assert verdict.outcome is Outcome.INVALID
    assert message in verdict.detail
    assert verdict.observed == ()


@pytest.mark.parametrize(
    ("program", "outcome", "texts"),
    [
        ("a, b = map(int, input().split())\nprint(' ', a + b, '\\n')", Outcome.PASSED, ("'3'", "!ValueError", "'0'")),
        ("print(input() == '1 2')\nprint(1,  2)", Outcome.PASSED, ("'True\\n1 2'", "'False\\n1 2'", "'False\\n1 2'")),
        ("print('!timeout')", Outcome.PASSED, ("'!timeout'",) * 3),
        ("print((", Outcome.SYNTAX_ERROR, ("!SyntaxError",) * 3),
        ("if input() == '3': exit(3)", Outcome.PASSED, ("''", "!ended", "''")),
        ("while True: pass", Outcome.PASSED, ("!timeout",) * 3),
        ("import os; os.fork()", Outcome.PASSED, ("!forbidden",) * 3),
        ("x = 'x' * (1 << 40)", Outcome.PASSED, ("!out_of_memory",) * 3),
        ("print('x' * 20000)", Outcome.PASSED, ("!output_limit",) * 3),
    ],
)  # fmt: skip
def test_programs_are_told(judge: Judge, program: str, outcome: Outcome, texts: tuple[str, ...]) -> None:
    problem = Problem("Own/0", "own", "", "", ObservedPrograms(("1 2\n", "3\n", "-1 1\n")))
    (verdict,) = judge.run([(problem, program)])
    assert (verdict.outcome, verdict.observed) == (outcome, texts)


def test_texts_are_the_same_for_any_number_of_workers() -> None:
    problem = Problem("Own/0", "own", "", "f", ObservedCalls(INPUTS))
    bodies = ("return {x, 'b', 'c'}", "import random; return random.random()", "return hash(str(x))")
    programs = [f"def f(x): {body}" for body in bodies] * 4
    seen = []
    for workers in (1, 3):
        with Judge(workers, LIMITS) as judge:
            seen.append(
                [v._replace(seconds=0.0, peak_memory_mb=0.0) for v in judge.run((problem, p) for p in programs)]
            )
    assert seen[0] == seen[1]
    assert seen[0][0].observed[0] == "{'b', 'c', 1}"
