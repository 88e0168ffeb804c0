"""EvalPlus' `evaluate`: judges samples of HumanEval+ or MBPP+ by base and plus tests, and writes a result file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from isobudget.compat.arguments import path_of, result_file
from isobudget.compat.verdicts import judge_all, pass_at_each_k
from isobudget.errors import InputError
from isobudget.files.jsonl import parse_json, read_objects
from isobudget.files.whole import read_text, sha256_of, write_whole
from isobudget.grid import counted
from isobudget.judge.verdict import Outcome, Verdict
from isobudget.problems.evalplus.benchmark import HUMANEVAL_PLUS, MBPP_PLUS, load_suites
from isobudget.problems.problem import Problem, ReferenceInputs
from isobudget.problems.sources import Published, find_data

_DATA = {"humaneval": HUMANEVAL_PLUS, "mbpp": MBPP_PLUS}
_K = (1, 10, 100)
#: CPU seconds of a sample for all inputs of a suite
_SECONDS = 10.0


def evaluate(
    dataset: Literal["humaneval", "mbpp"],
    samples: str | os.PathLike[str],
    base_only: bool = False,
    parallel: int | None = None,
    i_just_wanna_run: bool = False,
    *,
    data_file: str | os.PathLike[str] | None = None,
    timeout: float = _SECONDS,
) -> dict[str, Any]:
    """Judge samples by both suites, write EvalPlus' result file beside the samples, and return the file's content.

    If the result file already exists and has results of these samples, its content is returned without judging.

    Args:
        dataset: `humaneval` or `mbpp`. The data file is found as for the benchmarks `humaneval+` and `mbpp+`.
        samples: JSON lines with `task_id` and either `completion` or `solution`; or a folder with a folder of `.py`
            files for each task.
        base_only: leave the plus tests out.
        parallel: samples judged at the same time; 4 by default.
        i_just_wanna_run: judge even if there is a result file of these samples.
        data_file: the file with the problems, if it is not in the usual place.
        timeout: CPU seconds of a sample for all inputs of a suite. (EvalPlus limits wall time, and derives the limit
            from the time that the reference takes for each input.)

    Raises:
        InputError: a sample cannot be used, a problem has no sample, or the result file has results of other samples.
        JudgeError: samples cannot be confined here.
        StorageError: the results cannot be written.
    """
    if not isinstance(dataset, str) or dataset not in _DATA:
        raise InputError(f"dataset must be 'humaneval' or 'mbpp', not {dataset!r:.60}")
    source = path_of(samples, "samples")
    given = path_of(data_file, "data_file") if data_file else None
    result = _result_of(source)
    if result.is_file() and not i_just_wanna_run:
        return _recorded(result, source, base_only, _prompts(_DATA[dataset], given))
    result_file(result)
    suites = load_suites(_DATA[dataset], given)
    solutions = list(_solutions(source, suites))
    if missing := suites.keys() - {task for task, _ in solutions}:
        without = counted(len(missing), "problem")
        raise InputError(f"{samples}: no sample of {without}, such as {min(missing)}; every problem needs a sample")
    rows = _judged(solutions, suites, base_only, parallel or 4, timeout)
    content = {
        "date": datetime.now().strftime("%Y-%m-%d %H:%M"),
        "hash": sha256_of(find_data(_DATA[dataset], given).path)[:32],
        "eval": rows,
        "pass_at_k": _pass_at_k(rows, base_only),
    }
    write_whole(result, json.dumps(content).encode())
    return content


def _result_of(source: Path) -> Path:
    """The path of the result file of samples."""
    if source.is_dir():
        return source / "eval_results.json"
    result = Path(str(source).replace(".jsonl", "_eval_results.json"))
    if result == source:
        raise InputError(f"{source}: must be a folder or end in .jsonl")
    return result


def _prompts(published: Published, given: Path | None) -> dict[str, str]:
    """The prompt of each task. Empty if the data is not available: a result file can be reused without the prompts."""
    try:
        suites = load_suites(published, given)
    except InputError:
        return {}
    return {task: base.prompt for task, (base, _) in suites.items()}


def _recorded(result: Path, source: Path, base_only: bool, prompts: dict[str, str]) -> dict[str, Any]:
    """The content of a result file. If the samples in `source` still exist, the results must be of these samples."""
    anew = "; pass i_just_wanna_run=True to judge the samples again"
    content = parse_json(read_text(result), str(result), hint=anew)
    try:
        rows = {task: list(each) for task, each in content["eval"].items()}
        plus = all(row["plus_status"] is not None for each in rows.values() for row in each)
        scores = _pass_at_k(rows, base_only=not plus)
        here = _given(source) if source.exists() else ()
        recorded = [(one, rows[one.task].pop(0)["solution"]) for one in here if one.where or one.task in rows]
        fit = all(_is_of(one, solution, prompts) for one, solution in recorded)
    except (AttributeError, IndexError, KeyError, TypeError):
        raise InputError(f"{result}: has no results of the samples in {source}{anew}") from None
    if source.exists() and (not fit or any(rows.values())):
        raise InputError(f"{result}: has the results of other samples than those in {source}{anew}")
    if not base_only and not plus:
        raise InputError(f"{result}: has no results of the plus tests{anew}")
    return {**content, "pass_at_k": scores}


def _is_of(sample: _Given, solution: str, prompts: dict[str, str]) -> bool:
    """Whether a recorded program is the sample's. If the prompt is not known, only the program's end is compared."""
    if sample.whole:
        return solution == sample.text
    prompt = prompts.get(sample.task)
    return solution.endswith(sample.text) if prompt is None else solution == prompt + sample.text


class _Given(NamedTuple):
    """A sample as it is given: a whole program, or a completion of the prompt."""

    where: str
    task: str
    text: str
    whole: bool


def _given(source: Path) -> Iterator[_Given]:
    if source.is_dir():
        for path in sorted(source.glob("*/*.py")):
            yield _Given("", path.parent.name.replace("_", "/"), read_text(path), True)
        return
    for where, record in read_objects(source):
        whole, continued = record.get("solution"), record.get("completion")
        text = whole if isinstance(whole, str) else continued
        if not isinstance(text, str):
            raise InputError(f"{where}: needs a field 'completion' or 'solution' that is a string")
        yield _Given(where, str(record.get("task_id")), text, text is whole)


def _solutions(source: Path, suites: dict[str, tuple[Problem, Problem | None]]) -> Iterator[tuple[str, str]]:
    """Task and whole program of each sample. In a folder, programs that belong to no task are skipped."""
    for where, task, text, whole in _given(source):
        if task in suites:
            yield task, text if whole else suites[task][0].prompt + text
        elif where:
            raise InputError(f"{where}: no problem has the task_id {task[:80]!r}")


def _judged(
    solutions: list[tuple[str, str]],
    suites: dict[str, tuple[Problem, Problem | None]],
    base_only: bool,
    workers: int,
    timeout_seconds: float,
) -> dict[str, list[dict[str, Any]]]:
    """EvalPlus' result rows by task, with the tasks in the order of the data."""
    taken = 1 if base_only else 2
    pairs = [(problem, text) for task, text in solutions for problem in suites[task][:taken] if problem is not None]
    verdicts = iter(judge_all(pairs, workers, timeout_seconds))
    rows: dict[str, list[dict[str, Any]]] = {task: [] for task in suites}
    for task, text in solutions:
        base, plus = suites[task]
        verdict = next(verdicts)
        row: dict[str, Any] = {"task_id": task, "solution": text, "base_status": _status(verdict), "plus_status": None}
        row |= {"base_fail_tests": _failing(base, verdict), "plus_fail_tests": []}
        if not base_only:
            more = next(verdicts) if plus else Verdict(Outcome.PASSED)
            row |= {"plus_status": _status(more), "plus_fail_tests": _failing(plus, more)}
        rows[task].append(row)
    return rows


def _status(verdict: Verdict) -> str:
    if verdict.passed:
        return "pass"
    return "timeout" if verdict.outcome is Outcome.TIMEOUT else "fail"


def _failing(problem: Problem | None, verdict: Verdict) -> list[str]:
    """A list with the source of the first input that failed. The list is empty if that input is not known."""
    tests = None if problem is None else problem.tests
    if verdict.passed or not isinstance(tests, ReferenceInputs) or verdict.tests_passed is None:
        return []
    return list(tests.inputs[verdict.tests_passed : verdict.tests_passed + 1])


def _pass_at_k(rows: dict[str, list[dict[str, Any]]], base_only: bool) -> dict[str, dict[str, float]]:
    base = [(len(each), sum(row["base_status"] == "pass" for row in each)) for each in rows.values()]
    scores = {"base": pass_at_each_k(base, _K)}
    if not base_only:
        both = [sum(row["base_status"] == row["plus_status"] == "pass" for row in each) for each in rows.values()]
        scores["plus"] = pass_at_each_k([(n, c) for (n, _), c in zip(base, both, strict=True)], _K)
    return scores
