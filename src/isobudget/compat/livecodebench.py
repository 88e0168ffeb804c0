"""LiveCodeBench's `codegen_metrics`: pass@k, the results of every program, and what was wrong with each program.

The results of a program are a list: True for each test that passed before the first failure, and then one code for that
failure. A wrong answer has the code False if the tests call a function, and -2 if the tests run a whole program. The
time limit has the code -3, and an error -4. The list of a program that does not load is [-4].
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from isobudget.compat.arguments import check_lists, programs_of, sizes_of
from isobudget.compat.verdicts import judge_all, pass_at_each_k
from isobudget.errors import InputError
from isobudget.files.jsonl import parse_json
from isobudget.judge.verdict import Outcome, Verdict
from isobudget.problems.livecodebench import call_arguments
from isobudget.problems.problem import CallTests, Form, Problem, ProgramTests
from isobudget.problems.reading import checked_name, checked_text, long_numbers
from isobudget.statistics.pass_at_k import pass_at_k

_K = (1, 5, 10, 20, 40, 50, 75, 100, 125, 150, 200, 500, 1000)
#: error code and message of an outcome; all other outcomes are run-time errors
_CODES = {
    Outcome.FAILED: (-2, "Wrong Answer"),
    Outcome.TIMEOUT: (-3, "Time Limit Exceeded"),
}
_ERROR = (-4, "Runtime Error")

#: the results of one program
ResultList = list[bool | int]


def codegen_metrics(
    samples_list: Sequence[Mapping[str, str]],
    generations_list: Sequence[Sequence[str]],
    k_list: Sequence[int] = _K,
    num_process_evaluate: int = 16,
    timeout: float = 6.0,
    debug: bool = False,  # noqa: ARG001
) -> list[Any]:
    """Metrics, results and metadata, as LiveCodeBench returns them.

    Args:
        samples_list: for each problem, a dictionary with ``input_output``: JSON of `inputs`, `outputs`, `fn_name`.
        generations_list: for each problem, a list of programs.
        k_list: values of k. A value for which some problem has too few programs is left out.
        num_process_evaluate: programs judged at the same time.
        timeout: CPU seconds for one test (LiveCodeBench counts wall time).
        debug: has no effect.

    Returns:
        A list of three values: metrics, results and metadata. The metrics are a dictionary with ``pass@K`` for each k,
        and with ``detail``, which has each pass@K by problem. The results are a dictionary from the number of a problem
        to the results of its programs. The metadata is a list that has, for each problem, a list with one JSON text for
        each program.

    Raises:
        InputError: there are not as many lists of programs as problems, or programs or tests cannot be read.
        JudgeError: programs cannot be confined here.
    """
    sizes = sizes_of(k_list, "k_list")
    check_lists(samples_list=samples_list, generations_list=generations_list)
    if len(samples_list) != len(generations_list):
        raise InputError(
            f"'samples_list' has {len(samples_list)} problems, but 'generations_list' has {len(generations_list)} "
            "lists of programs"
        )
    problems = [_problem(one, f"problem {at}") for at, one in enumerate(samples_list)]
    generations = programs_of(generations_list, "generations_list")
    pairs = [(problem, one) for problem, programs in zip(problems, generations, strict=True) for one in programs]
    verdicts = iter(judge_all(pairs, num_process_evaluate, timeout))
    results: dict[int, list[ResultList]] = {}
    metadata = []
    for at, programs in enumerate(generations):
        told = [next(verdicts) for _ in programs]
        results[at] = [_results(problems[at], one) for one in told]
        metadata.append([json.dumps(_metadata(problems[at], one)) for one in told])
    counts = [(len(each), sum(all(one is True for one in row) for row in each)) for each in results.values()]
    metrics: dict[str, Any] = dict(pass_at_each_k(counts, sizes))
    metrics["detail"] = {
        name: {at: float(pass_at_k(n, c, int(name.removeprefix("pass@")))) for at, (n, c) in enumerate(counts)}
        for name in metrics
    }
    return [metrics, results, metadata]


def _problem(sample: Mapping[str, str], where: str) -> Problem:
    with long_numbers():
        given = sample.get("input_output") if isinstance(sample, Mapping) else None
        if not isinstance(given, str | Mapping):
            raise InputError(f"{where}: needs a field 'input_output': a JSON object, or a string with a JSON object")
        data = parse_json(given, where) if isinstance(given, str) else dict(given)
        if not isinstance(data, dict) or not all(isinstance(data.get(name), list) for name in ("inputs", "outputs")):
            raise InputError(f"{where}: 'input_output' must be an object with the lists 'inputs' and 'outputs'")
        inputs, outputs, name = tuple(data["inputs"]), tuple(data["outputs"]), data.get("fn_name") or ""
        if name:
            checked_name(checked_text(name, f"{where}, fn_name"), f"{where}, fn_name")
        if len(inputs) != len(outputs) or not all(isinstance(one, str) for one in (*inputs, *outputs)):
            raise InputError(
                f"{where}: 'inputs' and 'outputs' must be lists of strings, with one output for each input"
            )
        if not inputs:
            raise InputError(f"{where}: holds no tests, so every program would pass")
        for one in (*inputs, *outputs):
            checked_text(one, where)
        tests: CallTests | ProgramTests = ProgramTests(inputs, outputs, rules="livecodebench")
        if name:
            arguments = tuple(call_arguments(one, where) for one in inputs)
            for one in outputs:
                parse_json(one, f"{where}, output")
            tests = CallTests(arguments, outputs, rules="livecodebench")
    return Problem(where, "livecodebench", "", name, tests, form=Form.TEXT)


def _results(problem: Problem, verdict: Verdict) -> ResultList:
    if verdict.passed:
        return [True] * (verdict.tests_total or 0)
    code, _ = _CODES.get(verdict.outcome, _ERROR)
    wrong_call = code == -2 and isinstance(problem.tests, CallTests)
    return [*[True] * (verdict.tests_passed or 0), False if wrong_call else code]


def _metadata(problem: Problem, verdict: Verdict) -> dict[str, Any]:
    if verdict.passed:
        return {"execution time": verdict.seconds}
    code, message = _CODES.get(verdict.outcome, _ERROR)
    if verdict.outcome is Outcome.SYNTAX_ERROR:
        return {"error_code": code, "error_message": f"Error during testing: {verdict.detail}"}
    tests, at = problem.tests, verdict.tests_passed or 0
    said: dict[str, Any] = {"error": verdict.detail} if code != -2 else {}
    said |= {"error_code": code, "error_message": message}
    if isinstance(tests, CallTests) and at < len(tests.arguments):
        said |= {"inputs": tests.arguments[at], "expected": tests.results[at]}
    elif isinstance(tests, ProgramTests) and at < len(tests.inputs):
        said |= {"inputs": tests.inputs[at], "expected": tests.outputs[at]}
    return said
