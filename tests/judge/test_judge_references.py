"""What is tried before any sample: references of own problems, remembered by content, and a benchmark's canary."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from isobudget.errors import InputError, JudgeError
from isobudget.judge import Judge, Limits
from isobudget.judge.canary import canaries, require_canaries
from isobudget.judge.references import cache_file, failed_references, require_references, unchecked
from isobudget.problems import load_benchmark
from isobudget.problems.problem import (
    AssertList,
    CallTests,
    CheckFunction,
    Form,
    ObservedCalls,
    Problem,
    ProgramTests,
    PytestFile,
    ReferenceInputs,
    Tests,
    apart,
)

CHECK = CheckFunction("def check(candidate):\n    assert candidate(2) == 4\n")
RIGHT, WRONG = "    return x * x\n", "    return 7\n"
KINDS: list[Tests] = [
    CHECK,
    AssertList(("assert square(2) == 4",)),
    ReferenceInputs("def square(x):\n    return x * x\n", ("[2]",)),
    CallTests(("[2]",), ("4",), "livecodebench"),
    PytestFile("from solution import square\n\ndef test_a():\n    assert square(2) == 4\n"),
    ProgramTests(("2\n",), ("4\n",), "apps"),
]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "isobudget" / "references.txt"


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge(workers=1) as entered:
        yield entered


def square(reference: str | None = RIGHT, tests: Tests = CHECK, name: str = "Own/0") -> Problem:
    return Problem(name, "own", "def square(x):\n", "square", tests, reference)


def test_what_has_passed_is_not_judged_again(judge: Judge, cache: Path) -> None:
    assert cache_file() == cache
    assert unchecked([square()], judge) == [square()]
    assert failed_references([square()], judge) == []
    assert len(cache.read_text().split()) == 1
    assert unchecked([square()], Judge(workers=2)) == []
    # Nothing is judged: this judge is not even entered.
    require_references([square()], Judge(workers=1))


@pytest.mark.parametrize(
    "other",
    [
        square("    return x ** 2\n"),
        square(tests=CheckFunction(CHECK.source + "    assert candidate(3) == 9\n")),
    ],
)
def test_another_reference_or_test_is_judged(judge: Judge, other: Problem) -> None:
    require_references([square()], judge)
    assert unchecked([square(), other], judge) == [other]
    assert unchecked([square()], Judge(limits=Limits(cpu_seconds=1.0))) == [square()]
    assert unchecked([square()], Judge(trust="shared")) == [square()]


def test_failures_are_judged_every_time(judge: Judge, cache: Path) -> None:
    for _ in range(2):
        with pytest.raises(
            InputError, match=r"a reference solution fails its tests: Own/1: failed, at assert candidate\(2\) == 4"
        ):
            require_references([square(), square(WRONG, name="Own/1")], judge)
    assert len(cache.read_text().split()) == 1


@pytest.mark.parametrize("damage", ["a folder", "no text", "no permission"])
def test_a_cache_that_cannot_be_used_is_a_miss(judge: Judge, cache: Path, damage: str) -> None:
    if damage == "a folder":
        cache.mkdir(parents=True)
    elif damage == "no text":
        cache.parent.mkdir(parents=True)
        cache.write_bytes(b"\xff\xfe\x00" * 100)
    else:
        cache.parent.write_text("a file in the way")
    require_references([square()], judge)
    with pytest.raises(InputError, match="Own/1"):
        require_references([square(WRONG, name="Own/1")], judge)


def test_published_benchmarks_are_not_judged_again(judge: Judge) -> None:
    published = [square(WRONG, apart(CHECK)), square(WRONG, KINDS[3]), square(None)]
    assert unchecked(published, judge) == []


@pytest.mark.parametrize("tests", KINDS, ids=lambda tests: tests.kind)
@pytest.mark.parametrize("reference", [None, RIGHT])
def test_every_kind_of_tests_has_a_canary(judge: Judge, tests: Tests, reference: str | None) -> None:
    if isinstance(tests, ProgramTests):
        reference = reference and "print(int(input()) ** 2)\n"
    form = Form.TEXT if isinstance(tests, ProgramTests) else Form.SOURCE
    problem = Problem("Own/0", "own", "def square(x):\n", "square", tests, reference, form)
    assert len(list(canaries([problem]))) == 1
    require_canaries([problem], judge)


def test_a_benchmark_that_ships_has_its_own_canary(judge: Judge) -> None:
    problems = list(load_benchmark("quickstart").problems)
    assert next(canaries(problems)).problem == problems[0]
    require_canaries(problems, judge)


def test_no_canary_where_no_answer_is_right(judge: Judge) -> None:
    assert list(canaries([square(tests=ObservedCalls(("[1]",)))])) == []
    assert list(canaries([square(None, ObservedCalls(("[1]",)))])) == []
    assert list(canaries([])) == []


def test_a_judge_that_does_not_tell_right_from_wrong_is_an_error(judge: Judge) -> None:
    weak = CheckFunction("def check(candidate):\n    candidate(2)\n")
    with pytest.raises(JudgeError, match=r"own: .* For Own/0, .* are passed and passed\..*--no-check"):
        require_canaries([square(tests=weak)], judge)
    with pytest.raises(JudgeError, match=r"Own/0, .* are failed .* and failed"):
        require_canaries([square(WRONG)], judge)
    # Weak tests of one problem are no fault of the judge.
    require_canaries([square(tests=weak), square(name="Own/1")], judge)


def test_limits_that_nothing_keeps_are_seen() -> None:
    slow = square("    return sum(i % 3 for i in range(10 ** 7)) * 0 + x * x\n")
    with (
        Judge(workers=1, limits=Limits(cpu_seconds=0.05)) as judge,
        pytest.raises(JudgeError, match=r"Own/0, .* are timeout and failed"),
    ):
        require_canaries([slow], judge)
