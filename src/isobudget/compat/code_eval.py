"""The metric `code_eval` of Hugging Face's `evaluate`, with the same arguments and results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isobudget.compat.arguments import check_lists, programs_of, sizes_of
from isobudget.compat.verdicts import judge_all, pass_at_each_k, result_text
from isobudget.errors import InputError
from isobudget.judge.apart import apart_where_exact
from isobudget.problems.given import given_problem

#: index of a task -> the number and the result of each of its candidates
Results = dict[int, list[tuple[int, dict[str, Any]]]]


def compute(
    predictions: Sequence[Sequence[str]],
    references: Sequence[str],
    k: Sequence[int] = (1, 10, 100),
    num_workers: int = 4,
    timeout: float = 3.0,
) -> tuple[dict[str, float], Results]:
    """pass@k and the result of every candidate.

    Args:
        predictions: for each task, a list of candidate programs.
        references: for each task, the source of its tests, which runs after a candidate.
        k: values of k. A value for which some task has too few candidates is left out.
        num_workers: candidates judged at the same time.
        timeout: CPU seconds for one candidate (the original counts wall time).

    Raises:
        InputError: there are not as many references as predictions, a candidate is not a text, or tests cannot be read.
        JudgeError: candidates cannot be confined here.
    """
    sizes = sizes_of(k)
    check_lists(predictions=predictions, references=references)
    if len(predictions) != len(references):
        raise InputError(
            f"{len(predictions)} predictions, but {len(references)} references; pass one prediction (a list of "
            "programs) and one reference for each task"
        )
    candidates_of = programs_of(predictions, "predictions")
    problems = [
        apart_where_exact(given_problem(tests, task_id=f"reference {task}")) for task, tests in enumerate(references)
    ]
    pairs = [(problem, one) for problem, candidates in zip(problems, candidates_of, strict=True) for one in candidates]
    verdicts = iter(judge_all(pairs, num_workers, timeout))
    results: Results = {}
    for task, candidates in enumerate(candidates_of):
        for number in range(len(candidates)):
            verdict = next(verdicts)
            text = {"task_id": task, "passed": verdict.passed, "result": result_text(verdict), "completion_id": number}
            results.setdefault(task, []).append((number, text))
    counts = [(len(one), sum(result["passed"] for _, result in one)) for one in results.values()]
    return pass_at_each_k(counts, sizes), results
