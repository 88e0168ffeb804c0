"""EvalPlus' `evaluate`: samples of HumanEval+ or MBPP+ under base and plus tests, and the same result file."""

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
from isobudget.judge.verdict import Outcome, Verdict
from isobudget.problems.evalplus.benchmark import HUMANEVAL_PLUS, MBPP_PLUS, load_suites
from isobudget.problems.problem import Problem, ReferenceInputs
from isobudget.problems.sources import Published, find_data

_DATA = {"humaneval": HUMANEVAL_PLUS, "mbpp": MBPP_PLUS}
_K = (1, 10, 100)
#: CPU seconds for all inputs of a suite
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
    """Judge samples under both suites and write EvalPlus' result file beside them, whose content is returned.

    Args:
        dataset: which data; its file is looked for as for the benchmarks `humaneval+` and `mbpp+`.
        samples: JSON lines with `task_id` and `completion` or `solution`, or a folder of folders with `.py` files.
        base_only: leave the plus tests out.
        parallel: samples judged at the same time; 4 by default.
        i_just_wanna_run: re-judge although there is a result file of these samples.
        data_file: the file with the problems, if it lies elsewhere.
        timeout: CPU seconds of a sample for a suite (EvalPlus: by the wall clock, from each input's own time).

    Raises:
        InputError: a sample cannot be used, problems have none, or the result file is of other samples.
        JudgeError: samples cannot be confined here.
        StorageError: the results cannot be written.
    """
    if not isinstance(dataset, str) or dataset not in _DATA:
        raise InputError(f"dataset is humaneval or mbpp, not {dataset!r:.60}")
    source = path_of(samples, "samples")
    given = path_of(data_file, "data_file") if data_file else None
    result = _result_of(source)
    if result.is_file() and not i_just_wanna_run:
        return _recorded(result, source, base_only, _prompts(_DATA[dataset], given))
    result_file(result)
    suites = load_suites(_DATA[dataset], given)
    solutions = list(_solutions(source, suites))
    if missing := suites.keys() - {task for task, _ in solutions}:
        raise InputError(f"{samples}: {len(missing)} problems have no sample, such as {min(missing)}; each needs one")
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
    """Where the results of samples are, or go."""
    if source.is_dir():
        return source / "eval_results.json"
    result = Path(str(source).replace(".jsonl", "_eval_results.json"))
    if result == source:
        raise InputError(f"{source}: must be a folder or end in .jsonl")
    return result


def _prompts(published: Published, given: Path | None) -> dict[str, str]:
    """The prompt of each task, where the data is at hand: a result file is also reused without it."""
    try:
        suites = load_suites(published, given)
    except InputError:
        return {}
    return {task: base.prompt for task, (base, _) in suites.items()}


def _recorded(result: Path, source: Path, base_only: bool, prompts: dict[str, str]) -> dict[str, Any]:
    """The content of a result file, if it is of these samples, as far as they are still there."""
    anew = "; i_just_wanna_run=True re-judges"
    content = parse_json(read_text(result), str(result), hint=anew)
    try:
        rows = {task: list(each) for task, each in content["eval"].items()}
        plus = all(row["plus_status"] is not None for each in rows.values() for row in each)
        scores = _pass_at_k(rows, base_only=not plus)
        here = _given(source) if source.exists() else ()
        recorded = [(one, rows[one.task].pop(0)["solution"]) for one in here if one.where or one.task in rows]
        fit = all(_is_of(one, solution, prompts) for one, solution in recorded)
    except (AttributeError, IndexError, KeyError, TypeError):
        raise InputError(f"{result}: has no results of these samples{anew}") from None
    if source.exists() and (not fit or any(rows.values())):
        raise InputError(f"{result}: has the results of other samples{anew}")
    if not base_only and not plus:
        raise InputError(f"{result}: has no results of the plus tests{anew}")
    return {**content, "pass_at_k": scores}


def _is_of(sample: _Given, solution: str, prompts: dict[str, str]) -> bool:
    """Whether a recorded program is a sample's, as far as its prompt is known."""
    if sample.whole:
        return solution == sample.text
    prompt = prompts.get(sample.task)
    return solution.endswith(sample.text) if prompt is None else solution == prompt + sample.text


class _Given(NamedTuple):
    """A sample as it is given: a whole program, or how the prompt goes on."""

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
            raise InputError(f"{where}: needs a field completion or solution that is a string")
        yield _Given(where, str(record.get("task_id")), text, text is whole)


def _solutions(source: Path, suites: dict[str, tuple[Problem, Problem | None]]) -> Iterator[tuple[str, str]]:
    """Task and whole program of each sample. Of a folder, what belongs to no task is left out."""
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
    """EvalPlus' rows by task, tasks in the data's order."""
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
    """The input that failed first, as source; empty where that is not known."""
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
