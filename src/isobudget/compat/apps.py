"""APPS' `run_test`: the list of results of a program, one for each test.

A result is True for a test that passed, False for one that failed, and -1 for one that raised or took too long. The
list is [-2] for a program that does not load or does not define the function under test. As in APPS, a program that
fails a test still runs the later tests.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, SupportsIndex

from isobudget.compat.arguments import check_lists, programs_of
from isobudget.compat.verdicts import judge_all
from isobudget.errors import InputError
from isobudget.files.jsonl import parse_json
from isobudget.files.whole import read_text
from isobudget.judge.verdict import Outcome, Verdict
from isobudget.problems.apps.tests import parse_tests
from isobudget.problems.problem import CallTests, Form, Problem, ProgramTests

#: CPU seconds for one test
_SECONDS = 4.0

#: the results of one program, one for each test
ResultList = list[bool | int]


def run_test(
    prob_path: str | None = None,
    problem_list: Sequence[str] | None = None,
    prob_index: int | None = None,
    test: str | None = None,
    debug: bool = False,  # noqa: ARG001
) -> Any:
    """The results of a program on the tests in a problem's folder. Without a program, the tests as a dictionary.

    Args:
        prob_path: the problem's folder, which has ``input_output.json``.
        problem_list: instead of `prob_path`, a list of folders of problems.
        prob_index: the index of one folder in `problem_list`.
        test: the program.
        debug: has no effect.

    Raises:
        InputError: no folder is named, or the tests in the folder cannot be read.
        JudgeError: programs cannot be confined here.
    """
    if prob_path is None and (problem_list is None or prob_index is None):
        raise InputError("pass 'prob_path', or both 'problem_list' and 'prob_index'")
    if prob_index is not None and not isinstance(prob_index, SupportsIndex):
        raise InputError(f"prob_index: must be an index of 'problem_list', not {prob_index!r:.60}")
    if prob_path is None:
        check_lists(problem_list=problem_list)
    folders: list[Any] = [prob_path] if prob_path is not None else list(problem_list or ())
    at = 0 if prob_path is not None else int(prob_index or 0)
    if not -len(folders) <= at < len(folders):
        raise InputError(f"prob_index {at} is out of range: 'problem_list' has {len(folders)} folders")
    if not isinstance(folder := folders[at], str | os.PathLike):
        kind = type(folder).__name__
        raise InputError(f"a problem must be the path of its folder, not a {kind}; pass loaded tests to apps.results")
    path = Path(folder) / "input_output.json"
    text = read_text(path)
    return parse_json(text, str(path)) if test is None else results([text], [[test]], workers=1)[0][0]


def results(
    input_outputs: Sequence[str | Mapping[str, Any]],
    generations: Sequence[Sequence[str]],
    workers: int = 4,
    timeout: float = _SECONDS,
) -> list[list[ResultList]]:
    """The results of many programs.

    Args:
        input_outputs: for each problem, the content of ``input_output.json``, as text or parsed.
        generations: for each problem, a list of programs.
        workers: programs judged at the same time.
        timeout: CPU seconds for one test (APPS counts wall time).

    Raises:
        InputError: there are not as many lists of programs as problems, or programs or tests cannot be read.
        JudgeError: programs cannot be confined here.
    """
    check_lists(input_outputs=input_outputs, generations=generations)
    if len(input_outputs) != len(generations):
        raise InputError(
            f"'input_outputs' has {len(input_outputs)} problems, but 'generations' has {len(generations)} lists of "
            "programs"
        )
    problems = [_problem(one, f"problem {at}") for at, one in enumerate(input_outputs)]
    programs_by_problem = programs_of(generations, "generations")
    work = [(problem, one) for problem, programs in zip(problems, programs_by_problem, strict=True) for one in programs]
    whole = judge_all(work, workers, timeout)
    left = [
        (number, at)
        for number, ((problem, _), verdict) in enumerate(zip(work, whole, strict=True))
        for at in _left(problem, verdict)
    ]
    again = judge_all([(_only(work[number][0], at), work[number][1]) for number, at in left], workers, timeout)
    found: list[ResultList] = [[True] * (one.tests_passed or 0) for one in whole]
    loads = [one.outcome is not Outcome.SYNTAX_ERROR for one in whole]
    for (number, at), verdict in zip(left, again, strict=True):
        if at is None:
            loads[number] = verdict.passed
        else:
            found[number].append(_result(verdict))
    rows = iter([row if ok else [-2] for row, ok in zip(found, loads, strict=True)])
    return [[next(rows) for _ in programs] for programs in programs_by_problem]


def _problem(data: str | Mapping[str, Any], where: str) -> Problem:
    try:
        text = data if isinstance(data, str) else json.dumps(data)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: has a value that JSON cannot represent ({error})") from error
    entry_point, tests = parse_tests(text, where)
    return Problem(where, "apps", "", entry_point, tests, form=Form.TEXT)


def _left(problem: Problem, verdict: Verdict) -> list[int | None]:
    """The indices of the tests that must still run separately. None stands for loading the program without a test."""
    if verdict.passed or verdict.outcome is Outcome.SYNTAX_ERROR:
        return []
    first = verdict.tests_passed or 0
    loading: list[int | None] = [None] if first == 0 and isinstance(problem.tests, CallTests) else []
    return [*loading, *range(first, verdict.tests_total or 0)]


def _only(problem: Problem, at: int | None) -> Problem:
    """The problem with only the test at the index `at`, or with no test if `at` is None."""
    tests, these = problem.tests, slice(0, 0) if at is None else slice(at, at + 1)
    if isinstance(tests, CallTests):
        return replace(problem, tests=replace(tests, arguments=tests.arguments[these], results=tests.results[these]))
    assert isinstance(tests, ProgramTests)
    return replace(problem, tests=replace(tests, inputs=tests.inputs[these], outputs=tests.outputs[these]))


def _result(verdict: Verdict) -> bool | int:
    return verdict.passed or (False if verdict.outcome is Outcome.FAILED else -1)
